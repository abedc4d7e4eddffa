"""The text of a NetworkPolicy in pictures and reports: what it selects, and a line for each rule."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.matched_pods import pods_matched

_WORDS = {"ingress": ("in", "from"), "egress": ("out", "to")}
_EVERYTHING = LabelSelector()
_FEW = 3


def selects_line(policy: NetworkPolicy) -> str:
    """Return which pods of its namespace a policy selects."""
    return "selects every pod" if policy.pod_selector == _EVERYTHING else f"selects {policy.pod_selector}"


def rule_lines(cluster: Cluster, policy: NetworkPolicy) -> Iterator[tuple[str, Rule | None]]:
    """Yield a line for each rule, with the rule: ``in: 80/TCP from app=web``; without rules ``in: nothing``."""
    for direction in DIRECTIONS:
        if not policy.isolates(direction):
            continue
        word, _ = _WORDS[direction]
        rules = policy.rules(direction)
        if not rules:
            yield f"{word}: nothing", None
        for rule in rules:
            yield f"{word}: {rule_text(cluster, policy, rule, direction)}", rule


def rule_text(cluster: Cluster, policy: NetworkPolicy, rule: Rule, direction: Direction, *, most: int = _FEW) -> str:
    """Return what a rule allows: ``80/TCP, 443/TCP from app=web or 10.0.0.0/8``.

    ``most`` is the most ports and the most peers; the text has the number of the others.
    """
    _, word = _WORDS[direction]
    ports = _some(", ", [port_text(item) for item in rule.ports], most)
    peers = _some(" or ", [peer_text(cluster, policy, peer) for peer in rule.peers], most)
    if not (ports or peers):
        return "everything"
    return f"{ports or 'every port'} {word} {peers or 'anywhere'}"


def port_text(item: PolicyPort) -> str:
    """Return one item of ``ports``: ``80/TCP``, ``http/TCP``, ``8000-8100/TCP``, ``every UDP port``."""
    if item.port is None:
        return f"every {item.protocol} port"
    last = f"-{item.end_port}" if item.end_port else ""
    return f"{item.port}{last}/{item.protocol}"


def peer_text(cluster: Cluster, policy: NetworkPolicy, peer: Peer) -> str:
    """Return one item of ``from`` or ``to``; it says so if no pod matches.

    The policy's own namespace has no name in it, so that alike policies of two namespaces have one text.
    """
    if peer.ip_block is not None:
        return _block_text(peer.ip_block)
    where = _namespaces_text(policy, peer.namespace_selector)
    if peer.pod_selector is None or peer.pod_selector == _EVERYTHING:
        text = where or "its namespace"
    else:
        text = f"{peer.pod_selector} of {where}" if where else str(peer.pod_selector)
    return text if pods_matched(cluster, policy, peer) else f"{text} (no pod)"


def _namespaces_text(policy: NetworkPolicy, selector: LabelSelector | None) -> str:
    """Return the namespaces of a namespaceSelector, "" for the policy's own."""
    if selector is None:
        return ""
    if selector == _EVERYTHING:
        return "every namespace"
    if not selector.match_expressions and [key for key, _ in selector.match_labels] == [NAMESPACE_LABEL]:
        name = selector.match_labels[0][1]
        return "its namespace" if name == policy.meta.namespace else f"namespace {name}"
    return f"namespaces {selector}"


def _block_text(block: IPBlock) -> str:
    but = f" except {_some(', ', list(map(str, block.excepts)), _FEW)}" if block.excepts else ""
    return f"{block.cidr}{but}"


def _some(between: str, texts: list[str], most: int) -> str:
    """Return at most ``most`` texts: the first ones, and the number of the others."""
    if len(texts) <= most:
        return between.join(texts)
    return f"{between.join(texts[: most - 1])} and {len(texts) - most + 1} more"
