"""The two tiers of Cilium's policies around NetworkPolicy, with which they are a union.

Before NetworkPolicy, a deny rule that matches denies, else an allow rule that matches allows. After it, pods are denied
that a policy isolates in the direction. If a NetworkPolicy isolates the pod too, it has denied what no rule allows.

Source: Cilium documentation, "Policy Enforcement Modes" and "Deny Policies": "Deny policies take precedence over allow
policies, regardless of whether they are a Cilium Network Policy, a Clusterwide Cilium Network Policy or a Kubernetes
Network Policy."
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow
from netlab.cluster.node_addresses import is_node_address
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import NamedTuple
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction
from netlab.policy.decision import Decision, PolicyRuling, Ruling, Side
from netlab.policy.tiers.tier import OverSets, Reads, Tier

if TYPE_CHECKING:
    from netlab.objects.cilium_policies import CiliumPeer, CiliumPolicy, CiliumRule, CiliumSpec
    from netlab.objects.cluster_policies import PodsPeer
    from netlab.policy.set_evaluator import SetEvaluator

CILIUM, CILIUM_DEFAULT = "Cilium", "Cilium default"


class Selected(NamedTuple):
    """A spec that selects a pod, with its policy."""

    policy: CiliumPolicy
    spec: CiliumSpec


class CiliumTier(Tier):
    """The rules of Cilium's policies: deny rules first; a flow that no rule matches passes."""

    name = CILIUM

    def policies(self, cluster: Cluster) -> Sequence[CiliumPolicy]:
        return cluster.cilium_policies

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Selected, ...]:
        return tuple(one for one in _selecting(cluster, pod) if one.spec.rules(direction))

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling:
        return self.judge_for(cluster, direction, subject)(other, address, flow)

    def judge_for(self, cluster: Cluster, direction: Direction, subject: Pod) -> Callable[..., Ruling]:
        selecting = self.selecting(cluster, direction, subject)
        rules = [(one.policy, rule) for one in selecting for rule in one.spec.rules(direction)]
        # Deny rules first. The sort keeps the order of rules alike.
        rules.sort(key=lambda one: not one[1].denies)
        passing = Ruling(self.name, "pass")

        def judge(other: Endpoint | None, address: Address, flow: Flow) -> Ruling:
            for policy, rule in rules:
                if matches(cluster, rule, other, address, flow):
                    return ruling_of(policy, rule)
            return passing

        return judge

    def reads(self, cluster: Cluster) -> Reads:
        specs = [spec for policy in self.policies(cluster) for spec in policy.specs]
        rules = [rule for spec in specs for rule in (*spec.ingress, *spec.egress)]
        peers = [peer for rule in rules for peer in rule.peers]
        pods = [spec.subject for spec in specs] + [peer.pods for peer in peers if peer.pods is not None]
        blocks = [peer.block for peer in peers if peer.block is not None]
        return Reads(
            [one.pods for one in pods if one.pods is not None],
            [prefix for block in blocks for prefix in (block.cidr, *block.excepts)],
            ports=[port for rule in rules for port in rule.ports],
        )

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        from netlab.policy.tiers.cilium_sets import CiliumSets

        return CiliumSets(self, sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        found = [
            f"{policy.ref}{_line(policy, spec)} selects it"
            for policy, spec in self.selecting(cluster, side.direction, side.subject)
        ]
        return [*found, *super().lines(cluster, decision, side, ruling)]

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        rule = side.ruling.rule if isinstance(side.ruling, Ruling) else ""
        return [f"change {rule}", "No other rule can allow it: deny rules have precedence."]

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        rule = side.ruling.rule if isinstance(side.ruling, Ruling) else ""
        return [f"add a rule to {side.direction}Deny for {decision.asked(side)}", f"or change {rule}"]


class CiliumDefaultTier(Tier):
    """The default deny of Cilium's policies: it denies what no rule and no NetworkPolicy allows."""

    name = CILIUM_DEFAULT

    def policies(self, cluster: Cluster) -> Sequence[CiliumPolicy]:
        return cluster.cilium_policies

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Selected, ...]:
        return tuple(one for one in _selecting(cluster, pod) if direction in one.spec.isolates)

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling:
        isolating = self.selecting(cluster, direction, subject)
        return isolation(isolating[0]) if isolating else Ruling(self.name, "pass")

    def reads(self, cluster: Cluster) -> Reads:
        subjects = [spec.subject.pods for policy in self.policies(cluster) for spec in policy.specs]
        return Reads([one for one in subjects if one is not None])

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        from netlab.policy.tiers.cilium_sets import CiliumDefaultSets

        return CiliumDefaultSets(self, sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        isolating = self.selecting(cluster, side.direction, side.subject)
        return [f"{policy.ref}{_line(policy, spec)} isolates it, and no rule allows it" for policy, spec in isolating]

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        ruling = side.ruling
        of = ruling.rule if isinstance(ruling, Ruling) else ""
        return [f"add a rule to {side.direction} of {of} for {decision.asked(side)}"]


def ruling_of(policy: CiliumPolicy, rule: CiliumRule) -> Ruling:
    """Return the ruling of a rule that matches."""
    return Ruling(CILIUM, "deny" if rule.denies else "allow", rule_text(policy, rule))


def isolation(one: Selected) -> Ruling:
    """Return the ruling of a spec that isolates, about what no rule allows."""
    return Ruling(CILIUM_DEFAULT, "deny", f"{one.policy.ref}{_line(*one)}")


def isolated_spaces(cluster: Cluster) -> set[tuple[str, Direction]]:
    """Return the namespaces whose pods are all isolated by a policy of Cilium, each with a direction."""
    return {
        (name, direction)
        for one in specs(cluster)
        if one.spec.subject.pods is None
        for name, labels in cluster.namespaces.items()
        if _fits(one.spec.subject.namespaces, labels)
        for direction in one.spec.isolates
    }


def rule_text(policy: CiliumPolicy, rule: CiliumRule) -> str:
    """Return the kind and name of a policy with the path and line of one of its rules."""
    return f"{policy.ref} {rule.path}{_line(policy, rule)}"


def _line(policy: CiliumPolicy, part: CiliumSpec | CiliumRule) -> str:
    line = policy.source.line(part.path)
    return f" ({policy.source.file}:{line})" if line else ""


def specs(cluster: Cluster) -> Sequence[Selected]:
    """Return the specs of all policies: always the same objects."""
    known: list[Selected] | None = cluster.memo.get("policy.cilium.specs")
    if known is None:
        known = [Selected(policy, spec) for policy in cluster.cilium_policies for spec in policy.specs]
        cluster.memo["policy.cilium.specs"] = known
    return known


def _selecting(cluster: Cluster, pod: Pod) -> tuple[Selected, ...]:
    """Return the specs that select a pod: the same objects for all pods."""
    if not cluster.understood or not pod.selectable:
        return ()
    # By what selectors read: pods of one workload are selected alike. An id is that of a mapping that the pod keeps.
    known: dict[object, tuple[Selected, ...]] = cluster.memo.setdefault("policy.cilium.selecting", {})
    key = (pod.namespace, id(pod.labels))
    if key not in known:
        known[key] = tuple(one for one in specs(cluster) if _has(cluster, one.spec.subject, pod))
    return known[key]


def _has(cluster: Cluster, peer: PodsPeer, pod: Pod) -> bool:
    return _fits(peer.namespaces, cluster.namespaces[pod.namespace]) and _fits(peer.pods, pod.labels)


def _fits(selector: LabelSelector | None, labels: object) -> bool:
    return selector is None or selector.matches(labels)  # type: ignore[arg-type]


def matches(cluster: Cluster, rule: CiliumRule, other: Endpoint | None, address: Address, flow: Flow) -> bool:
    """Say whether a rule matches a flow: one of its peers, and one of its ports if it has any."""
    if not is_on(rule, flow.protocol, flow.port):
        return False
    return any(peer_matches(cluster, peer, other, address) for peer in rule.peers)


def is_on(rule: CiliumRule, protocol: str, port: int | None) -> bool:
    """Say whether a rule is about a protocol and port."""
    return not rule.ports or (port is not None and any(_has_port(one, protocol, port) for one in rule.ports))


def _has_port(port: PolicyPort, protocol: str, number: int) -> bool:
    if port.protocol != protocol or not isinstance(port.port, int):
        return False
    return port.port <= number <= (port.end_port or port.port)


def peer_matches(cluster: Cluster, peer: CiliumPeer, other: Endpoint | None, address: Address) -> bool:
    """Say whether a peer matches the other end of a flow, or its address."""
    is_pod = isinstance(other, Pod) and other.selectable
    if peer.pods is not None:
        return isinstance(other, Pod) and is_pod and _has(cluster, peer.pods, other)
    if peer.place == "everywhere":
        return True
    is_node = not is_pod and is_node_address(cluster, address)
    if peer.place == "nodes":
        return is_node
    return not is_pod and not is_node and (peer.block is None or peer.block.contains(address))
