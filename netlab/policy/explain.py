"""Why a flow is allowed or denied, side by side, and what the other verdict would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from netlab.cluster.flows import Flow
from netlab.cluster.nobody import no_owner
from netlab.cluster.types import Cluster, Endpoint, Pod, address_of
from netlab.errors import printable
from netlab.objects.controllers import JOB_NAMES, KEYS, POD_NAME, known_labels
from netlab.objects.core import NAMESPACE_LABEL
from netlab.objects.types import Address, NetworkPolicy
from netlab.policy.almost import almost_selecting
from netlab.policy.decision import Decision, Miss, Open, Side, named, service, service_text, where
from netlab.policy.evaluate import evaluate, misses_of
from netlab.policy.unstated import caveats

_MOST_NEAR = 5


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines below it; a line's leading blanks are its depth."""

    title: str
    lines: tuple[str, ...]

    def in_lines(self) -> Iterator[str]:
        """Yield the heading and the lines below it."""
        yield self.title
        yield from (f"  {line}" for line in self.lines)

    def __str__(self) -> str:
        return "\n".join(map(printable, self.in_lines()))


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in words; ``str()`` is the text for a terminal.

    ``sections`` are the verdict, what decided on each side that has a say, and what that rests on and is not known;
    ``otherwise`` is what the other verdict would take.
    """

    decision: Decision
    sections: tuple[Section, ...]
    otherwise: Section

    def in_lines(self) -> Iterator[str]:
        """Yield the text line by line, as it was written: a file's name may hold any character."""
        yield from self.sections[0].in_lines()
        for section in (*self.sections[1:], self.otherwise):
            yield ""
            yield from section.in_lines()

    def __str__(self) -> str:
        return "\n".join(map(printable, self.in_lines()))


def explain(cluster: Cluster, flow: Flow) -> Explanation:
    """Return the verdict of a flow, the policies, rules and lines that decided, and what the other verdict needs."""
    decision = evaluate(cluster, flow)
    sections: tuple[Section, ...] = (_headline(decision),)
    for one in decision.backends or (decision,):
        sections += (_of_backend(one),) if decision.backends else ()
        missed = misses_of(cluster, one)
        sections += tuple(_side(cluster, side, missed[side.direction]) for side in one.sides)
        unsure = caveats(cluster, one)
        sections += (Section("Not known", tuple(unsure)),) if unsure else ()
        sections += tuple(map(_open, one.unknown))
    return Explanation(decision, sections, _otherwise(decision))


def _of_backend(decision: Decision) -> Section:
    """The heading of what is said about one of several backends."""
    if decision.through is None:
        raise ValueError("not a decision about a backend")
    backend = decision.through.backend
    title = f"By backend {backend.name}, {backend.address} on {service_text(decision.flow.protocol, backend.port)}"
    return Section(f"{title}: {decision.verdict}", (f"why   {decision.reason}",))


def _headline(decision: Decision) -> Section:
    flow = decision.flow
    title = f"{flow.source.ref} -> {flow.target} {service(flow)}, IPv{flow.family}: {decision.verdict}"
    own = address_of(flow.source, flow.family)
    destination = "no machine of the lab" if flow.destination is None else _end(flow, flow.destination, flow.address)
    return Section(title, (f"from  {_end(flow, flow.source, own)}", f"to    {destination}", f"why   {decision.reason}"))


def _end(flow: Flow, endpoint: Endpoint, address: Address | None) -> str:
    text = f"{endpoint.ref}, {address or f'no IPv{flow.family} address'}"
    if not isinstance(endpoint, Pod):
        return text
    labels = _written(known_labels(endpoint.labels)) or "none"
    line = endpoint.source.line()
    written = f" ({endpoint.source.file}:{line})" if line else ""
    return f"{text}, on {endpoint.node}, labels {labels}{written}"


def _side(cluster: Cluster, side: Side, missed: Sequence[Miss]) -> Section:
    title = f"{side.direction.capitalize()} of {side.subject.ref}: {side.verdict}"
    if not side.isolating:
        near = [f"{named(p)}{where(p)} almost selects it: {why}" for p, why in _near(cluster, side)]
        return Section(title, (f"No NetworkPolicy selects it for {side.direction}, so everything is allowed.", *near))
    lines: list[str] = []
    for policy in side.isolating:
        lines.append(f"{named(policy)}{where(policy)} isolates it")
        lines += [f"  {match.place} allows it" for match in side.allowing if match.policy is policy]
        for miss in () if side.allowing else missed:
            if miss.policy is policy:
                rule = f"{miss.rule.path}{where(policy, miss.rule)} does not match: " if miss.rule else "it "
                lines.append(f"  {rule}{miss.why}")
    return Section(title, tuple(lines))


def _near(cluster: Cluster, side: Side) -> Iterator[tuple[NetworkPolicy, str]]:
    return islice(almost_selecting(cluster, side.subject, side.direction), _MOST_NEAR)


def _open(one: Open) -> Section:
    """The policies that netlab does not read and that could change what the section of their side says."""
    title = f"{one.direction.capitalize()} of {one.subject.ref}, by policies that netlab does not read: unknown"
    could = "deny" if one.settled == "allow" else "allow"
    return Section(title, tuple(f"{policy} could {could} it" for policy in one.policies))


def _otherwise(decision: Decision) -> Section:
    """What would have been needed for the other verdict."""
    if decision.backends:
        return _otherwise_of_backends(decision)
    if decision.verdict == "unknown":
        ignore = " ".join(dict.fromkeys(policy.option for one in decision.unknown for policy in one.policies))
        told = (
            f"leave these policies out with {ignore}; the verdict is then {decision.settled}: {decision.settled_reason}"
        )
        return Section("To be known", (told,))
    if decision.verdict == "deny":
        if not decision.path.connected:
            told = "No NetworkPolicy can allow it: there is no path for packets."
            address = decision.flow.address
            if decision.flow.destination is None and address and decision.path.reason == no_owner(address):
                told += " To send packets there, add a host with this address to spec.hosts of the Topology."
            return Section("To be allowed", (told,))
        denying = [side for side in decision.sides if side.verdict == "deny"]
        lines = [line for side in denying for line in _to_allow(side, decision)]
        return Section("To be allowed, on both sides" if len(denying) == 2 else "To be allowed", tuple(lines))
    if not decision.sides:
        why = decision.path.exempt or "neither end is a pod that a policy could select"
        return Section("To be denied", (f"No NetworkPolicy can deny it: {why}.",))
    lines = [line for side in decision.sides for line in _to_deny(side, decision)]
    return Section("To be denied, one of these" if len(lines) == 2 else "To be denied", tuple(lines))


def _otherwise_of_backends(decision: Decision) -> Section:
    """What another verdict would take, backend by backend: of a flow to some of them, of those that are not allowed."""
    title = {
        "some": "To be allowed by all backends",
        "allow": "To be denied, on every backend",
        "deny": "To be allowed, on every backend",
        "unknown": "To be known",
    }[decision.verdict]
    lines: list[str] = []
    for one in decision.backends:
        if one.through is not None and not (decision.verdict == "some" and one.verdict == "allow"):
            lines += [f"{one.through.backend.name}:", *(f"  {line}" for line in _otherwise(one).lines)]
    return Section(title, tuple(lines))


def _to_allow(side: Side, decision: Decision) -> list[str]:
    other, address, flow = decision.view(side)
    isolating = "the policy that isolates it" if len(side.isolating) == 1 else "all policies that isolate it"
    ports = "with no ports listed" if flow.port is None else f"ports: {flow.port}/{flow.protocol}"
    return [
        f"add a rule under spec.{side.direction} of any policy that selects {side.subject.ref}, with",
        f"  {'to' if side.direction == 'egress' else 'from'}: {_peer_for(side.subject, other, str(address))}",
        *_wider_than_meant(other),
        f"  {ports}",
        f"or remove {isolating}: {named(*side.isolating)}",
    ]


def _peer_for(subject: Pod, other: Endpoint | None, address: str) -> str:
    """Return the narrowest peer that a user would write for an endpoint."""
    if not isinstance(other, Pod) or not other.selectable:
        return f"ipBlock {address}/{128 if ':' in address else 32}"
    pods = f"podSelector {_written(_lasting(other)) or '{}'}"
    if other.namespace == subject.namespace:
        return pods
    return f"namespaceSelector {NAMESPACE_LABEL}={other.namespace} and, in the same item, {pods}"


def _wider_than_meant(other: Endpoint | None) -> list[str]:
    """Say of a pod that no selector tells from others that the peer means them too."""
    if not isinstance(other, Pod) or not other.selectable or _lasting(other):
        return []
    return [
        f"  which opens it to every pod of namespace {other.namespace}: {other.ref} has no label to tell it from them;"
        " give it one"
    ]


def _lasting(pod: Pod) -> dict[str, str]:
    """Return the labels by which a user would select a pod: those that controllers set only where it has no others."""
    own = {key: value for key, value in pod.labels.items() if key not in KEYS}
    named = {key: value for key, value in known_labels(pod.labels).items() if key in (POD_NAME, JOB_NAMES[0])}
    return own or named


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _to_deny(side: Side, decision: Decision) -> list[str]:
    if side.allowing:
        # Another item of the same rule may match too, so it is the whole rule that would have to go.
        rules = (f"{m.rule.path}{where(m.policy, m.rule)} of {named(m.policy)}" for m in side.allowing)
        return [f"remove {' and '.join(dict.fromkeys(rules))}"]
    kind = side.direction.capitalize()
    return [
        f"add a policy in namespace {side.subject.namespace} that selects {side.subject.ref}, has {kind} in"
        f" policyTypes and no rule for {decision.asked(side)}"
    ]
