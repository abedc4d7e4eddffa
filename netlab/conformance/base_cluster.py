"""The cluster of most cases: three namespaces with three pods each, and an outside host.

Namespaces x, y and z are labelled ns=NAME, pods a, b and c pod=NAME, as in Kubernetes' own suite. Every pod serves 80
and 81 over TCP, UDP and SCTP, on container ports named serve-PORT-PROTOCOL. Addresses are fixed, so that ipBlocks can
name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netlab import modes
from netlab.conformance.shorthand import document, pod
from netlab.objects.types import Document

NAMESPACES = ("x", "y", "z")
PODS = tuple(f"{ns}/{name}" for ns in NAMESPACES for name in "abc")
HOST = "host:out"
HOST_ADDRESS = "192.0.2.10"
# Pods of y are in the second /24 of the podCIDR, which is the second node's in modes with several nodes.
ADDRESSES = {
    f"{ns}/{name}": f"10.244.{1 if ns == 'y' else 0}.{16 * (1 + i) + j}"
    for i, ns in enumerate(NAMESPACES)
    for j, name in enumerate("abc")
}
PORTS = tuple(f"serve-{n}-{p.lower()}={n}/{p}" for n in (80, 81) for p in ("TCP", "UDP", "SCTP"))


@cache
def topology(mode: str = modes.ONE_NODE) -> Document:
    """Return the topology: two nodes if the mode joins nodes, else one."""
    nodes = [{"name": "node-1"}, *([{"name": "node-2"}] if modes.of(mode).transport.joins_nodes else [])]
    network = {"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16"]}
    hosts = [{"name": "out", "addresses": [HOST_ADDRESS]}]
    return document("Topology", "conformance", {"networks": [network], "nodes": nodes, "hosts": hosts})


@cache
def _namespace(name: str, labels: str) -> Document:
    return document("Namespace", name, labels=labels)


@cache
def _pod(ref: str, labels: str, ports: tuple[str, ...], node: str) -> Document:
    return pod(ref, labels, ADDRESSES[ref], ports, node)


def base_cluster(
    pods: Mapping[str, str] | None = None,
    namespaces: Mapping[str, str] | None = None,
    ports: Mapping[str, tuple[str, ...]] | None = None,
    *,
    members: tuple[str, ...] = PODS,
    mode: str = modes.ONE_NODE,
) -> tuple[Document, ...]:
    """Return the documents of the cluster.

    Args:
      pods: labels of pods that differ from ``pod=NAME``, by reference.
      namespaces: labels of namespaces that differ from ``ns=NAME``.
      ports: container ports of pods that differ from ``PORTS``, by reference.
      members: the pods of the cluster.
      mode: the mode of the pod network.
    """
    labels, spaces, served = pods or {}, namespaces or {}, ports or {}
    found = [topology(mode), *(_namespace(ns, spaces.get(ns, f"ns={ns}")) for ns in NAMESPACES)]
    two = modes.of(mode).transport.joins_nodes
    for ref in members:
        node = "node-2" if two and ref.startswith("y/") else "node-1"
        found.append(_pod(ref, labels.get(ref, f"pod={ref[-1]}"), served.get(ref, PORTS), node))
    return tuple(found)
