"""What a tier is: the policies of one class, which allow, deny or pass on each side of a flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.errors import Problem
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction, Prefix
from netlab.policy.decision import Decision, PolicyRuling, Ruling, Side
from netlab.verdicts import Action

if TYPE_CHECKING:
    from netlab.policy.set_evaluator import SetEvaluator

AskedPort = tuple[int, str, int | None]
"""IP family, protocol and port."""


class Reads(NamedTuple):
    """By what a tier's policies tell endpoints apart, besides their namespaces and container ports.

    ``pods`` are selectors of pods' labels, ``prefixes`` ranges of addresses; ``nodes``: nodes are told apart.
    """

    pods: Iterable[LabelSelector] = ()
    prefixes: Iterable[Prefix] = ()
    nodes: bool = False


class KindsByAction(NamedTuple):
    """The kinds of endpoints that a tier allows and denies, as sets (``policy.bitsets``); on all others it passes."""

    allow: int
    deny: int


class TierReason(NamedTuple):
    """What a tier says to some kinds of endpoints, with the words of a reason."""

    action: Action
    text: str
    kinds: int


class OverSets(Protocol):
    """A tier's rulings over sets of kinds: the fast reading."""

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        """Return the kinds of sources that the ingress of a kind allows and denies."""

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        """Return the kinds of sources whose egress allows and denies what goes to a kind."""

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        """Yield what is said on the side of a subject to each of the kinds ``others``, each kind once at most.

        Texts name the two endpoints by the marks of ``netlab.policy.placeholders``.
        """


Judge = Callable[[Endpoint | None, Address, Flow], Ruling | PolicyRuling]
"""Judges flows of one subject in one direction; the arguments are the last three of ``Tier.judge``."""


class Tier:
    """One class of policies. Tiers are asked in their order until one of them does not pass.

    ``judge`` is the plain reading, pair by pair. Without an ``over_sets`` of its own, a tier is asked once for each
    pair of endpoints that differ (``Reads``): that is exact, and slow where many do.
    """

    name = ""

    def policies(self, cluster: Cluster) -> Sequence[Any]:
        """Return all policies of the tier; where there is none, the tier has no say."""
        raise NotImplementedError

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Any, ...]:
        """Return the policies that select a pod and have a say in a direction; the same objects for the same pods."""
        raise NotImplementedError

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling | PolicyRuling:
        """Judge one side of a flow, where some policy selects the subject.

        ``other`` is the other end and ``address`` that end's address, as the subject's side sees it.
        """
        raise NotImplementedError

    def judge_for(self, cluster: Cluster, direction: Direction, subject: Pod) -> Judge:
        """Return what judges the flows of one subject: ``judge``, or the same in less time."""
        return partial(self.judge, cluster, direction, subject)

    def reads(self, cluster: Cluster) -> Reads:
        """Return by what the tier's policies tell endpoints apart."""
        raise NotImplementedError

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        """Return the tier's rulings over the kinds of a cluster."""
        from netlab.policy.tiers.by_example import ByExample

        return ByExample(self, sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        """Explain a ruling in lines."""
        if not isinstance(ruling, Ruling) or not ruling.rule:
            return ["none of its rules settles it"]
        verb = {"allow": "allows it", "deny": "denies it", "pass": "passes it on"}[ruling.action]
        return [f"{ruling.rule} {verb}"]

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        """Return what it would take to allow what the tier denies on a side."""
        ruling = side.ruling
        return [f"change {ruling.rule} of {self.name}" if isinstance(ruling, Ruling) else f"change {self.name}"]

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        """Return what it would take to deny what the tier allows on a side."""
        return self.to_allow(decision, side)

    def warnings(self, cluster: Cluster) -> Iterator[Problem]:
        """Yield what is legal in the tier's policies and surely not meant."""
        yield from ()
