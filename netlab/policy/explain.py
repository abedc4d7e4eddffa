"""Explanations: why a flow is allowed or denied, on each side, and what would change the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.cluster.unowned import no_owner
from netlab.errors import printable
from netlab.frozen import frozen
from netlab.objects.controllers import known_labels
from netlab.objects.types import Address
from netlab.policy import tiers
from netlab.policy.decision import Decision, PolicyRuling, Ruling, Side, UnknownSide, WithoutEffect
from netlab.policy.evaluate import evaluate
from netlab.policy.reasons import labels_text, service, service_text
from netlab.policy.tiers import NETWORK_POLICY, only_network_policy
from netlab.policy.tiers.networkpolicy_text import unselected
from netlab.policy.tiers.tier import Tier
from netlab.policy.unknown_labels import caveats


@frozen
class Section:
    """A heading and the lines below it; nested lines begin with blanks."""

    title: str
    lines: tuple[str, ...]

    def in_lines(self) -> Iterator[str]:
        """Yield the heading and the lines below it."""
        yield self.title
        yield from (f"  {line}" for line in self.lines)

    def __str__(self) -> str:
        return "\n".join(map(printable, self.in_lines()))


@frozen
class Explanation:
    """A decision as text; ``str()`` is the text for a terminal.

    ``sections`` are the verdict, the decision of each side, and what is not known about the input. ``otherwise`` is
    what would change the verdict.
    """

    decision: Decision
    sections: tuple[Section, ...]
    otherwise: Section

    def in_lines(self) -> Iterator[str]:
        """Yield the text line by line, not escaped: a file name may have any character."""
        yield from self.sections[0].in_lines()
        for section in (*self.sections[1:], self.otherwise):
            yield ""
            yield from section.in_lines()

    def __str__(self) -> str:
        return "\n".join(map(printable, self.in_lines()))


def explain(cluster: Cluster, flow: Flow) -> Explanation:
    """Return the verdict of a flow, the policies, rules and lines that decided, and what would change the verdict."""
    decision = evaluate(cluster, flow)
    sections: tuple[Section, ...] = (_headline(cluster, decision),)
    if cluster.services:
        sections = _to_service(cluster, decision) or sections
    for one in decision.backends or (decision,):
        sections += (_of_backend(cluster, one),) if decision.backends else ()
        sections += tuple(_side(cluster, one, side) for side in one.sides)
        unknown = caveats(cluster, one)
        sections += (Section("Not known", tuple(unknown)),) if unknown else ()
        sections += tuple(map(_unknown_side, one.unknown))
    if cluster.services:
        sections += _missed_by_service(cluster, decision)
    return Explanation(decision, sections, _otherwise(decision))


def _of_backend(cluster: Cluster, decision: Decision) -> Section:
    """Return the section that begins the explanation of one of several backends."""
    if decision.through is None:
        raise ValueError("not a decision about a backend")
    backend = decision.through.backend
    title = f"By endpoint {backend.name}, {backend.address} on {service_text(decision.flow.protocol, backend.port)}"
    return Section(f"{title}: {decision.verdict}", (f"why   {decision.reason}", *by_profile(cluster, decision)))


def _to_service(cluster: Cluster, decision: Decision) -> tuple[Section, ...]:
    """Return the headline and the way of a flow to a Service; () for another flow."""
    from netlab.cluster.translate.services import frontend_of
    from netlab.policy.service_text import described, way_lines

    frontend = frontend_of(cluster, decision.flow)
    if frontend is None:
        return ()
    way = Section(f"Way to Service {frontend.service.meta.key}", tuple(way_lines(cluster, decision, frontend)))
    return _headline(cluster, decision, described(frontend)), way


def _missed_by_service(cluster: Cluster, decision: Decision) -> tuple[Section, ...]:
    """Return a section of rules that list the Service's port or address and so match nothing; () if there are none."""
    from netlab.cluster.translate.services import frontend_of
    from netlab.policy.service_text import misses_by_service

    frontend = frontend_of(cluster, decision.flow)
    lines = misses_by_service(decision, frontend) if frontend is not None else []
    title = "Rules for the Service that match nothing, as policies see its endpoints"
    return (Section(title, tuple(lines)),) if lines else ()


def _headline(cluster: Cluster, decision: Decision, described: str = "") -> Section:
    """Return the verdict; ``described`` replaces the text about the destination."""
    flow = decision.flow
    verdict = f"{decision.verdict}{_without_machine(decision)}"
    title = f"{flow.source.ref} -> {flow.target} {service(flow)}, IPv{flow.family}: {verdict}"
    own = address_of(flow.source, flow.family)
    if flow.service is not None:
        line = flow.service.source.line()
        written = f" ({flow.service.source.file}:{line})" if line else ""
        destination = described or f"Service {flow.service.meta.key}{written}"
    elif flow.destination is None:
        destination = described or "no machine of the lab"
    else:
        destination = _end(flow, flow.destination, flow.address) + (f": {described}" if described else "")
    ends = (f"from  {_end(flow, flow.source, own)}", f"to    {destination}")
    more = () if decision.backends else by_profile(cluster, decision)
    return Section(title, (*ends, f"why   {decision.reason}", *more))


def _without_machine(decision: Decision) -> str:
    """Return what a verdict of deny adds if policies allow the flow, and no machine of the lab has its address."""
    path = decision.path
    if decision.flow.destination is not None or decision.flow.service is not None or path.connected or path.dropped:
        return ""
    if decision.unknown or not decision.sides or any(side.verdict == "deny" for side in decision.sides):
        return ""
    return f": policies allow it, but {path.reason}"


def by_profile(cluster: Cluster, decision: Decision) -> tuple[str, ...]:
    """Return a line for each choice of the cluster's profile that decided, with its mark and source."""
    if cluster.profile is None:
        return ()
    # Imported here, as most clusters have no profile.
    from netlab.policy.deciding import lines

    return tuple(f"      {line}" for line in lines(cluster, decision))


def _end(flow: Flow, endpoint: Endpoint, address: Address | None) -> str:
    text = f"{endpoint.ref}, {address or f'no IPv{flow.family} address'}"
    if not isinstance(endpoint, Pod):
        return text
    labels = labels_text(known_labels(endpoint.labels)) or "none"
    line = endpoint.source.line()
    written = f" ({endpoint.source.file}:{line})" if line else ""
    return f"{text}, on {endpoint.node}, labels {labels}{written}"


def _side(cluster: Cluster, decision: Decision, side: Side) -> Section:
    """Return the decision of one side: tier by tier, if other tiers than NetworkPolicy have policies."""
    title = f"{side.direction.capitalize()} of {side.subject.ref}: {side.verdict}"
    if isinstance(side.ruling, WithoutEffect):
        return Section(title, (f"{side.ruling.why}, so everything is allowed.",))
    if only_network_policy(cluster):
        if not side.isolating:
            free = f"No NetworkPolicy selects it for {side.direction}, so everything is allowed."
            return Section(title, (free, *unselected(cluster, side)))
        return Section(title, tuple(NETWORK_POLICY.lines(cluster, decision, side, side.ruling)))
    return Section(title, tuple(_by_tier(cluster, decision, side)))


def by_tier(cluster: Cluster, decision: Decision) -> tuple[Section, ...]:
    """Return, for each side, a line for each tier; () if only NetworkPolicies exist."""
    if only_network_policy(cluster):
        return ()
    found: list[Section] = []
    for one in decision.backends or (decision,):
        of = f" (endpoint {one.through.backend.name})" if decision.backends and one.through is not None else ""
        for side in one.sides:
            title = f"{side.direction} of {side.subject.ref}{of}: {side.verdict}"
            if isinstance(side.ruling, WithoutEffect):
                found.append(Section(title, (side.ruling.why,)))
            else:
                found.append(Section(title, tuple(_by_tier(cluster, one, side, short=True))))
    return tuple(found)


def _short(decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> str:
    """Return, as text, the rule that decides for a tier."""
    if ruling.action == "deny":
        return f": {ruling.denial(decision.asked(side))}"
    if ruling.action == "allow":
        return f": {ruling.allowed_by} allows it"
    return f": {ruling.rule} passes it" if isinstance(ruling, Ruling) and ruling.rule else ": no rule of it matches"


def _by_tier(cluster: Cluster, decision: Decision, side: Side, *, short: bool = False) -> Iterator[str]:
    """Yield what each tier says on a side, and what those would say that are not reached.

    ``short``: one line for each tier.
    """
    by_tier = {ruling.tier: ruling for ruling in side.rulings if not isinstance(ruling, WithoutEffect)}
    own_node = decision.path.own_node and side.direction == "egress"
    decided = settled = False
    for tier in tiers.tiers_in_use(cluster):
        ruling = by_tier.get(tier.name)
        if ruling is not None:
            decided = ruling.action != "pass"
            if short:
                yield f"{tier.name}: {ruling.action}{_short(decision, side, ruling)}"
                continue
            priority = "" if ruling.priority is None else f", priority {ruling.priority}"
            yield f"{tier.name}: {ruling.action}{priority}"
            yield from (f"  {line}" for line in tier.lines(cluster, decision, side, ruling))
        elif not tier.selecting(cluster, side.direction, side.subject):
            yield f"{tier.name}: selects nothing for {side.direction}"
        elif own_node and tier is NETWORK_POLICY and decided:
            settled = True
            yield f"{tier.name}: not reached; it does not judge what a pod sends to its own node"
        elif own_node and tier is NETWORK_POLICY:
            settled = True
            why = "NetworkPolicies do not judge what a pod sends to its own node, and leave it to no tier after them"
            yield from (f"{tier.name}: allow: {why}",) if short else (f"{tier.name}: allow", f"  {why}")
        elif settled:
            yield f"{tier.name}: not reached"
        else:
            would, settled = _would(cluster, tier, decision, side)
            yield f"{tier.name}: not reached{would}"
    if not decided and not settled:
        yield "default: allow"


def _would(cluster: Cluster, tier: Tier, decision: Decision, side: Side) -> tuple[str, bool]:
    """Return, as text, what a tier would say that another one keeps from deciding, and whether it would decide."""
    other, address, flow = decision.view(side)
    if address is None:
        return "", False
    ruling = tier.judge(cluster, side.direction, side.subject, other, address, flow)
    if ruling.action == "pass":
        return "; no rule of it matches", False
    text = ruling.denial(decision.asked(side)) if ruling.action == "deny" else f"{ruling.allowed_by} allows it"
    return f"; it would {ruling.action} it: {text}", True


def _unknown_side(one: UnknownSide) -> Section:
    """Return the policies that netlab does not read and that could change a side's verdict."""
    title = f"{one.direction.capitalize()} of {one.subject.ref}, by policies that netlab does not read: unknown"
    could = "deny" if one.verdict_without_unread == "allow" else "allow"
    return Section(title, tuple(f"{policy} could {could} it" for policy in one.policies))


def _otherwise(decision: Decision) -> Section:
    """Return what would change the verdict."""
    if decision.backends:
        return _otherwise_of_backends(decision)
    if decision.verdict == "unknown":
        ignore = " ".join(dict.fromkeys(policy.option for one in decision.unknown for policy in one.policies))
        then = f"{decision.verdict_without_unread}: {decision.reason_without_unread}"
        return Section("To be known", (f"leave these policies out with {ignore}; the verdict is then {then}",))
    if decision.verdict == "deny":
        if decision.path.dropped:
            return Section("To be allowed", (f"No NetworkPolicy can allow it: {decision.path.reason}.",))
        if not decision.path.connected:
            allowed = "Policies allow it already" if _without_machine(decision) else "No NetworkPolicy can allow it"
            text = f"{allowed}: there is no path for packets."
            address = decision.flow.address
            if decision.flow.destination is None and address and decision.path.reason == no_owner(address):
                text += " To send packets there, add a host with this address to spec.hosts of the Topology."
            return Section("To be allowed", (text,))
        denying = [side for side in decision.sides if side.verdict == "deny"]
        lines = [line for side in denying for line in tiers.tier_of(side.ruling.tier).to_allow(decision, side)]
        return Section("To be allowed, on both sides" if len(denying) == 2 else "To be allowed", tuple(lines))
    if not decision.sides:
        why = decision.path.exempt or "neither end is a pod that a policy could select"
        return Section("To be denied", (f"No NetworkPolicy can deny it: {why}.",))
    lines = [line for side in decision.sides for line in tiers.tier_of(side.ruling.tier).to_deny(decision, side)]
    return Section("To be denied, one of these" if len(decision.sides) == 2 else "To be denied", tuple(lines))


def _otherwise_of_backends(decision: Decision) -> Section:
    """Return what would change the verdict of each backend. If verdicts differ, leave the allowed backends out."""
    title = {
        "some": "To be allowed by all endpoints",
        "allow": "To be denied, on every endpoint",
        "deny": "To be allowed, on every endpoint",
        "unknown": "To be known",
    }[decision.verdict]
    lines: list[str] = []
    for one in decision.backends:
        if one.through is not None and not (decision.verdict == "some" and one.verdict == "allow"):
            lines += [f"{one.through.backend.name}:", *(f"  {line}" for line in _otherwise(one).lines)]
    return Section(title, tuple(lines))
