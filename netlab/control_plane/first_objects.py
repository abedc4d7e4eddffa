"""The objects that a control plane has before those of its user: what netlab may do as the nodes, and cluster DNS."""

from __future__ import annotations

from typing import Any

from netlab.cluster import Cluster
from netlab.control_plane.certificates import NODES_GROUP, NODES_USER
from netlab.control_plane.nodes import api_server_endpoints
from netlab.sources.cluster_kinds import SECRET, read_kinds

_NAME = "netlab:nodes"
_READ = ["get", "list", "watch"]


def rights(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the roles of netlab as the nodes, with their bindings.

    It reads what netlab reads of a cluster, and writes what the kubelets of all nodes write. It asks for tokens of
    service accounts as one of the nodes: the API server gives a node those of its own pods only.
    """
    nodes = [f"system:node:{node.name}" for node in cluster.nodes]
    rules = [_rule(group, kinds, _READ) for group, kinds in _read().items()]
    rules += [
        _rule("", ["nodes"], ["create", "patch"]),
        _rule("", ["nodes/status", "pods/status", "services/status"], ["patch"]),
        _rule("", ["pods"], ["delete"]),
        _rule("", ["configmaps"], ["get"]),
        _rule("", ["events"], ["create", "patch"]),
        _rule("coordination.k8s.io", ["leases"], ["create", "get", "patch"]),
        _rule("", ["users"], ["impersonate"]) | {"resourceNames": nodes},
        _rule("", ["groups"], ["impersonate"]) | {"resourceNames": [NODES_GROUP]},
    ]
    own = {"resourceNames": [api_server_endpoints.NAME]}
    writes = [
        _rule("", ["endpoints"], ["create", "patch"]) | own,
        _rule("discovery.k8s.io", ["endpointslices"], ["create", "patch"]) | own,
    ]
    namespace = {"namespace": api_server_endpoints.NAMESPACE}
    return [*_bound("Cluster", {}, rules), *_bound("", namespace, writes)]


def _bound(scope: str, place: dict[str, str], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a role of netlab as the nodes, and its binding; ``scope`` is "Cluster" or "" for a namespace."""
    group, metadata = "rbac.authorization.k8s.io", {"name": _NAME, **place}
    return [
        {"apiVersion": f"{group}/v1", "kind": f"{scope}Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": f"{scope}RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": f"{scope}Role", "name": _NAME},
            "subjects": [{"apiGroup": group, "kind": "User", "name": NODES_USER}],
        },
    ]


def dns_service(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the Service of cluster DNS, whose pod netlab adds to the lab; none for a lab without DNS."""
    from netlab.cluster.services.system import DNS, DNS_LABELS

    if not cluster.dns or not cluster.service_cidrs:
        return []
    namespace, name = DNS.split("/")
    ports = [
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 53},
        {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
    ]
    # The tenth address is that of DNS, as kubeadm has it.
    spec = {
        "clusterIP": str(cluster.service_cidrs[0][10]),
        "ipFamilyPolicy": "PreferDualStack",
        "selector": dict(DNS_LABELS),
        "ports": ports,
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"kubernetes.io/name": "CoreDNS", **DNS_LABELS}}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}]


def _read() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind in read_kinds():
        if kind.name != SECRET and kind.template is None:
            found.setdefault(kind.group, []).append(kind.plural)
    return found


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
