"""Warnings about the order of cluster-wide policies: rules that are never reached, equal priorities that matter.

A rule is never reached if earlier rules match all that it matches, whatever pods there will be: one rule, or several
that each take whole peers on whole ports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, PodsPeer, is_named
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Direction, Prefix
from netlab.policy.isolating import isolating
from netlab.policy.label_sets import LabelSet, labels_of
from netlab.policy.problems import warning
from netlab.policy.tiers.cluster_peers import cluster_peers
from netlab.policy.tiers.cluster_policy import NumberedRule, numbered, place_of, rule_text
from netlab.policy.tiers.tier import Tier

_DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


# The most peers and ports of a rule that are looked for one by one, and the most rules that a warning names.
_MOST_PARTS, _MOST_NAMED = 30, 4


def order_warnings(cluster: Cluster, tier: Tier) -> Iterator[Problem]:
    """Yield warnings about the order of a tier's policies."""
    yield from _never_reached(cluster, tier.policies(cluster))
    if tier.name == "Baseline":
        yield from _left_out(cluster, tier.policies(cluster))
    places = [place_of(cluster, policy) for policy in tier.policies(cluster)]
    if len({*places}) < len(places):
        from netlab.policy.equal_priorities import equal_priorities

        yield from equal_priorities(cluster, tier)


def _never_reached(cluster: Cluster, policies: Sequence[ClusterPolicy]) -> Iterator[Problem]:
    covers = _Covers(cluster)
    for direction in _DIRECTIONS:
        before: list[NumberedRule] = []
        for policy in policies:
            own: list[NumberedRule] = []
            for rule in policy.rules(direction):
                one = numbered(cluster, policy, rule)
                earlier = next((other for other in (*before, *own) if covers.taken(other, one)), None)
                if earlier is not None:
                    what = _earlier(policy, earlier)
                    message = f"is never reached: {what} matches all that it matches; remove it, or move it up"
                    yield warning(policy, rule.path, message, "never-reached")
                elif together := _together(covers, [*before, *own], one):
                    what = " and ".join(_earlier(policy, other) for other in together)
                    message = f"is never reached: {what} together match all that it matches; remove it, or move it up"
                    yield warning(policy, rule.path, message, "never-reached")
                own.append(one)
            before += own


def _together(covers: _Covers, earlier: Sequence[NumberedRule], later: NumberedRule) -> list[NumberedRule]:
    """Return earlier rules that take each peer of a rule on each of its ports; none if one is left, or for too many."""
    rule = later.rule
    each_port: list[tuple[PolicyPort, ...]] = [(one,) for one in rule.ports] or [()]
    parts = [(peer, ports) for peer in rule.peers for ports in each_port]
    if not 1 < len(parts) <= _MOST_PARTS:
        return []
    found: list[NumberedRule] = []
    for peer, ports in parts:
        part = later._replace(rule=replace(rule, peers=(peer,), ports=ports))
        by = next((one for one in (*found, *earlier) if covers.taken(one, part)), None)
        if by is None:
            return []
        if by not in found:
            found.append(by)
    return found if len(found) <= _MOST_NAMED else []


def _earlier(policy: ClusterPolicy, earlier: NumberedRule) -> str:
    text = rule_text(earlier.policy, earlier.rule)
    return text.removeprefix(f"{policy.ref} ") if earlier.policy is policy else text


class _Covers:
    """Says which rules match all that others match. Each pair of different selectors is compared once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._numbers = cluster_peers(cluster).numbers
        self._peers: list[PodsPeer] = list(self._numbers)
        self._sets: dict[object, LabelSet] = {}
        self._known: dict[tuple[object, object], bool] = {}
        self._containing: dict[int, int] = {}

    def taken(self, earlier: NumberedRule, later: NumberedRule) -> bool:
        """Say whether an earlier rule takes all that a later one matches, for every pod that the later one selects."""
        if not _ports_within(later.rule.ports, earlier.rule.ports):
            return False
        if earlier.policy is not later.policy:
            if place_of(self._cluster, earlier.policy) == place_of(self._cluster, later.policy):
                # Which of them comes first is not defined.
                return False
            if not self._containing_of(later.policy.subject) & 1 << self._numbers[earlier.policy.subject]:
                return False
        return all(self._peer_within(peer, earlier) for peer in later.rule.peers)

    def _peer_within(self, peer: ClusterPeer, earlier: NumberedRule) -> bool:
        networks = [prefix for one in earlier.others for prefix in one.networks]
        everywhere = {prefix.version for prefix in networks if not prefix.prefixlen} >= {*self._cluster.families}
        if everywhere:
            return True
        if peer.pods is not None:
            return bool(self._containing_of(peer.pods) & earlier.pods)
        if peer.networks:
            return all(any(_within(one, other) for other in networks) for one in peer.networks)
        if peer.nodes is not None:
            return any(one.nodes is not None and self._selects_less(peer.nodes, one.nodes) for one in earlier.others)
        names = [name for one in earlier.others for name in one.domain_names]
        return all(any(_name_within(name, other) for other in names) for name in peer.domain_names)

    def _containing_of(self, peer: PodsPeer) -> int:
        """Return the subjects and peers that match every pod that a peer matches."""
        number = self._numbers[peer]
        if number not in self._containing:
            self._containing[number] = sum(
                1 << at
                for at, other in enumerate(self._peers)
                if self._selects_less(peer.namespaces, other.namespaces) and self._selects_less(peer.pods, other.pods)
            )
        return self._containing[number]

    def _selects_less(self, one: object, other: object) -> bool:
        if (one, other) not in self._known:
            self._known[one, other] = self._labels(one).within(self._labels(other))
        return self._known[one, other]

    def _labels(self, selector: object) -> LabelSet:
        if selector not in self._sets:
            self._sets[selector] = labels_of(selector)
        return self._sets[selector]


def _within(one: Prefix, other: Prefix) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def _name_within(name: str, other: str) -> bool:
    """Say whether a name of ``domainNames`` stands for no host that another one does not stand for."""
    if name.startswith("*."):
        wanted = name.lower().rstrip(".")
        known = other.lower().rstrip(".")
        return known.startswith("*.") and (wanted == known or wanted.endswith(known[1:]))
    return is_named(name, other)


def _ports_within(ports: Sequence[PolicyPort], others: Sequence[PolicyPort]) -> bool:
    if not others:
        return True
    return bool(ports) and all(any(_port_within(port, other) for other in others) for port in ports)


def _port_within(port: PolicyPort, other: PolicyPort) -> bool:
    if isinstance(port.port, str) or isinstance(other.port, str):
        return port.port == other.port
    if port.port is None or other.port is None or port.protocol != other.protocol:
        return False
    return other.port <= port.port and (port.end_port or port.port) <= (other.end_port or other.port)


def _left_out(cluster: Cluster, policies: Sequence[ClusterPolicy]) -> Iterator[Problem]:
    """Yield warnings about policies of the tier Baseline that NetworkPolicy leaves no pod to."""
    peers = cluster_peers(cluster)
    for policy in policies:
        subject = 1 << peers.numbers[policy.subject]
        pods = [pod for pod in cluster.pods if peers.of(pod) & subject]
        for direction in _DIRECTIONS:
            if not pods or not policy.rules(direction):
                continue
            if all(isolating(cluster, pod, direction) for pod in pods):
                count = "the pod that it selects" if len(pods) == 1 else f"each of the {len(pods)} pods that it selects"
                message = f"judges no pod: NetworkPolicies isolate {count} for {direction}, and decide before it"
                yield warning(policy, f"spec.{direction}", message, "never-reached")
