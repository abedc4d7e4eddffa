"""The plain reading of NetworkPolicy, pair by pair, to be checked against the Kubernetes documentation by eye.

The sentences that it follows (https://kubernetes.io/docs/concepts/services-networking/network-policies/):

* "By default, a pod is non-isolated for egress; all outbound connections are allowed. A pod is isolated for egress if
  there is any NetworkPolicy that both selects the pod and has 'Egress' in its policyTypes." The same for ingress.
* "Network policies do not conflict; they are additive. [...] the order of evaluation does not affect the result."
* "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and
  the ingress policy on the destination pod need to allow the connection."
* "A Pod cannot block access to itself", and traffic between a pod and its own node is always allowed.
"""

from __future__ import annotations

from dataclasses import replace

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path, path, path_to_address, path_to_published
from netlab.cluster.published import Published, behind
from netlab.cluster.types import Cluster, Endpoint, Node, Pod, address_of
from netlab.objects.types import Address, Direction, NetworkPolicy, Rule
from netlab.policy.decision import Decision, Match, Miss, Side
from netlab.policy.mismatch import peers_mismatch, ports_mismatch


def evaluate(cluster: Cluster, flow: Flow) -> Decision:
    """Return the expected verdict of one flow and what decided it.

    Raises:
      ValueError: if the flow has neither a destination nor an address.
    """
    if (one := publisher(cluster, flow)) is not None:
        return _to_published(cluster, flow, one.pod, one.port.port)
    way = way_of(cluster, flow)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod) and flow.address is not None:
        egress = _side(cluster, "egress", flow.source, flow.destination, flow.address, flow)
    if way.ingress_enforced and isinstance(flow.destination, Pod) and way.seen_as is not None:
        ingress = _side(cluster, "ingress", flow.destination, flow.source, way.seen_as, flow)

    return _decision(flow, way, egress, ingress)


def way_of(cluster: Cluster, flow: Flow) -> Path:
    """Return what the wiring does with a flow that no node publishes, and which sides' policies have a say in it.

    Raises:
      ValueError: if the flow has neither a destination nor an address.
    """
    if flow.destination is not None:
        way = path(cluster, flow.source, flow.destination, flow.family)
    elif flow.address is not None:
        way = path_to_address(cluster, flow.source, flow.address)
    else:
        raise ValueError("a flow needs a destination or an address")
    if flow.protocol != "ICMP" or cluster.policy.icmp != "allow":
        return way
    why = way.exempt or "ICMP always passes (spec.policy.icmp: allow)"
    return replace(way, egress_enforced=False, ingress_enforced=False, exempt=why)


def _decision(flow: Flow, way: Path, egress: Side | None, ingress: Side | None) -> Decision:
    allowed = (
        way.connected
        and (egress is None or egress.verdict == "allow")
        and (ingress is None or ingress.verdict == "allow")
    )
    return Decision(flow, "allow" if allowed else "deny", way, egress, ingress)


def publisher(cluster: Cluster, flow: Flow) -> Published | None:
    """Return the pod that publishes the port that a flow asks of a node, None where the node itself is asked."""
    asked = flow.destination
    if isinstance(asked, Pod) and asked.attachment != "host":
        return None
    if isinstance(asked, Node | Pod):
        node = asked.name if isinstance(asked, Node) else asked.node
        return behind(cluster, node, flow.address, flow.protocol, flow.port)
    return None


def _to_published(cluster: Cluster, flow: Flow, pod: Pod, port: int) -> Decision:
    """Judge a flow to a published port: after the node's DNAT, but for the egress of other nodes' pods."""
    node = cluster.node(pod.node)
    way = path_to_published(cluster, flow.source, node, pod, flow.family)
    after = replace(flow, destination=pod, address=address_of(pod, flow.family), port=port)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod):
        asked = after if flow.source.node == pod.node else replace(flow, destination=node)
        if asked.address is not None:
            egress = _side(cluster, "egress", flow.source, asked.destination, asked.address, asked)
    if way.ingress_enforced and way.seen_as is not None:
        # Who was masqueraded is, for the pod, the node as which he comes.
        own = way.seen_as in flow.source.addresses
        seen = flow.source if own or not isinstance(flow.source, Pod) else cluster.node(flow.source.node)
        ingress = _side(cluster, "ingress", pod, seen, way.seen_as, after)
    return _decision(flow, way, egress, ingress)


def isolating(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
    """Return the policies that select a pod and isolate it in a direction, sorted by name."""
    known: dict[tuple[str, str, str], tuple[NetworkPolicy, ...]] = cluster.memo.setdefault("policy.isolating", {})
    key = (direction, pod.namespace, pod.name)
    found = known.get(key)
    if found is None:
        found = known[key] = tuple(
            policy
            for policy in _policies_of(cluster).get(pod.namespace, ())
            if pod.selectable and policy.isolates(direction) and policy.pod_selector.matches(pod.labels)
        )
    return found


def _policies_of(cluster: Cluster) -> dict[str, list[NetworkPolicy]]:
    by_namespace: dict[str, list[NetworkPolicy]] | None = cluster.memo.get("policy.by_namespace")
    if by_namespace is None:
        by_namespace = cluster.memo["policy.by_namespace"] = {}
        for policy in cluster.policies:
            by_namespace.setdefault(policy.meta.namespace, []).append(policy)
    return by_namespace


def _side(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> Side:
    """Judge one side: ``address`` is that of the ``other`` end, as the subject's side sees it."""
    policies = isolating(cluster, subject, direction)
    if not policies:
        return Side(direction, subject)
    allowing: list[Match] = []
    misses: list[Miss] = []
    for policy in policies:
        rules = policy.rules(direction)
        if not rules:
            misses.append(Miss(policy, None, f"has no {direction} rules"))
        for rule in rules:
            why = _mismatch(cluster, policy, rule, other, address, flow)
            if why:
                misses.append(Miss(policy, rule, why))
            else:
                allowing.append(Match(policy, rule))
    return Side(direction, subject, policies, tuple(allowing), () if allowing else tuple(misses))


def _mismatch(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, other: Endpoint | None, address: Address, flow: Flow
) -> str:
    """Return the first thing in a rule that does not match, "" when it matches: peers AND ports."""
    # Whether a rule's peers match an endpoint is the same for every flow of that endpoint, and asked for each.
    known: dict[tuple[str, int, str, Address], str] = cluster.memo.setdefault("policy.peers", {})
    key = (policy.meta.namespace, id(rule), other.ref if other is not None else "", address)
    why = known.get(key)
    if why is None:
        why = known[key] = peers_mismatch(cluster, policy, rule, other, address)
    return why or ports_mismatch(rule, flow.destination, flow.protocol, flow.port)
