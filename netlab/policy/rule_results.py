"""The results of invariants' rules, as values."""

from __future__ import annotations

from typing import Literal

from netlab.cluster.types import Endpoint
from netlab.frozen import frozen
from netlab.objects.invariants import InvariantRule, PortSpan
from netlab.objects.services import Service
from netlab.policy.decision import Decision
from netlab.verdicts import Expected

Outcome = Literal["holds", "broken", "unknown", "proves nothing"]


@frozen
class Breach:
    """Pairs that break a rule with one verdict: their sources, destinations and ports, and an example."""

    sources: tuple[Endpoint, ...]
    destinations: tuple[Endpoint, ...] | Service
    ports: tuple[PortSpan, ...]
    verdict: Expected
    pairs: int
    example: Decision


@frozen
class FamilyResult:
    """The result of a rule in one IP family.

    ``pairs`` is the number of pairs that the rule is about. ``more`` is the number of breaches that are not listed.
    ``nothing`` says why a rule that holds proves nothing, "" if it proves something.
    """

    family: int
    pairs: int
    breaches: tuple[Breach, ...] = ()
    more: int = 0
    nothing: str = ""

    @property
    def outcome(self) -> Outcome:
        if any(one.verdict != "unknown" for one in self.breaches):
            return "broken"
        if self.breaches:
            return "unknown"
        return "proves nothing" if self.nothing else "holds"


@frozen
class RuleResult:
    """The result of a rule; ``nothing`` says which of its ends select nothing, "" if each selects something."""

    rule: InvariantRule
    families: tuple[FamilyResult, ...]
    nothing: str = ""

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of the IP families."""
        found: set[Outcome] = {one.outcome for one in self.families}
        if self.nothing:
            found.add("proves nothing")
        worst: tuple[Outcome, ...] = ("broken", "unknown", "proves nothing")
        return next((one for one in worst if one in found), "holds")

    @property
    def passed(self) -> bool:
        """Whether the rule holds and proves something, or may prove nothing."""
        return self.outcome == "holds" or (self.outcome == "proves nothing" and self.rule.vacuous)
