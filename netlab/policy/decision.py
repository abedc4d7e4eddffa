"""Decisions: the verdict of a flow, and what decided on each side.

Values that exist for every pair are named tuples. A frozen dataclass takes twice as long to make, as it sets each field
by a call.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from netlab.cluster.translate import JudgedFlow
from netlab.cluster.types import Endpoint, Node, Pod
from netlab.frozen import NamedTuple, frozen, frozen_with_cache
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.objects.types import Direction
from netlab.policy.matching import ANY_PEER, peer_path
from netlab.policy.reasons import (
    backends_reason,
    decided_reason,
    default_text,
    named,
    service,
    unknown_reason,
    where,
    without_effect_text,
)

if TYPE_CHECKING:
    from netlab.cluster.flows import Flow
    from netlab.cluster.paths import Path
    from netlab.cluster.translate import BackendFlow, Target
    from netlab.objects.cluster_policies import ClusterPolicy
    from netlab.objects.unread import UnreadPolicy
    from netlab.verdicts import Action, Certain, Expected

NETWORK_POLICY, DEFAULT = "NetworkPolicy", "default"
"""The names of the tiers that each cluster has."""


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
        path = peer_path(self.rule, self.peer)
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
    """The decision of a tier on one side: the action, the name of the rule that decided, its policy and priority.

    ``policy`` is None if no rule decided, and for tiers that have policies of other types.
    """

    tier: str
    action: Action
    rule: str = ""
    priority: int | None = None
    policy: ClusterPolicy | None = None

    @property
    def allowed_by(self) -> str:
        """The rule that allows, as text; "" if there is no rule."""
        return f"{self.rule}{self._tier_text}" if self.rule else ""

    def denial(self, asked: str) -> str:
        """Return, as text, that the rule denies ``asked``: the peer and port."""
        return f"{self.rule}{self._tier_text} denies {asked}"

    @property
    def _tier_text(self) -> str:
        return f" of tier {self.tier}" + ("" if self.priority is None else f" (priority {self.priority})")


class WithoutEffect(NamedTuple):
    """The default's decision where policies have no effect because of a setting; ``why`` names both."""

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
        """Return, as text, that it does not deny ``asked``; the default allows everything."""
        return f"{self.tier} does not deny {asked}"


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
    def cluster_policy(self) -> ClusterPolicy | None:
        """The cluster-wide policy that decides; None if none does."""
        ruling = self.rulings[-1]
        return ruling.policy if isinstance(ruling, Ruling) else None

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


def far_end(flow: Flow) -> Endpoint | None:
    """Return the destination as egress policies see it; None for a node's gateway address, which is not the node's."""
    end = flow.destination
    return None if isinstance(end, Node) and flow.address not in end.addresses else end


def denial(side: Side, asked: str) -> str:
    """Return, as text, that a side denies ``asked``: the peer and port."""
    return f"{side.direction} of {side.subject.ref}: {side.ruling.denial(asked)}"


_NO_POLICY = PolicyRuling()
