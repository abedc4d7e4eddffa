"""The part of a tier of cluster-wide policies in an explanation: its policies and rules, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Cluster, Endpoint, Host, Pod
from netlab.errors import printable
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, ClusterTier, PodsPeer
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address
from netlab.policy.decision import Decision, Ruling, Side
from netlab.policy.reasons import service, where
from netlab.policy.tiers.cluster_policy import matches, peer_matches, port_matches, rule_text
from netlab.policy.tiers.tier import Tier

_MOST_MISSES = 10
_VERBS = {"allow": "allows it", "deny": "denies it", "pass": "passes it to the next tier"}


def lines(cluster: Cluster, tier: Tier, decision: Decision, side: Side) -> list[str]:
    """Return the policies that select the pod, in their order: the rule that decides, and why those before do not."""
    other, address, flow = decision.view(side)
    if address is None:
        return []
    found: list[str] = []
    missed = 0
    for policy in tier.selecting(cluster, side.direction, side.subject):
        of_policy: list[str] = []
        for rule in policy.rules(side.direction):
            if matches(cluster, rule, other, address, flow):
                of_policy.append(f"  {_rule(policy, rule)} {_VERBS[rule.action]}")
                return [*found, _policy(policy), *of_policy, *_left_out(missed)]
            if missed < _MOST_MISSES:
                why = _why_not(cluster, rule, other, address, decision, side)
                of_policy.append(f"  {_rule(policy, rule)} does not match: {why}")
            missed += 1
        if of_policy:
            found += [_policy(policy), *of_policy]
    return [*found, *_left_out(missed), "no rule matches it"]


def _policy(policy: ClusterPolicy) -> str:
    priority = "" if policy.kind == "BaselineAdminNetworkPolicy" else f", priority {policy.priority},"
    return f"{policy.ref}{where(policy)}{priority} selects it"


def _rule(policy: ClusterPolicy, rule: ClusterRule) -> str:
    return rule_text(policy, rule).removeprefix(f"{policy.ref} ")


def _left_out(missed: int) -> list[str]:
    return [f"and {missed - _MOST_MISSES} more rules do not match"] if missed > _MOST_MISSES else []


def _why_not(
    cluster: Cluster, rule: ClusterRule, other: Endpoint | None, address: Address, decision: Decision, side: Side
) -> str:
    flow = decision.view(side).flow
    end = other.ref if other is not None else str(address)
    peers = any(peer_matches(cluster, peer, other, address) for peer in rule.peers)
    ports = port_matches(rule, flow.protocol, flow.port, flow.destination)
    if peers and not ports:
        return f"{end} is a peer of it, but not on {service(flow)}"
    texts = list(dict.fromkeys(why for peer in rule.peers for why in _misses(cluster, peer, other, address)))
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return f"{end} is none of its peers: {'; '.join(texts[:3])}{more}"


def _misses(cluster: Cluster, peer: ClusterPeer, other: Endpoint | None, address: Address) -> Iterator[str]:
    if peer.pods is not None:
        yield _pods_miss(cluster, peer.pods, other)
    elif peer.networks:
        yield f"{address} is not in {', '.join(map(str, peer.networks[:3]))}{' …' if len(peer.networks) > 3 else ''}"
    elif peer.nodes is not None:
        yield f"it is not an address of a node with {peer.nodes}"
    else:
        names = ", ".join(map(printable, peer.domain_names[:3]))
        yield f"it is no host with the name {names}" if isinstance(other, Host) else "it is no outside host"


def _pods_miss(cluster: Cluster, peer: PodsPeer, other: Endpoint | None) -> str:
    if not isinstance(other, Pod):
        return "it is no pod"
    if not other.selectable:
        return "it is a host-network pod, which only networks and nodes match"
    if peer.namespaces is not None and not peer.namespaces.matches(cluster.namespaces[other.namespace]):
        return f"namespace {other.namespace} does not have {peer.namespaces}"
    return f"its labels do not have {peer.pods if peer.pods is not None else LabelSelector()}"


def to_allow(tier: ClusterTier, decision: Decision, side: Side) -> list[str]:
    """Return the changes that would allow a flow that the tier denies on a side."""
    return list(_changes(tier, decision, side, "Accept"))


def to_deny(tier: ClusterTier, decision: Decision, side: Side) -> list[str]:
    """Return the changes that would deny a flow that the tier allows on a side."""
    return list(_changes(tier, decision, side, "Deny"))


def _changes(tier: ClusterTier, decision: Decision, side: Side, action: str) -> Iterator[str]:
    ruling = side.ruling
    if not isinstance(ruling, Ruling) or not ruling.rule:
        return
    subject, asked = side.subject.ref, decision.asked(side)
    if tier == "Admin":
        about = f"{side.direction} of {side.subject.ref}"
        if action == "Accept":
            yield f"No NetworkPolicy can allow it: tier Admin decides about {about} first."
        else:
            yield f"A NetworkPolicy for {about} cannot deny it: tier Admin decides first."
    elif action == "Accept" and not decision.path.own_node:
        yield (
            f"add a NetworkPolicy in namespace {side.subject.namespace} that selects {subject} for {side.direction},"
            f" with a rule for {asked}: it decides before tier Baseline"
        )
    elif not decision.path.own_node:
        yield (
            f"add a NetworkPolicy in namespace {side.subject.namespace} that selects {subject} for {side.direction},"
            f" with no rule for {asked}: it decides before tier Baseline"
        )
    before = "" if not ruling.priority else f", or in a policy of tier {tier} with a priority below {ruling.priority}"
    word = "Allow" if action == "Accept" and ruling.policy and ruling.policy.kind != "ClusterNetworkPolicy" else action
    yield f"add a rule with action {word} for {asked} above {ruling.rule}{before}"
    yield f"or change {ruling.rule}"
