"""The tier of NetworkPolicy, written so that a reader can compare it with the Kubernetes documentation.

``netlab.policy.evaluate`` has the sentences that it follows. The tier decides for a pod that some policy isolates in a
direction, and passes for all other pods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Address, Direction
from netlab.policy.decision import NETWORK_POLICY, Decision, Match, Miss, PolicyRuling, Ruling, Side
from netlab.policy.isolating import isolating
from netlab.policy.matching import matching_peer, peers_mismatch_text, ports_match, ports_mismatch_text
from netlab.policy.meaning import is_changed, policies_meant, policies_read, selection_text, settings_of
from netlab.policy.peer_lookup import first_peer
from netlab.policy.service_egress import SETTING, service_at, service_peer
from netlab.policy.tiers.tier import Judge, OverSets, Reads, Tier

if TYPE_CHECKING:
    from netlab.objects.services import Service
    from netlab.policy.set_evaluator import SetEvaluator


class NetworkPolicyTier(Tier):
    """Policies are additive: an isolated pod is allowed what any rule of any policy that selects it allows, no more."""

    name = NETWORK_POLICY

    def policies(self, cluster: Cluster) -> Sequence[NetworkPolicy]:
        return policies_meant(cluster)

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[NetworkPolicy, ...]:
        return isolating(cluster, pod, direction)

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling | PolicyRuling:
        return self.judge_for(cluster, direction, subject)(other, address, flow)

    def judge_for(self, cluster: Cluster, direction: Direction, subject: Pod) -> Judge:
        isolated = isolating(cluster, subject, direction)
        alone = PolicyRuling(isolated, (), selection_text(cluster, isolated, subject))
        rules, changed, known, same = _rules_of(cluster, direction, isolated)
        if direction == "ingress" and not same:
            # A named port is another number on each subject, which is the destination of all flows here.
            known, same = {}, True

        def judge(other: Endpoint | None, address: Address, flow: Flow) -> PolicyRuling:
            asked = (flow.protocol, flow.port)
            matches = known.get(asked)
            if matches is None:
                matches = [m for m in rules if ports_match(m.rule, flow.destination, *asked)]
                if same:
                    known[asked] = matches
            allowing = [
                _at(cluster, match, peer)
                for match in matches
                if (peer := first_peer(cluster, match.policy, match.rule, other, address)) is not None
            ]
            if changed and (text := _decided_by(cluster, changed, allowing, other, address, flow)):
                return PolicyRuling(alone.isolating, tuple(allowing), text)
            return PolicyRuling(alone.isolating, tuple(allowing)) if allowing else alone

        if direction == "egress" and cluster.policy.service_egress == "pre-dnat":
            return _by_cluster_ip(cluster, rules, alone, judge)
        return judge

    def reads(self, cluster: Cluster) -> Reads:
        policies = policies_read(cluster)
        rules = [rule for p in policies for rule in (*p.ingress, *p.egress)]
        peers = [peer for rule in rules for peer in rule.peers]
        blocks = [peer.ip_block for peer in peers if peer.ip_block is not None]
        return Reads(
            [p.pod_selector for p in policies] + [p.pod_selector for p in peers if p.pod_selector is not None],
            [prefix for block in blocks for prefix in (block.cidr, *block.excepts)],
            cluster.policy.host_network_peers == "match",
            (item for rule in rules for item in rule.ports),
        )

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        from netlab.policy.tiers.networkpolicy_sets import NetworkPolicySets

        return NetworkPolicySets(sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        from netlab.policy.tiers.networkpolicy_text import lines

        return lines(cluster, decision, side)

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        from netlab.policy.tiers.networkpolicy_text import to_allow

        return to_allow(decision, side)

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        from netlab.policy.tiers.networkpolicy_text import to_deny

        return to_deny(decision, side)


def _rules_of(
    cluster: Cluster, direction: Direction, isolated: tuple[NetworkPolicy, ...]
) -> tuple[list[Match], list[Match], dict[tuple[str, int | None], Sequence[Match]], bool]:
    """Return the rules of policies, those that are changed, a place for the rules of each port, and if it holds.

    Pods with the same policies share all of it, as a policy may have thousands of rules. The place holds for all
    destinations if no rule has a named port.
    """
    # By identity: ``isolating`` keeps one tuple of equal policies.
    found: dict[tuple[Direction, int], Any] = cluster.memo.setdefault("policy.rules_of", {})
    key = (direction, id(isolated))
    if key not in found:
        rules = [Match(policy, rule) for policy in isolated for rule in policy.rules(direction)]
        named = any(isinstance(item.port, str) for match in rules for item in match.rule.ports)
        found[key] = isolated, (rules, [match for match in rules if is_changed(match.rule)], {}, not named)
    shared: tuple[list[Match], list[Match], dict[tuple[str, int | None], Sequence[Match]], bool] = found[key][1]
    return shared


def _at(cluster: Cluster, match: Match, peer: int) -> Match:
    """Return the match of one item of a rule's peers: one object for all flows, as it keeps its text."""
    known: dict[tuple[int, int, int], Match] = cluster.memo.setdefault("policy.matches", {})
    key = (id(match.policy), id(match.rule), peer)
    found = known.get(key)
    if found is None:
        found = known[key] = Match(match.policy, match.rule, peer)
    return found


def misses(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> tuple[Miss, ...]:
    """Return every rule that does not match a flow, and why, of the policies that isolate a pod."""
    found: list[Miss] = []
    for policy in isolating(cluster, subject, direction):
        rules = policy.rules(direction)
        if not rules:
            found.append(Miss(policy, None, f"has no {direction} rules"))
        service = service_at(cluster, address) if direction == "egress" and other is None else None
        for rule in rules:
            if service is not None:
                if _service_match(cluster, Match(policy, rule), service, address, flow) is None:
                    found.append(Miss(policy, rule, f"it does not allow Service {service.meta.key} ({SETTING})"))
                continue
            why = peers_mismatch_text(cluster, policy, rule, other, address)
            why = why or ports_mismatch_text(rule, flow.destination, flow.protocol, flow.port)
            if why:
                by_setting = is_changed(rule) and _written_matches(cluster, Match(policy, rule), other, address, flow)
                found.append(Miss(policy, rule, why + (settings_of(rule) if by_setting else "")))
    return tuple(found)


def _written_matches(cluster: Cluster, match: Match, other: Endpoint | None, address: Address, flow: Flow) -> bool:
    """Say whether a changed rule would match a flow as the input has it."""
    from netlab.objects.changed_policies import written_policy, written_rule

    rule, policy = written_rule(match.rule), written_policy(match.policy) or match.policy
    if not ports_match(rule, flow.destination, flow.protocol, flow.port):
        return False
    return matching_peer(cluster, policy, rule, other, address) is not None


def _by_cluster_ip(cluster: Cluster, rules: Sequence[Match], alone: PolicyRuling, usual: Judge) -> Judge:
    """Return a judge that reads peers as Services too; ``usual`` judges all that is not sent to a cluster IP."""

    def judge(other: Endpoint | None, address: Address, flow: Flow) -> Ruling | PolicyRuling:
        service = service_at(cluster, address) if other is None else None
        if service is None:
            return usual(other, address, flow)
        allowing = [
            _at(cluster, match, peer)
            for match in rules
            if (peer := _service_match(cluster, match, service, address, flow)) is not None
        ]
        return PolicyRuling(alone.isolating, tuple(allowing)) if allowing else alone

    return judge


def _service_match(cluster: Cluster, match: Match, service: Service, address: Address, flow: Flow) -> int | None:
    """Return the number of the first peer that allows a flow to a cluster IP, None if none does."""
    asked = (flow.protocol, flow.port)
    by_selector = service_peer(cluster, match.policy, match.rule, service, *asked)
    if not ports_match(match.rule, None, *asked):
        return by_selector
    by_address = first_peer(cluster, match.policy, match.rule, None, address)
    return min((number for number in (by_selector, by_address) if number is not None), default=None)


def _decided_by(
    cluster: Cluster,
    changed: Sequence[Match],
    allowing: Sequence[Match],
    other: Endpoint | None,
    address: Address,
    flow: Flow,
) -> str:
    """Return, as text, the settings without which the changed rules would decide otherwise; "" if there are none."""
    if allowing:
        first = allowing[0]
        if not is_changed(first.rule) or _written_matches(cluster, first, other, address, flow):
            return ""
        return settings_of(first.rule)
    return next((settings_of(m.rule) for m in changed if _written_matches(cluster, m, other, address, flow)), "")
