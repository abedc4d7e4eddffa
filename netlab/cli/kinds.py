"""The names that kubectl has for kinds: plurals and short forms."""

from __future__ import annotations

from netlab.errors import UsageError

KINDS: dict[str, tuple[str, ...]] = {
    "Lab": ("labs", "lab"),
    "Namespace": ("namespaces", "namespace", "ns"),
    "Node": ("nodes", "node", "no"),
    "Pod": ("pods", "pod", "po"),
    "Deployment": ("deployments", "deployment", "deploy"),
    "ReplicaSet": ("replicasets", "replicaset", "rs"),
    "ReplicationController": ("replicationcontrollers", "replicationcontroller", "rc"),
    "StatefulSet": ("statefulsets", "statefulset", "sts"),
    "DaemonSet": ("daemonsets", "daemonset", "ds"),
    "Job": ("jobs", "job"),
    "CronJob": ("cronjobs", "cronjob", "cj"),
    "Service": ("services", "service", "svc"),
    "NetworkPolicy": ("networkpolicies", "networkpolicy", "netpol"),
}
CLUSTER_SCOPED = frozenset({"Lab", "Namespace", "Node"})


def kind_of(name: str, *among: str, plural: bool = True) -> str:
    """Return the kind that a name means, of those given or of all; raises UsageError with their names."""
    kinds = among or tuple(KINDS)
    for kind in kinds:
        if name.lower() in KINDS[kind]:
            return kind
    raise UsageError(
        f"no kind {name!r} here; it is one of {', '.join(KINDS[kind][0 if plural else 1] for kind in kinds)}"
    )
