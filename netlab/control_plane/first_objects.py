"""The objects that a control plane has before those of its user: what netlab may do as the nodes, and cluster DNS."""

from __future__ import annotations

from typing import Any

from netlab.cluster import Cluster
from netlab.control_plane.certificates import NODES_USER
from netlab.sources.cluster_kinds import SECRET, read_kinds

_NAME = "netlab:nodes"
_READ = ["get", "list", "watch"]


def rights() -> list[dict[str, Any]]:
    """Return the ClusterRole of netlab as the nodes, with its binding.

    It reads what netlab reads of a cluster, and writes what the kubelets of all nodes write.
    """
    rules = [_rule(group, kinds, _READ) for group, kinds in _read().items()]
    rules += [
        _rule("", ["nodes"], ["create", "patch"]),
        _rule("", ["nodes/status", "pods/status", "services/status"], ["patch"]),
        _rule("", ["pods"], ["delete"]),
        _rule("", ["configmaps"], ["get"]),
        _rule("", ["events"], ["create", "patch"]),
        _rule("coordination.k8s.io", ["leases"], ["create", "get", "patch"]),
    ]
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": _NAME},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": NODES_USER}],
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
