"""Cluster-wide policies in pictures and reports: their tier, priority, subject and rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.cluster.types import Cluster
from netlab.objects.cluster_policies import ClusterPolicy, ClusterRule
from netlab.objects.types import DIRECTIONS
from netlab.policy.cluster_selections import peer_text, subject_text
from netlab.policy.reasons import where
from netlab.policy.tiers.cluster_policy import TIERS, in_order

_WORDS = {"ingress": ("in", "from"), "egress": ("out", "to")}
_ACTIONS = {"allow": "accept", "deny": "deny", "pass": "pass"}
_FEW = 3


def in_their_order(cluster: Cluster) -> list[ClusterPolicy]:
    """Return the cluster-wide policies: those of tier Admin first, and in each tier the first to decide first."""
    return [policy for tier in TIERS for policy in in_order(cluster, tier)] if cluster.cluster_policies else []


def tier_line(policy: ClusterPolicy) -> str:
    """Return the tier and priority of a policy; a BaselineAdminNetworkPolicy has no priority."""
    if policy.kind == "BaselineAdminNetworkPolicy":
        return f"tier {policy.tier}"
    return f"tier {policy.tier}, priority {policy.priority}"


def subject_line(policy: ClusterPolicy) -> str:
    """Return the pods that a policy judges."""
    return f"selects {subject_text(policy.subject)}"


def cluster_rule_lines(policy: ClusterPolicy, *, most: int = _FEW, places: bool = False) -> Iterator[str]:
    """Yield a line for each rule, in order: ``in: deny 80/TCP from pods with app=web of every namespace``.

    ``most`` is the most ports and the most peers. ``places``: each line ends with the file and line of the rule.
    """
    for direction in DIRECTIONS:
        word, towards = _WORDS[direction]
        for rule in policy.rules(direction):
            ports = _some(", ", _ports(rule), most) or "every port"
            peers = _some(" or ", [peer_text(peer) for peer in rule.peers], most)
            place = where(policy, rule) if places else ""
            yield f"{word}: {_ACTIONS[rule.action]} {ports} {towards} {peers}{place}"


def _ports(rule: ClusterRule) -> list[str]:
    found = []
    for port in rule.ports:
        last = f"-{port.end_port}" if port.end_port and port.end_port != port.port else ""
        found.append(port.port if isinstance(port.port, str) else f"{port.port}{last}/{port.protocol}")
    return found


def _some(between: str, texts: Sequence[str], most: int) -> str:
    if len(texts) <= most:
        return between.join(texts)
    return f"{between.join(texts[: most - 1])} and {len(texts) - most + 1} more"
