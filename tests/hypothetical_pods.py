"""Hypothetical pods: a pod of every combination of labels, in each namespace and in new ones; and addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from itertools import product

from netlab.cluster import Cluster
from netlab.cluster.types import Host, Pod
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.types import ContainerPort

PORTS = (("TCP", 80), ("TCP", 81), ("TCP", 82), ("TCP", 83), ("TCP", 443), ("TCP", 60000))
ASKED = (*PORTS, ("UDP", 53), ("UDP", 54), ("SCTP", 80), ("ICMP", None))
# Each key has every value that the random policies read, a value that none reads, and is missing.
POD_LABELS = {"app": ("p", "q", "new", None), "tier": ("db", "new", None)}
SPACE_LABELS = {"team": ("1", "2", "new", None)}


def every_combination(values: Mapping[str, tuple[str | None, ...]]) -> list[dict[str, str]]:
    """Return a map of labels for each combination of values; None leaves the key out."""
    return [
        {key: value for key, value in zip(values, chosen, strict=True) if value is not None}
        for chosen in product(*values.values())
    ]


def with_hypothetical(of: Cluster) -> tuple[Cluster, list[Pod], list[Host]]:
    """Return a cluster with a pod of every combination of labels, in each namespace and in new ones, and with hosts."""
    spaces = dict(of.namespaces)
    for number, labels in enumerate(every_combination(SPACE_LABELS)):
        spaces[f"new-{number}"] = {**labels, NAMESPACE_LABEL: f"new-{number}"}
    example = next((one for one in of.pods if one.selectable and one.addresses), None)
    if example is None:
        return of, [], []
    ports = (ContainerPort(81, "TCP", "web"), ContainerPort(54, "UDP", "dns"))
    pods = [
        replace(example, namespace=space, name=f"new-{number}", labels=labels, ports=ports, workload="")
        for space in spaces
        for number, labels in enumerate(every_combination(POD_LABELS))
    ]
    texts = ("8.8.8.8", "10.0.0.9", "10.244.0.2", "10.244.0.77", "10.245.0.1", "192.0.2.9", "100.64.9.9")
    hosts = [Host(f"new-{number}", (ip_address(text),)) for number, text in enumerate(texts)]
    return replace(of, namespaces=spaces, pods=(*of.pods, *pods), hosts=(*of.hosts, *hosts)), pods, hosts
