"""Policy sets of 10, 60, 500 and more pods, as teams have them, for pictures and reports.

``python tests/picture_inputs.py 60 > 60.yaml`` writes one.

Each has an ingress controller, monitoring that scrapes every pod, egress to DNS, an outside client, a namespace without
policies, and shops: web calls api, api calls db and cache, workers call db.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import yaml

Object = dict[str, Any]
SIZES = (10, 60, 500)


def _namespace(name: str, **labels: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _workload(namespace: str, name: str, replicas: int, port: int, **labels: str) -> Object:
    own = {"app": name, **labels}
    protocol = "UDP" if port == 53 else "TCP"
    container = {"name": "main", "image": "x", "ports": [{"containerPort": port, "protocol": protocol}]}
    template = {"metadata": {"labels": own}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _policy(namespace: str, name: str, selected: Object, **spec: Any) -> Object:
    found = {"podSelector": selected, **spec}
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": found}


def _app(name: str) -> Object:
    return {"matchLabels": {"app": name}}


def _space(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _from(*peers: Object, port: int) -> Object:
    return {"from": list(peers), "ports": [{"port": port}]}


def _shop(name: str, replicas: int) -> Iterator[Object]:
    yield _namespace(name, team=name)
    ports = {"web": 8080, "api": 9000, "db": 5432, "cache": 6379, "worker": 8081}
    for app, port in ports.items():
        yield _workload(name, app, 1 if app in ("db", "cache") else replicas, port, tier=app)
    dns = {"to": [_space("kube-system")], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}
    yield _policy(name, "default-deny", {}, policyTypes=["Ingress", "Egress"])
    yield _policy(name, "dns", {}, policyTypes=["Egress"], egress=[dns])
    scrape = [{"from": [_space("monitoring")]}]
    yield _policy(name, "scrape", {}, policyTypes=["Ingress"], ingress=scrape)
    calls = {"web": ["api"], "api": ["db", "cache"], "worker": ["db"]}
    yield _policy(
        name, "web-from-edge", _app("web"), policyTypes=["Ingress"], ingress=[_from(_space("ingress-nginx"), port=8080)]
    )
    for source, targets in calls.items():
        for target in targets:
            port = ports[target]
            rule = _from({"podSelector": _app(source)}, port=port)
            yield _policy(name, f"{target}-from-{source}", _app(target), policyTypes=["Ingress"], ingress=[rule])
            to = {"to": [{"podSelector": _app(target)}], "ports": [{"port": port}]}
            yield _policy(name, f"{source}-to-{target}", _app(source), policyTypes=["Egress"], egress=[to])


def objects(pods: int) -> Iterator[Object]:
    """Yield the objects of a cluster with about this number of pods."""
    shops = max(1, pods // 17)
    replicas = 1 if pods < 20 else 5
    spec = {
        "nodes": [{"name": f"node-{n}"} for n in range(1, max(3, pods // 100) + 1)],
        "hosts": [{"name": "client", "addresses": ["192.0.2.10"]}],
    }
    yield {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": f"pods-{pods}"}, "spec": spec}
    yield _namespace("ingress-nginx")
    yield _workload("ingress-nginx", "controller", 1, 8443)
    yield _namespace("kube-system")
    yield _workload("kube-system", "coredns", 2, 53, **{"k8s-app": "kube-dns"})
    yield _namespace("monitoring")
    yield _workload("monitoring", "prometheus", 1, 9090)
    if pods > 10:
        yield _namespace("legacy")
        yield _workload("legacy", "erp", 3, 8000)
        yield _workload("legacy", "mail", 1, 25)
    for number in range(1, shops + 1):
        yield from _shop("shop" if shops == 1 else f"shop-{number:02}", replicas)


def text(pods: int) -> str:
    """Return the objects as YAML."""
    return yaml.safe_dump_all(list(objects(pods)), sort_keys=False)


if __name__ == "__main__":
    sys.stdout.write(text(int(sys.argv[1])))
