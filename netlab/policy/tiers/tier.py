"""The interface of a tier: policies that allow, deny or pass on each side of a flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.errors import Problem
from netlab.frozen import NamedTuple
from netlab.objects.policies import PolicyPort
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction, Prefix
from netlab.policy.decision import Decision, PolicyRuling, Ruling, Side
from netlab.verdicts import Action

if TYPE_CHECKING:
    from netlab.policy.set_evaluator import SetEvaluator

AskedPort = tuple[int, str, int | None]
"""IP family, protocol and port."""


class Reads(NamedTuple):
    """The properties of endpoints that a tier's policies read, besides namespaces and container ports.

    ``pods`` are the selectors of pod labels, ``prefixes`` the ranges of addresses. ``nodes``: the policies treat nodes
    differently from one another. ``ports`` are the ports that rules name; no rule tells other ports apart. ``hosts``:
    the policies treat outside hosts differently by their names.
    """

    pods: Iterable[LabelSelector] = ()
    prefixes: Iterable[Prefix] = ()
    nodes: bool = False
    ports: Iterable[PolicyPort] = ()
    hosts: bool = False


class KindsByAction(NamedTuple):
    """The sets (``policy.bitsets``) of kinds of endpoints that a tier allows and denies; it passes for all others."""

    allow: int
    deny: int


class TierReason(NamedTuple):
    """A tier's action for a set of kinds of endpoints, with the text for a reason."""

    action: Action
    text: str
    kinds: int


class OverSets(Protocol):
    """A tier's decisions over sets of kinds of endpoints."""

    def ingress(self, kind: int, asked: AskedPort) -> KindsByAction:
        """Return the kinds of sources that the ingress of a kind allows and denies."""

    def egress(self, kind: int, asked: AskedPort) -> KindsByAction:
        """Return the kinds of sources whose egress allows and denies what goes to a kind."""

    def reasons(self, direction: Direction, subject: Pod, asked: AskedPort, others: int) -> Iterator[TierReason]:
        """Yield the actions on the side of a subject towards the kinds ``others``; each kind occurs at most once.

        Texts have the placeholders of ``netlab.policy.placeholders`` for the names of the two endpoints.
        """


Judge = Callable[[Endpoint | None, Address, Flow], Ruling | PolicyRuling]
"""Decides about flows of one subject in one direction; the arguments are the last three of ``Tier.judge``."""


class Tier:
    """One tier of policies. The first tier that does not pass decides.

    ``judge`` decides for one pair. A tier without ``over_sets`` of its own uses ``judge`` for each pair of kinds of
    endpoints that it can tell apart (``Reads``): this is exact, and slow if there are many kinds.
    """

    name = ""

    def policies(self, cluster: Cluster) -> Sequence[Any]:
        """Return all policies of the tier; a tier without policies is skipped."""
        raise NotImplementedError

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Any, ...]:
        """Return the policies that select a pod in a direction; pods with equal properties get the same objects."""
        raise NotImplementedError

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling | PolicyRuling:
        """Return the decision on one side of a flow whose subject some policy selects.

        ``other`` is the other end and ``address`` its address, as the subject's side sees them.
        """
        raise NotImplementedError

    def judge_for(self, cluster: Cluster, direction: Direction, subject: Pod) -> Judge:
        """Return a function that decides like ``judge`` about flows of one subject; a tier may have a faster one."""
        return partial(self.judge, cluster, direction, subject)

    def reads(self, cluster: Cluster) -> Reads:
        """Return the properties of endpoints that the tier's policies read."""
        raise NotImplementedError

    def over_sets(self, sets: SetEvaluator) -> OverSets:
        """Return the tier's decisions over the kinds of a cluster's endpoints."""
        from netlab.policy.tiers.by_example import ByExample

        return ByExample(self, sets)

    def lines(self, cluster: Cluster, decision: Decision, side: Side, ruling: Ruling | PolicyRuling) -> list[str]:
        """Return the lines that explain a ruling."""
        if not isinstance(ruling, Ruling) or not ruling.rule:
            return ["no rule matches it"]
        verb = {"allow": "allows it", "deny": "denies it", "pass": "passes it to the next tier"}[ruling.action]
        return [f"{ruling.rule} {verb}"]

    def to_allow(self, decision: Decision, side: Side) -> list[str]:
        """Return the changes that would allow a flow that the tier denies on a side."""
        ruling = side.ruling
        return [f"change {ruling.rule} of {self.name}" if isinstance(ruling, Ruling) else f"change {self.name}"]

    def to_deny(self, decision: Decision, side: Side) -> list[str]:
        """Return the changes that would deny a flow that the tier allows on a side."""
        return self.to_allow(decision, side)

    def warnings(self, cluster: Cluster) -> Iterator[Problem]:
        """Yield warnings about the tier's policies: legal and surely not intended."""
        yield from ()
