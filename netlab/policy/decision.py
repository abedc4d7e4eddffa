"""Decisions: the verdict of a flow, and what decided on each side.

Values that exist for every pair are named tuples. A frozen dataclass takes twice as long to make, as it sets each field
by a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path
from netlab.cluster.translate import BackendFlow, JudgedFlow, Target
from netlab.cluster.types import Endpoint, Node, Pod
from netlab.frozen import frozen, frozen_with_cache
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.objects.types import Direction
from netlab.objects.unread import UnreadPolicy
from netlab.policy.matching import ANY_PEER, field_of
from netlab.policy.problems import some
from netlab.verdicts import Action, Certain, Expected

NETWORK_POLICY, DEFAULT = "NetworkPolicy", "default"
"""The names of the tiers that each cluster has."""

# A reason names at most so many policies, as each pair has a reason and it is one line.
_FEW = 10


@frozen_with_cache
class Match:
    """A rule that allows a flow, its policy, and the number of its first matching peer.

    ``peer`` is ``ANY_PEER`` if the rule lists no peers.
    """

    policy: NetworkPolicy
    rule: Rule
    peer: int = ANY_PEER

    @cached_property
    def place(self) -> str:
        """The path and line of the matching item of ``from`` or ``to``, or of the rule if it lists no peers."""
        if self.peer == ANY_PEER:
            return f"{self.rule.path}{where(self.policy, self.rule)}"
        path = f"{self.rule.path}.{field_of(self.rule)}[{self.peer}]"
        line = self.policy.source.line(path) or self.rule.line
        return f"{path} ({self.policy.source.file}:{line})" if line else path

    @cached_property
    def _text(self) -> str:
        return f"{named(self.policy)} {self.place}"

    def __str__(self) -> str:
        return self._text


@frozen
class Miss:
    """A rule that does not allow a flow, and the mismatch as text: of its peers, or else of its ports.

    ``rule`` is None for a policy that isolates and has no rule in the direction.
    """

    policy: NetworkPolicy
    rule: Rule | None
    why: str


class Ruling(NamedTuple):
    """The decision of a tier on one side: the action, the name of the rule that decided, its policy's priority."""

    tier: str
    action: Action
    rule: str = ""
    priority: int | None = None

    @property
    def allowed_by(self) -> str:
        """The rule that allows, as text; "" if there is no rule."""
        return f"{self.rule}{self._tier_text}" if self.rule else ""

    def denial(self, asked: str) -> str:
        """Return, as text, that the rule denies ``asked``: the peer and port."""
        return f"{self.rule}{self._tier_text} denies {asked}"

    @property
    def _tier_text(self) -> str:
        return f" of {self.tier}" + ("" if self.priority is None else f", priority {self.priority},")


class WithoutEffect(NamedTuple):
    """The default's decision where a setting leaves policies without effect; ``why`` names these and the setting."""

    why: str

    @property
    def tier(self) -> str:
        """The name of the tier."""
        return DEFAULT

    @property
    def action(self) -> Action:
        """Always ``allow``."""
        return "allow"

    @property
    def priority(self) -> None:
        """None, as the default has no priority."""

    @property
    def allowed_by(self) -> str:
        """What allows, as text."""
        return without_effect_text(self.why)

    def denial(self, asked: str) -> str:
        """Return that it denies nothing, as it never does."""
        return f"{self.tier} does not deny {asked}"


def without_effect_text(why: str) -> str:
    """Return, as text, that the default allows as policies have no effect; ``why`` names these."""
    return f"default, as {why}"


class PolicyRuling(NamedTuple):
    """The decision of the NetworkPolicy tier on one side.

    ``isolating`` are the policies that select the pod in this direction. ``allowing`` are all their rules that match;
    ``misses`` (``policy.evaluate``) returns why the others do not. ``settings`` names, as the suffix of a reason, the
    settings of ``spec.policy`` without which the rules as written would decide otherwise.
    """

    isolating: tuple[NetworkPolicy, ...] = ()
    allowing: tuple[Match, ...] = ()
    settings: str = ""

    @property
    def tier(self) -> str:
        """The name of the tier."""
        return NETWORK_POLICY

    @property
    def priority(self) -> None:
        """None, as NetworkPolicies have no priority."""

    @property
    def action(self) -> Action:
        """``pass`` if no policy isolates the pod; else whether a rule allows."""
        if self.allowing:
            return "allow"
        return "deny" if self.isolating else "pass"

    @property
    def allowed_by(self) -> str:
        """The first rule that allows, as text."""
        return f"{self.allowing[0]}{self.settings}"

    def denial(self, asked: str) -> str:
        """Return, as text, that the policies deny ``asked``: the peer and port."""
        verb = "isolates" if len(self.isolating) == 1 else "isolate"
        return f"{named(*self.isolating)} {verb} it and no rule allows {asked}{self.settings}"


class Side(NamedTuple):
    """The decision on one side: the egress of the source pod, or the ingress of the destination pod.

    ``rulings`` are those of the tiers that select the pod, in their order. All but the last pass; the last one decides.
    """

    direction: Direction
    subject: Pod
    rulings: tuple[Ruling | PolicyRuling | WithoutEffect, ...]
    verdict: Certain

    @property
    def ruling(self) -> Ruling | PolicyRuling | WithoutEffect:
        """The ruling that decides."""
        return self.rulings[-1]

    @property
    def by_network_policy(self) -> PolicyRuling:
        """The ruling of NetworkPolicy; it is empty if no NetworkPolicy selects the pod, or a tier before it decides."""
        return next((ruling for ruling in self.rulings if isinstance(ruling, PolicyRuling)), _NO_POLICY)

    @property
    def isolating(self) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies that isolate the pod."""
        return self.by_network_policy.isolating

    @property
    def allowing(self) -> tuple[Match, ...]:
        """The rules of NetworkPolicies that allow the flow."""
        return self.by_network_policy.allowing

    @property
    def allowed_by(self) -> str:
        """What allows, as text; "" if only the default applies."""
        if self.verdict == "deny":
            return ""
        text = self.rulings[-1].allowed_by
        if text or len(self.rulings) == 1:
            return text
        return default_text(" and ".join(one.tier for one in self.rulings[:-1]))


class UnknownSide(NamedTuple):
    """A side with an unknown verdict, and the policies that could change the verdict and that netlab does not read.

    ``verdict_without_unread`` is the side's verdict without them. ``evaluated`` names the policies that netlab reads.
    """

    direction: Direction
    subject: Endpoint
    verdict_without_unread: Certain
    policies: tuple[UnreadPolicy, ...]
    evaluated: str = "NetworkPolicy alone"

    def __str__(self) -> str:
        more = f" and {len(self.policies) - 1} more" if len(self.policies) > 1 else ""
        could = "deny" if self.verdict_without_unread == "allow" else "allow"
        policies = f"{self.policies[0]}{more}, which netlab does not read,"
        return f"{policies} could {could} it on {self.direction} of {self.subject.ref}"


class Decision(NamedTuple):
    """The expected verdict of one flow. A side is None if no node on the path enforces its policies.

    ``target`` is what a node translates the destination to, None without translation. ``through`` is the flow to one
    backend: the only one, or the one that this decision is about. If there are several backends, ``backends`` has a
    decision for each, this decision has no sides, and ``path`` is that of the first backend. ``unknown`` are the sides
    with an unknown verdict; it is empty unless ``verdict`` is ``unknown``.
    """

    flow: Flow
    verdict: Expected
    path: Path
    egress: Side | None = None
    ingress: Side | None = None
    through: BackendFlow | None = None
    unknown: tuple[UnknownSide, ...] = ()
    target: Target | None = None
    backends: tuple[Decision, ...] = ()

    @property
    def endpoints(self) -> tuple[Decision, ...]:
        """The decisions about the backends that reports list, in order."""
        if self.target is None or not self.target.listed:
            return ()
        return self.backends or ((self,) if self.through is not None else ())

    @property
    def verdict_without_unread(self) -> Certain:
        """The verdict without the policies that netlab does not read."""
        allowed = self.path.connected and all(side.verdict == "allow" for side in self.sides)
        return "allow" if allowed else "deny"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are not None, the source's first."""
        return tuple(side for side in (self.egress, self.ingress) if side is not None)

    def view(self, side: Side) -> JudgedFlow:
        """Return the other end, its address and the flow as a side's policies see them."""
        egress = side.direction == "egress"
        through = self.through
        if through is not None and (seen := through.egress if egress else through.ingress) is not None:
            return seen
        if egress:
            return JudgedFlow(far_end(self.flow), self.flow.address, self.flow)
        return JudgedFlow(self.flow.source, self.path.seen_as, self.flow)

    def asked(self, side: Side) -> str:
        """Return, as text, the peer and port that a rule of a side would have to match: ``shop/web on 80/TCP``."""
        view = self.view(side)
        if side.direction == "egress":
            other = view.flow.target
        else:
            own = view.address in self.flow.source.addresses
            other = self.flow.source.ref if own else f"{self.flow.source.ref}, which comes as {view.address},"
        if self.target is None or not self.target.word or view.flow.port == self.flow.port:
            return f"{other} on {service(view.flow)}"
        return f"{other} on {service(view.flow)}, {self.target.word} as {service(self.flow)}"

    @property
    def reason(self) -> str:
        """One line: what decided, or why the verdict is unknown."""
        if self.backends:
            return self._of_backends()
        if self.unknown:
            return unknown_reason(map(str, self.unknown), self.verdict_without_unread, self.unknown[0].evaluated)
        return self.reason_without_unread

    @property
    def reason_without_unread(self) -> str:
        """One line: what decided, without the policies that netlab does not read."""
        sides = self.sides
        denied = [denial(side, self.asked(side)) for side in sides if side.verdict == "deny"]
        allowing = [] if denied else [text for side in sides if (text := side.allowed_by)]
        return decided_reason(self.path, denied, allowing)

    def _of_backends(self) -> str:
        return backends_reason(
            [(one.verdict, one.reason, one.through.backend.name) for one in self.backends if one.through is not None]
        )


def backends_reason(found: Sequence[tuple[Expected, str, str]]) -> str:
    """Return each verdict with its backends and the reason; backends with one reason are listed together.

    Reasons that differ only in the backend's own name are one: it is then "the endpoint".

    Args:
      found: the verdict, the reason and the name of each backend, in order.
    """
    names: dict[tuple[str, str], list[str]] = {}
    own: dict[tuple[str, str], str] = {}
    for verdict, reason, name in found:
        key = (verdict, _without_name(reason, name))
        names.setdefault(key, []).append(name)
        own.setdefault(key, reason)
    alike = {(key[0], key[1] if len(of) > 1 else own[key]): of for key, of in names.items()}
    shown = list(alike)[:_FEW]
    for one in list(alike)[_FEW:]:
        # Each verdict has a reason.
        if all(one[0] != verdict for verdict, _ in shown):
            shown.append(one)
    texts = [f"{len(alike[one])} of {len(found)} endpoints {one[0]} ({some(alike[one])}): {one[1]}" for one in shown]
    left = sum(len(names) for one, names in alike.items() if one not in shown)
    return "; ".join([*texts, *([f"and {left} more endpoints"] if left else [])])


def _without_name(reason: str, name: str) -> str:
    """Return a reason with "the endpoint" in place of the backend's name, where it is the end of the packet's way."""
    # A pod that reaches itself is the source too. Egress allows a destination, and ingress is that of the destination.
    egress, ingress, of = reason.partition("ingress of ")
    for after in (" on ", ", "):
        egress = egress.replace(f"allows {name}{after}", f"allows the endpoint{after}")
    return egress + ingress + (f"the endpoint: {of.removeprefix(f'{name}: ')}" if of.startswith(f"{name}: ") else of)


def far_end(flow: Flow) -> Endpoint | None:
    """Return the destination as egress policies see it; None for a node's gateway address, which is not the node's."""
    end = flow.destination
    return None if isinstance(end, Node) and flow.address not in end.addresses else end


def decided_reason(way: Path, denied: Sequence[str], allowing: Sequence[str]) -> str:
    """Return the reason of a verdict: the path, the texts of the sides that deny, or the rules that allow."""
    if not way.connected:
        return way.reason
    if denied:
        return "; ".join(denied)
    if allowing:
        return f"allowed by {' and '.join(allowing)}{f'; {way.exempt}' if way.exempt else ''}"
    return way.exempt or "no policy selects either side"


def unknown_reason(sides: Iterable[str], verdict_without_unread: str, evaluated: str) -> str:
    """Return the reason of an unknown verdict from the texts of its ``UnknownSide`` values."""
    verb = "allows" if verdict_without_unread == "allow" else "denies"
    return f"{'; '.join(sides)}; {evaluated} {verb} it"


def named(*policies: NetworkPolicy) -> str:
    """Return the kind and names of policies, ``NetworkPolicies shop/db, shop/web``, and the number of further ones."""
    kind = "NetworkPolicy" if len(policies) == 1 else "NetworkPolicies"
    more = f" and {len(policies) - _FEW} more" if len(policies) > _FEW else ""
    return f"{kind} {', '.join(policy.meta.key for policy in policies[:_FEW])}{more}"


def where(policy: NetworkPolicy, rule: Rule | None = None) -> str:
    """Return `` (FILE:LINE)`` of a policy or of one of its rules; "" if the line is not known."""
    line = (rule.line or policy.source.line(rule.path)) if rule else policy.source.line()
    return f" ({policy.source.file}:{line})" if line else ""


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels as kubectl writes them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def service(flow: Flow) -> str:
    """Return the port and protocol of a flow: ``80/TCP``, or ``ICMP``."""
    return service_text(flow.protocol, flow.port)


def service_text(protocol: str, port: int | None) -> str:
    """Return a port and protocol as reports print them."""
    return protocol if port is None else f"{port}/{protocol}"


def denial(side: Side, asked: str) -> str:
    """Return, as text, that a side denies ``asked``: the peer and port."""
    return f"{side.direction} of {side.subject.ref}: {side.ruling.denial(asked)}"


def default_text(tiers: str) -> str:
    """Return, as text, that the tiers ``tiers`` pass a side to the default; "" without tiers."""
    return f"default, as no rule of {tiers} decides" if tiers else ""


_NO_POLICY = PolicyRuling()
