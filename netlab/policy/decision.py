"""A verdict and what decided it, side by side: values only.

What is made for every pair is a named tuple: it costs half of what a frozen dataclass does, which sets field by field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path
from netlab.cluster.translate import Target, Through, View
from netlab.cluster.types import Endpoint, Node, Pod
from netlab.frozen import frozen, frozen_with_cache
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.objects.types import Direction
from netlab.objects.unread import UnreadPolicy
from netlab.policy.mismatch import EVERYBODY, field_of
from netlab.policy.problems import some
from netlab.verdicts import Certain, Expected

Action = Literal["allow", "deny", "pass"]
"""What a tier says: ``pass`` leaves the side to the next tier."""

NETWORK_POLICY, DEFAULT = "NetworkPolicy", "default"
"""The names of the tiers that each cluster has."""

# Of more policies that select one pod, only as many are named: a reason is one line, and each pair has one.
_FEW = 10


@frozen_with_cache
class Match:
    """A rule that allows a flow, the policy that it belongs to, and the number of the first of its peers that matches.

    ``peer`` is ``EVERYBODY`` where the rule lists none.
    """

    policy: NetworkPolicy
    rule: Rule
    peer: int = EVERYBODY

    @cached_property
    def place(self) -> str:
        """The path and line of what matches: of the item of ``from`` or ``to``, else of the rule."""
        if self.peer == EVERYBODY:
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
    """A rule that does not allow a flow and what in it does not match: its peers, or else its ports.

    ``rule`` is None for a policy that isolates and has no rule at all in the direction.
    """

    policy: NetworkPolicy
    rule: Rule | None
    why: str


class Ruling(NamedTuple):
    """What a tier says on one side. ``by`` names the rule that settled it, ``priority`` is that of its policy."""

    tier: str
    verdict: Action
    by: str = ""
    priority: int | None = None

    @property
    def allowed_by(self) -> str:
        """What allows, in words; "" where no rule does."""
        return f"{self.by}{self._rank}" if self.by else ""

    def denial(self, asked: str) -> str:
        """Return that the rule denies what is asked, in words."""
        return f"{self.by}{self._rank} denies {asked}"

    @property
    def _rank(self) -> str:
        return f" of {self.tier}" + ("" if self.priority is None else f", priority {self.priority},")


class PolicyRuling(NamedTuple):
    """What NetworkPolicy says on one side.

    ``isolating`` are the policies that select the pod in this direction, ``allowing`` every rule of theirs that
    matches; ``misses`` (``policy.evaluate``) says why the others do not.
    """

    isolating: tuple[NetworkPolicy, ...] = ()
    allowing: tuple[Match, ...] = ()

    @property
    def tier(self) -> str:
        """The name of the tier."""
        return NETWORK_POLICY

    @property
    def priority(self) -> None:
        """NetworkPolicies have none."""

    @property
    def verdict(self) -> Action:
        """``pass`` where no policy isolates the pod."""
        if self.allowing:
            return "allow"
        return "deny" if self.isolating else "pass"

    @property
    def allowed_by(self) -> str:
        """The first rule that allows, in words."""
        return str(self.allowing[0])

    def denial(self, asked: str) -> str:
        """Return that the policies deny what is asked, in words."""
        verb = "isolates" if len(self.isolating) == 1 else "isolate"
        return f"{named(*self.isolating)} {verb} it and no rule allows {asked}"


class Side(NamedTuple):
    """What the tiers say on one side: the egress of the source pod, or the ingress of the destination pod.

    ``rulings`` are those of the tiers that have a say, in their order. The last one settles the side; the others pass.
    """

    direction: Direction
    subject: Pod
    rulings: tuple[Ruling | PolicyRuling, ...]
    verdict: Certain

    @property
    def ruling(self) -> Ruling | PolicyRuling:
        """The ruling that settles the side."""
        return self.rulings[-1]

    @property
    def by_network_policy(self) -> PolicyRuling:
        """What NetworkPolicy says; it is empty where no NetworkPolicy has a say, or a tier before it settles."""
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
        """What allows, in words; "" where no tier but the default has a say."""
        if self.verdict == "deny":
            return ""
        text = self.rulings[-1].allowed_by
        if text or len(self.rulings) == 1:
            return text
        return by_default(" and ".join(one.tier for one in self.rulings[:-1]))


class Open(NamedTuple):
    """One side whose verdict is not known, and the policies that could change it, which netlab does not read.

    ``settled`` is what the policies that netlab reads say on this side; ``read`` names those in words.
    """

    direction: Direction
    subject: Endpoint
    settled: Certain
    policies: tuple[UnreadPolicy, ...]
    read: str = "NetworkPolicy alone"

    def __str__(self) -> str:
        more = f" and {len(self.policies) - 1} more" if len(self.policies) > 1 else ""
        could = "deny" if self.settled == "allow" else "allow"
        policies = f"{self.policies[0]}{more}, which netlab does not read,"
        return f"{policies} could {could} it on {self.direction} of {self.subject.ref}"


class Decision(NamedTuple):
    """The expected verdict of one flow. A side is None where the wiring passes no point that enforces its policies.

    ``target`` is what the destination stands for, None where that is itself. ``through`` is the flow by the only
    backend, or by the one that this decision is about. Of several backends each has a decision in ``backends``; the
    sides are then theirs, and ``path`` is that of the first. ``unknown`` are the sides for which the verdict is not
    known; there are some where it is ``unknown`` only.
    """

    flow: Flow
    verdict: Expected
    path: Path
    egress: Side | None = None
    ingress: Side | None = None
    through: Through | None = None
    unknown: tuple[Open, ...] = ()
    target: Target | None = None
    backends: tuple[Decision, ...] = ()

    @property
    def endpoints(self) -> tuple[Decision, ...]:
        """The decisions about the backends that reports list, in order."""
        if self.target is None or not self.target.listed:
            return ()
        return self.backends or ((self,) if self.through is not None else ())

    @property
    def settled(self) -> Certain:
        """The verdict by the wiring and NetworkPolicy alone."""
        allowed = self.path.connected and all(side.verdict == "allow" for side in self.sides)
        return "allow" if allowed else "deny"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that have a say, the source's first."""
        return tuple(side for side in (self.egress, self.ingress) if side is not None)

    def view(self, side: Side) -> View:
        """Return what a side sees of the flow."""
        egress = side.direction == "egress"
        through = self.through
        if through is not None and (seen := through.egress if egress else through.ingress) is not None:
            return seen
        if egress:
            return View(far_end(self.flow), self.flow.address, self.flow)
        return View(self.flow.source, self.path.seen_as, self.flow)

    def asked(self, side: Side) -> str:
        """Return whom and what a rule of a side would have to match, in words: ``shop/web on 80/TCP``."""
        view = self.view(side)
        if side.direction == "egress":
            other = view.flow.target
        else:
            own = view.address in self.flow.source.addresses
            other = self.flow.source.ref if own else f"{self.flow.source.ref}, which comes as {view.address},"
        if self.target is None or view.flow.port == self.flow.port:
            return f"{other} on {service(view.flow)}"
        return f"{other} on {service(view.flow)}, {self.target.word} as {service(self.flow)}"

    @property
    def reason(self) -> str:
        """One line that names what decided, or what keeps the verdict from being known."""
        if self.backends:
            return self._of_backends()
        if self.unknown:
            return left_open(map(str, self.unknown), self.settled, self.unknown[0].read)
        return self.settled_reason

    @property
    def settled_reason(self) -> str:
        """One line that names what of the wiring and NetworkPolicy decided."""
        sides = self.sides
        denied = [denial(side, self.asked(side)) for side in sides if side.verdict == "deny"]
        allowing = [] if denied else [text for side in sides if (text := side.allowed_by)]
        return decided(self.path, denied, allowing)

    def _of_backends(self) -> str:
        """Say which backends have which verdict, and why: once for all that have the same reason."""
        alike: dict[tuple[str, str], list[str]] = {}
        for one in self.backends:
            if one.through is not None:
                alike.setdefault((one.verdict, one.reason), []).append(one.through.backend.name)
        many = len(self.backends)
        return "; ".join(
            f"{len(names)} of {many} backends {verdict} ({some(names)}): {why}"
            for (verdict, why), names in alike.items()
        )


def far_end(flow: Flow) -> Endpoint | None:
    """Return what the egress side sees a flow go to: a node by its underlay addresses only, not by a gateway's."""
    end = flow.destination
    return None if isinstance(end, Node) and flow.address not in end.addresses else end


def decided(way: Path, denied: Sequence[str], allowing: Sequence[str]) -> str:
    """Return what decided: the way, what is said of the sides that deny, or the rules that allow."""
    if not way.connected:
        return way.reason
    if denied:
        return "; ".join(denied)
    if allowing:
        return f"allowed by {' and '.join(allowing)}"
    return way.exempt or "no policy selects either side"


def left_open(sides: Iterable[str], settled: str, read: str) -> str:
    """Return what keeps a verdict from being known: what is said of the sides that are open."""
    verb = "allows" if settled == "allow" else "denies"
    return f"{'; '.join(sides)}; {read} {verb} it"


def named(*policies: NetworkPolicy) -> str:
    """Name policies in running text: ``NetworkPolicies shop/db, shop/web`` and so on for the first few."""
    kind = "NetworkPolicy" if len(policies) == 1 else "NetworkPolicies"
    more = f" and {len(policies) - _FEW} more" if len(policies) > _FEW else ""
    return f"{kind} {', '.join(policy.meta.key for policy in policies[:_FEW])}{more}"


def where(policy: NetworkPolicy, rule: Rule | None = None) -> str:
    """Return `` (FILE:LINE)`` of a policy or of one of its rules; "" when no line is known."""
    line = (rule.line or policy.source.line(rule.path)) if rule else policy.source.line()
    return f" ({policy.source.file}:{line})" if line else ""


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels as kubectl writes them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def service(flow: Flow) -> str:
    """Return what is asked of the destination: ``80/TCP``, or ``ICMP``."""
    return service_text(flow.protocol, flow.port)


def service_text(protocol: str, port: int | None) -> str:
    """Return a service as reports print it."""
    return protocol if port is None else f"{port}/{protocol}"


def denial(side: Side, asked: str) -> str:
    """Return that a side denies what is asked of it, in words."""
    return f"{side.direction} of {side.subject.ref}: {side.ruling.denial(asked)}"


def by_default(tiers: str) -> str:
    """Return that tiers leave a side to the default, in words; "" where none has a say."""
    return f"default, as no rule of {tiers} settles it" if tiers else ""


_NO_POLICY = PolicyRuling()
