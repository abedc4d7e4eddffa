"""The plain reading of NetworkPolicy, pair by pair, to be checked against the Kubernetes documentation by eye.

The sentences that it follows (https://kubernetes.io/docs/concepts/services-networking/network-policies/):

* "By default, a pod is non-isolated for egress; all outbound connections are allowed. A pod is isolated for egress if
  there is any NetworkPolicy that both selects the pod and has 'Egress' in its policyTypes." The same for ingress.
* "Network policies do not conflict; they are additive. [...] the order of evaluation does not affect the result."
* "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and
  the ingress policy on the destination pod need to allow the connection."
* "A Pod cannot block access to itself", and traffic between a pod and its own node is always allowed.

Where there are policies that it does not read (``netlab.objects.unread``), a verdict that one of them could change is
``unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path, path, path_to_address, path_to_published
from netlab.cluster.published import Published, behind
from netlab.cluster.types import Cluster, Endpoint, Node, Pod, address_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Address, Direction
from netlab.policy.decision import Decision, Match, Miss, Open, Side, View
from netlab.policy.mismatch import peers_missed, ports_mismatch
from netlab.policy.unread import changing
from netlab.policy.wide import first_peer

_T = TypeVar("_T")
_Judge = Callable[[Cluster, Direction, Pod, Endpoint | None, Address, Flow], _T]
"""Says something of one side: of its pod, the other end, that end's address as the side sees it, and what is asked."""


def evaluate(cluster: Cluster, flow: Flow) -> Decision:
    """Return the expected verdict of one flow and what decided it.

    Raises:
      ValueError: if the flow has neither a destination nor an address.
    """
    published = publisher(cluster, flow)
    way, egress, ingress = _sides(cluster, flow, published, _side)
    allowed = (
        way.connected
        and (egress is None or egress.verdict == "allow")
        and (ingress is None or ingress.verdict == "allow")
    )
    decision = Decision(flow, "allow" if allowed else "deny", way, egress, ingress)
    if published is not None:
        decision = decision._replace(translated=_sides(cluster, flow, published, _view)[1:])
    return _with_unread(cluster, decision, published) if cluster.unread else decision


def _with_unread(cluster: Cluster, decision: Decision, published: Published | None) -> Decision:
    """Return the decision that is left when policies that netlab does not read could change it.

    They may be enforced wherever packets have a way between two network namespaces: on macvlan networks too
    (MultiNetworkPolicy), and between a pod and its own node (Calico, Cilium).
    """
    flow, way = decision.flow, decision.path
    if not way.connected or way.local or flow.destination is None:
        return decision
    inside = isinstance(flow.destination, Pod) and flow.destination.selectable
    ends: list[tuple[Direction, Side | None, Endpoint]] = [
        ("egress", decision.egress, flow.source),
        ("ingress", decision.ingress, published.pod if published is not None else flow.destination),
    ]
    found: list[Open] = []
    for direction, side, end in ends:
        settled = "allow" if side is None else side.verdict
        policies = changing(cluster, direction, end, settled, flow.protocol, inside=inside)
        if published is not None and direction == "ingress" and settled == "allow":
            policies += changing(cluster, direction, flow.destination, settled, flow.protocol, inside=inside)
        if policies:
            found.append(Open(direction, end, settled, policies))
        elif settled == "deny":
            return decision
    return decision._replace(verdict="unknown", unknown=tuple(found)) if found else decision


def misses(cluster: Cluster, flow: Flow) -> dict[Direction, tuple[Miss, ...]]:
    """Return, for each side that has a say, every rule that does not match a flow, and why.

    It is asked for explanations only: in a cluster of any size, verdicts need a fraction of these words.
    """
    _, egress, ingress = _sides(cluster, flow, publisher(cluster, flow), _misses)
    return {"egress": egress or (), "ingress": ingress or ()}


def _sides(
    cluster: Cluster, flow: Flow, published: Published | None, judge: _Judge[_T]
) -> tuple[Path, _T | None, _T | None]:
    """Return the way of a flow, and what a judge says of its egress and of its ingress, where those have a say."""
    if published is not None:
        return _sides_of_published(cluster, flow, published.pod, published.port.port, judge)
    way = way_of(cluster, flow)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod) and flow.address is not None:
        egress = judge(cluster, "egress", flow.source, _far_end(flow), flow.address, flow)
    if way.ingress_enforced and isinstance(flow.destination, Pod) and way.seen_as is not None:
        ingress = judge(cluster, "ingress", flow.destination, flow.source, way.seen_as, flow)
    return way, egress, ingress


def _far_end(flow: Flow) -> Endpoint | None:
    """Return what the egress side sees a flow go to: a node by its underlay addresses only, not by a gateway's."""
    end = flow.destination
    return None if isinstance(end, Node) and flow.address not in end.addresses else end


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


def publisher(cluster: Cluster, flow: Flow) -> Published | None:
    """Return the pod that publishes the port that a flow asks of a node, None where the node itself is asked."""
    asked = flow.destination
    if isinstance(asked, Pod) and not asked.host_network:
        return None
    if isinstance(asked, Node | Pod):
        node = asked.name if isinstance(asked, Node) else asked.node
        return behind(cluster, node, flow.address, flow.protocol, flow.port)
    return None


def _sides_of_published(
    cluster: Cluster, flow: Flow, pod: Pod, port: int, judge: _Judge[_T]
) -> tuple[Path, _T | None, _T | None]:
    """Judge a flow to a published port: after the node's DNAT, but for the egress of other nodes' pods."""
    node = cluster.node(pod.node)
    way = path_to_published(cluster, flow.source, node, pod, flow.family)
    after = flow._replace(destination=pod, address=address_of(pod, flow.family), port=port)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod):
        asked = after if flow.source.node == pod.node else flow._replace(destination=node)
        if asked.address is not None:
            egress = judge(cluster, "egress", flow.source, asked.destination, asked.address, asked)
    if way.ingress_enforced and way.seen_as is not None:
        # Who was masqueraded is, for the pod, the node as which he comes.
        own = way.seen_as in flow.source.addresses
        seen = flow.source if own or not isinstance(flow.source, Pod) else cluster.node(flow.source.node)
        ingress = judge(cluster, "ingress", pod, seen, way.seen_as, after)
    return way, egress, ingress


def isolating(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
    """Return the policies that select a pod and isolate it in a direction, sorted by name."""
    return _alone(cluster, direction, pod).isolating


def _alone(cluster: Cluster, direction: Direction, pod: Pod) -> Side:
    """Return the side of a pod as long as no rule allows anything: what every flow of it begins with."""
    # By identity, as building and hashing a name costs as much as the rest of a pair; a side keeps its pod alive.
    known: dict[tuple[Direction, int], Side] = cluster.memo.setdefault("policy.alone", {})
    found = known.get((direction, id(pod)))
    if found is None:
        found = known[direction, id(pod)] = Side(direction, pod, _selecting(cluster, pod, direction))
    return found


def _selecting(cluster: Cluster, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
    return tuple(
        policy
        for policy in _policies_of(cluster).get(pod.namespace, ())
        if pod.selectable and policy.isolates(direction) and policy.pod_selector.matches(pod.labels)
    )


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
    alone = _alone(cluster, direction, subject)
    if not alone.isolating:
        return alone
    allowing = [
        _at(cluster, match, peer)
        for match in _matching_ports(cluster, alone, flow)
        if (peer := first_peer(cluster, match.policy, match.rule, other, address)) is not None
    ]
    return alone._replace(allowing=tuple(allowing)) if allowing else alone


def _at(cluster: Cluster, match: Match, peer: int) -> Match:
    """Return the match of one item of a rule's peers: one value for all flows, as it keeps its words."""
    known: dict[tuple[int, int, int], Match] = cluster.memo.setdefault("policy.matches", {})
    key = (id(match.policy), id(match.rule), peer)
    found = known.get(key)
    if found is None:
        found = known[key] = Match(match.policy, match.rule, peer)
    return found


def _view(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> View:
    return View(other, address, flow)


def _matching_ports(cluster: Cluster, alone: Side, flow: Flow) -> Sequence[Match]:
    """Return every rule of the policies that isolate a pod whose ports match a flow."""
    # Sides as they begin are remembered by ``_alone``, so their identity is their pod's and direction's.
    key = (id(alone), flow.protocol, flow.port)
    known: dict[tuple[int, str, int | None], Sequence[Match]] = cluster.memo.setdefault("policy.matching_ports", {})
    found = known.get(key)
    if found is not None:
        return found
    rules = [Match(policy, rule) for policy in alone.isolating for rule in policy.rules(alone.direction)]
    found = [m for m in rules if not ports_mismatch(m.rule, flow.destination, flow.protocol, flow.port)]
    # A name in an egress rule means another number on each destination; all else is the same for all of them.
    if alone.direction == "ingress" or not any(isinstance(item.port, str) for m in rules for item in m.rule.ports):
        known[key] = found
    return found


def _misses(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> tuple[Miss, ...]:
    found: list[Miss] = []
    for policy in isolating(cluster, subject, direction):
        rules = policy.rules(direction)
        if not rules:
            found.append(Miss(policy, None, f"has no {direction} rules"))
        for rule in rules:
            why = peers_missed(cluster, policy, rule, other, address)
            why = why or ports_mismatch(rule, flow.destination, flow.protocol, flow.port)
            if why:
                found.append(Miss(policy, rule, why))
    return tuple(found)
