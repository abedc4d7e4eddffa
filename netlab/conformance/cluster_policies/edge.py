"""An edge case of cluster-wide policies as a value, and shorthand for the policies of edge cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from netlab.conformance.base_cluster import HOST
from netlab.conformance.cases import Table
from netlab.conformance.cluster_policies.clusters import HOST_PODS, PODS
from netlab.conformance.cluster_policies.shorthand import Policy, Version
from netlab.conformance.shorthand import peer, policy, rule
from netlab.frozen import frozen
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.types import Document

CHOSEN = " (netlab's choice)"
"""The end of the name of a case whose answer the API leaves open."""
FAR = "host:far"
ENDS = (*PODS, HOST)
ALL_ENDS = (*PODS, *HOST_PODS, HOST, FAR)
A = "pods ns=x / pod=a"
PODS_TO_A = "* > x/a"
A_TO_PODS = "x/a > */*"
ONLY_Y = "* > x/a, ! y/* > x/a"

State = tuple[Sequence[Policy | Document], Mapping[str, str]]
"""The policies of a stage, and the denied cells of every asked port (see ``cases.table``)."""


@frozen
class Edge:
    """An edge case: its states, one after the other in one cluster.

    ``chosen``: the API leaves the verdict open, and it is netlab's. ``labels``, ``spaces`` and ``ports`` are those that
    differ from the cluster's. ``cells`` are asked beside those of the states.
    """

    number: int
    name: str
    states: tuple[State, ...]
    ends: tuple[str, ...] = ENDS
    chosen: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: Version = "v1beta1"
    cells: Table = field(default_factory=dict)


def _policy(
    tier: ClusterTier, priority: int, subject: str, ingress: Sequence[str], egress: Sequence[str], name: str
) -> Policy:
    return Policy(name, tier, priority, subject, tuple(ingress) or None, tuple(egress) or None)


def admin(*ingress: str, on: str = A, egress: Sequence[str] = (), at: int = 10, name: str = "p") -> Policy:
    """Return a policy of the tier Admin."""
    return _policy("Admin", at, on, ingress, egress, name)


def baseline(*ingress: str, on: str = A, egress: Sequence[str] = (), at: int = 10, name: str = "base") -> Policy:
    """Return a policy of the tier Baseline."""
    return _policy("Baseline", at, on, ingress, egress, name)


def np(ref: str, selector: str = "pod=a", *, ingress: str | None = None, egress: str | None = None) -> Document:
    """Return a NetworkPolicy; a direction has one rule for the pods of a selector in any namespace, or none for ""."""
    directions = {
        way: None if text is None else [rule(way, [peer(text, "")])] if text else []
        for way, text in (("ingress", ingress), ("egress", egress))
    }
    return policy(ref, selector, ingress=directions["ingress"], egress=directions["egress"])


DENY_ALL_IN = "Deny ns *"
ANYWHERE = "net 0.0.0.0/0 ::/0"
ISOLATED = np("x/n", ingress="")
Several = tuple[Edge, ...]
