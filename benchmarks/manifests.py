"""Inputs of any size: namespaces with clients and servers, and policies that allow clients to reach servers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from netlab.objects import Document, Objects, decode
from netlab.objects.types import Source

PORT = 5432


def objects(documents: list[dict[str, Any]]) -> Objects:
    """Return the objects of valid documents."""
    found, problems = decode([Document(data, Source("benchmark")) for data in documents])
    assert not problems, problems
    return found


def topology(name: str, nodes: int) -> dict[str, Any]:
    spec = {"nodes": [{"name": f"node-{i}"} for i in range(nodes)]}
    return {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": name}, "spec": spec}


def cluster(name: str, nodes: int, pods: int, mode: str) -> Iterator[dict[str, Any]]:
    """Yield a Topology and Nodes with room for their share of pods; a node of a Topology has 253 addresses for them."""
    document = topology(name, 0)
    document["spec"]["networks"] = [{"name": "default", "mode": mode, "podCIDRs": ["10.0.0.0/8"]}]
    yield document
    # A node has one address itself, and its range has two that no pod gets.
    bits = max(8, (-(-pods // nodes) + 3 - 1).bit_length())
    for i, block in enumerate(islice(IPv4Network("10.0.0.0/8").subnets(new_prefix=32 - bits), nodes)):
        spec = {"podCIDR": str(block), "podCIDRs": [str(block)]}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{i}"}, "spec": spec}


def shops(namespaces: int, replicas: int, policies: int = 2) -> Iterator[dict[str, Any]]:
    """Yield namespaces with two Deployments of ``replicas`` pods each, and ``policies`` policies.

    The first policy isolates all pods of its namespace. The second allows its clients to reach its servers on one port.
    Each further policy allows the clients of another namespace, by labels, on another port.
    """
    for i in range(namespaces):
        name = f"shop-{i}"
        labels = {"team": f"team-{i % 10}", "shop": str(i)}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for app in ("client", "server"):
            yield deployment(name, app, replicas)
        for number in range(policies):
            yield _policy(name, number, namespaces)


def deployment(namespace: str, app: str, replicas: int, port: int = PORT) -> dict[str, Any]:
    labels = {"app": app, "track": "stable"}
    container = {"name": app, "image": app, "ports": [{"containerPort": port}]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(namespace, app), "spec": spec}


def policy(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _meta(namespace, name)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _policy(namespace: str, number: int, namespaces: int) -> dict[str, Any]:
    if number == 0:
        return policy(namespace, "deny-all", {"podSelector": {}, "policyTypes": ["Ingress"]})
    peer: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "client"}}}
    if number > 1:
        other = str((int(namespace.removeprefix("shop-")) + number) % namespaces)
        peer["namespaceSelector"] = {"matchLabels": {"shop": other}}
    ports = [{"protocol": "TCP", "port": PORT + number - 1}]
    spec = {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"from": [peer], "ports": ports}]}
    return policy(namespace, f"allow-{number}", spec)


def _meta(namespace: str, name: str) -> dict[str, str]:
    return {"namespace": namespace, "name": name}
