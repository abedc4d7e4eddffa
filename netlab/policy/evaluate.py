"""The evaluator: the expected verdict of one flow, written so that a reader can compare it with the documentation.

It follows these sentences (https://kubernetes.io/docs/concepts/services-networking/network-policies/):

* "By default, a pod is non-isolated for egress; all outbound connections are allowed. A pod is isolated for egress if
  there is any NetworkPolicy that both selects the pod and has 'Egress' in its policyTypes." The same for ingress.
* "Network policies do not conflict; they are additive. [...] the order of evaluation does not affect the result."
* "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and
  the ingress policy on the destination pod need to allow the connection."
* "A Pod cannot block access to itself", and traffic between a pod and its own node is always allowed.

A verdict is ``unknown`` if a policy could change it that netlab does not read (``netlab.objects.unread``).
"""

from __future__ import annotations

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path, path, path_to_address, why_stopped
from netlab.cluster.policies_in_force import reads_plainly
from netlab.cluster.translate import BackendFlow, JudgedFlow, Translated, translate
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import NamedTuple
from netlab.objects.types import Address, Direction
from netlab.policy.by_settings import judged_path
from netlab.policy.decision import Decision, Miss, PolicyRuling, Ruling, Side, UnknownSide, WithoutEffect, far_end
from netlab.policy.meaning import without_effect
from netlab.policy.tiers import evaluated_text, judging_own_node, networkpolicy, tiers_in_use
from netlab.policy.tiers.default_allow import ALLOWED
from netlab.policy.tiers.tier import Judge
from netlab.policy.unread import changing
from netlab.verdicts import joined


def evaluate(cluster: Cluster, flow: Flow) -> Decision:
    """Return the expected verdict of one flow and what decided.

    If a node translates the destination to several backends, the verdict is that of all backends together.

    Raises:
      ValueError: if the flow has neither a destination nor an address.
    """
    end = flow.destination
    if cluster.stopped_nodes and (why := why_stopped(cluster, flow.source, *(() if end is None else (end,)))):
        # A stopped node translates nothing.
        return Decision(flow, "deny", Path(False, why))
    # Nodes do not translate the addresses of pods, and pods are the destinations of nearly all pairs.
    if not isinstance(end, Pod) or end.host_network:
        translated = translate(cluster, flow)
        if translated is not None:
            return _by_backends(cluster, flow, translated)
    way = way_of(cluster, flow)
    egress = ingress = None
    if way.egress_enforced and isinstance(flow.source, Pod) and flow.address is not None:
        egress = _side(cluster, "egress", flow.source, far_end(flow), flow.address, flow)
    elif way.own_node and isinstance(flow.source, Pod) and flow.address is not None:
        egress = _to_own_node(cluster, flow.source, far_end(flow), flow.address, flow)
    if way.ingress_enforced and isinstance(end, Pod) and way.seen_as is not None:
        ingress = _side(cluster, "ingress", end, flow.source, way.seen_as, flow)
    allowed = (
        way.connected
        and (egress is None or egress.verdict == "allow")
        and (ingress is None or ingress.verdict == "allow")
    )
    decision = Decision(flow, "allow" if allowed else "deny", way, egress, ingress)
    return _with_unread(cluster, decision) if cluster.unread else decision


def _by_backends(cluster: Cluster, flow: Flow, translated: Translated) -> Decision:
    """Return the decision about a flow to backends: a decision for each, and their verdicts joined."""
    target = translated.target
    if not translated.flows:
        return Decision(flow, "deny", Path(False, translated.reason), target=target)
    decisions = tuple(_through(cluster, flow, way) for way in translated.flows)
    if len(decisions) == 1:
        return decisions[0]
    verdict = joined(decision.verdict for decision in decisions)
    return Decision(flow, verdict, decisions[0].path, target=target, backends=decisions)


def _through(cluster: Cluster, flow: Flow, through: BackendFlow) -> Decision:
    """Return the decision about a flow to one backend of its destination."""
    pod = through.backend.endpoint
    seen = flow if through.egress is None else through.egress.flow
    way = judged_path(cluster, through.path, seen, pod, translated=True)
    egress = ingress = None
    if way.egress_enforced and through.egress is not None and isinstance(flow.source, Pod):
        egress = _side_of(cluster, "egress", flow.source, through.egress)
        if egress is not None and cluster.policy.service_egress == "pre-dnat":
            egress = _before_dnat(cluster, egress, through, flow)
    elif way.own_node and through.egress is not None and isinstance(flow.source, Pod):
        seen_there = through.egress
        if seen_there.address is not None:
            egress = _to_own_node(cluster, flow.source, seen_there.other, seen_there.address, seen_there.flow)
    if way.ingress_enforced and through.ingress is not None and isinstance(pod, Pod):
        ingress = _side_of(cluster, "ingress", pod, through.ingress)
    decision = Decision(flow, "deny", way, egress, ingress, through, target=through.target)
    decision = decision._replace(verdict=decision.verdict_without_unread)
    return _with_unread(cluster, decision) if cluster.unread else decision


def _before_dnat(cluster: Cluster, side: Side, through: BackendFlow, flow: Flow) -> Side:
    """Return the side with the setting in its reason, if the endpoint's address would have another verdict."""
    backend, ruling = through.backend, side.ruling
    if through.egress is None or through.egress.other is not None or not isinstance(ruling, PolicyRuling):
        return side
    after = flow._replace(destination=backend.endpoint, address=backend.address, port=backend.port, service=None)
    if _side(cluster, "egress", side.subject, backend.endpoint, backend.address, after).verdict == side.verdict:
        return side
    decided = ruling._replace(settings=f"{ruling.settings} (serviceEgress: pre-dnat)")
    return side._replace(rulings=(*side.rulings[:-1], decided))


def _with_unread(cluster: Cluster, decision: Decision) -> Decision:
    """Return the decision with verdict ``unknown`` if a policy could change it that netlab does not read.

    Such policies may apply wherever packets go from one network namespace to another: also on macvlan networks
    (MultiNetworkPolicy), and between a pod and its own node (Calico, Cilium).
    """
    flow, way, through = decision.flow, decision.path, decision.through
    end = through.backend.endpoint if through is not None else flow.destination
    if not way.connected or way.local or end is None:
        return decision
    asked = flow.destination if flow.destination is not None else end
    inside = isinstance(asked, Pod) and asked.selectable
    ends: list[tuple[Direction, Side | None, Endpoint]] = [
        ("egress", decision.egress, flow.source),
        ("ingress", decision.ingress, end),
    ]
    found: list[UnknownSide] = []
    for direction, side, subject in ends:
        verdict = "allow" if side is None else side.verdict
        policies = changing(cluster, direction, subject, verdict, flow.protocol, inside=inside)
        # A policy of the destination node may drop a flow before the node translates it.
        if through is not None and direction == "ingress" and verdict == "allow" and flow.destination is not None:
            policies += changing(cluster, direction, flow.destination, verdict, flow.protocol, inside=inside)
        if policies:
            found.append(UnknownSide(direction, subject, verdict, policies, evaluated_text(cluster)))
        elif verdict == "deny":
            return decision
    return decision._replace(verdict="unknown", unknown=tuple(found)) if found else decision


def misses(cluster: Cluster, flow: Flow) -> dict[Direction, tuple[Miss, ...]]:
    """Return, for each side that policies decide, every rule that does not match a flow, and why.

    Only explanations call it, as the texts take much longer than a verdict.
    """
    return misses_of(cluster, evaluate(cluster, flow))


def misses_of(cluster: Cluster, decision: Decision) -> dict[Direction, tuple[Miss, ...]]:
    """Return the misses of a decision. If there are several backends, call it for the decision about each."""
    found: dict[Direction, tuple[Miss, ...]] = {"egress": (), "ingress": ()}
    for side in decision.sides:
        other, address, flow = decision.view(side)
        if address is not None:
            found[side.direction] = networkpolicy.misses(cluster, side.direction, side.subject, other, address, flow)
    return found


def way_of(cluster: Cluster, flow: Flow) -> Path:
    """Return the path of a flow that no node translates, and on which sides policies are enforced.

    Raises:
      ValueError: if the flow has neither a destination nor an address.
    """
    if flow.destination is not None:
        way = path(cluster, flow.source, flow.destination, flow.family)
    elif flow.address is not None:
        way = path_to_address(cluster, flow.source, flow.address)
    else:
        raise ValueError("a flow needs a destination or an address")
    return judged_path(cluster, way, flow, flow.destination)


class _Start(NamedTuple):
    """The start of every decision about a pod: the judges of the tiers that select it, and its side without judges."""

    judges: tuple[Judge, ...]
    side: Side


def _start(cluster: Cluster, direction: Direction, pod: Pod) -> _Start:
    selecting = [tier for tier in tiers_in_use(cluster) if tier.selecting(cluster, direction, pod)]
    judges = tuple(tier.judge_for(cluster, direction, pod) for tier in selecting)
    why = "" if selecting or reads_plainly(cluster.policy) else without_effect(cluster, pod, direction)
    return _Start(judges, Side(direction, pod, (WithoutEffect(why) if why else ALLOWED,), "allow"))


def judged_side(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> Side:
    """Return the decision on one side of a flow, whatever the wiring does with it.

    ``address`` is that of the ``other`` end, which is None for an address that no endpoint has.
    """
    return _side(cluster, direction, subject, other, address, flow)


def _side(
    cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
) -> Side:
    """Return the decision on one side; ``address`` is that of the ``other`` end as the subject's side sees it."""
    # By identity, as the hash of a name takes as long as the rest of a pair. A side keeps its pod alive.
    known: dict[tuple[Direction, int], _Start] = cluster.memo.setdefault("policy.start", {})
    start = known.get((direction, id(subject)))
    if start is None:
        start = known[direction, id(subject)] = _start(cluster, direction, subject)
    return _judged(start, other, address, flow) if start.judges else start.side


def _judged(start: _Start, other: Endpoint | None, address: Address, flow: Flow) -> Side:
    direction, subject = start.side.direction, start.side.subject
    rulings: tuple[Ruling | PolicyRuling, ...] = ()
    for judge in start.judges:
        ruling = judge(other, address, flow)
        rulings = (*rulings, ruling)
        verdict = ruling.action
        if verdict != "pass":
            return Side(direction, subject, rulings, verdict)
    return Side(direction, subject, (*rulings, ALLOWED), "allow")


def _to_own_node(cluster: Cluster, subject: Pod, other: Endpoint | None, address: Address, flow: Flow) -> Side | None:
    """Return the decision on what a pod sends to its own node; None if no tier judges it."""
    known: dict[int, _Start] = cluster.memo.setdefault("policy.start_own_node", {})
    if id(subject) not in known:
        judging = judging_own_node(cluster, subject)
        judges = tuple(tier.judge_for(cluster, "egress", subject) for tier in judging)
        # The side keeps its pod alive.
        known[id(subject)] = _Start(judges, Side("egress", subject, (ALLOWED,), "allow"))
    start = known[id(subject)]
    return _judged(start, other, address, flow) if start.judges else None


def _side_of(cluster: Cluster, direction: Direction, subject: Pod, view: JudgedFlow) -> Side | None:
    """Return the decision on one side of a translated flow, from the flow as this side sees it."""
    if view.address is None:
        return None
    return _side(cluster, direction, subject, view.other, view.address, view.flow)
