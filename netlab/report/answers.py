"""The cells of a matrix of groups: the verdict, the reason and the policies of each question about a pair of groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow, service_ref
from netlab.cluster.types import address_of
from netlab.policy.evaluate import evaluate, misses_of
from netlab.policy.reasons import named, service_text, where
from netlab.quantity import quantity
from netlab.report.blocks import Answer, Cell
from netlab.report.truth_table import ALLOW, DENY, DIFFER, INCONCLUSIVE, NOT_ASKED, PARTIAL, SOME, UNKNOWN

if TYPE_CHECKING:
    from netlab.policy.decision import Decision
    from netlab.policy.groups import Group, Groups, ServiceVerdicts
    from netlab.policy.tiers.tier import AskedPort
    from netlab.report.kept import Outcomes, RowCounts

MARKS = {"allow": ALLOW, "deny": DENY, "some": SOME, "unknown": UNKNOWN}
"""The mark of each verdict."""

# The most reasons of a page, the most of them with the rules that do not match, and the most such rules of a reason.
_REASONS, _WITH_RULES, _RULES = 4_000, 1_000, 6


_ELSEWHERE = "this page has no room for the reason; `netlab explain SOURCE DESTINATION` prints it"


class Answers:
    """Makes cells. After ``_REASONS`` reasons, a cell names the command that prints its reason in place of it."""

    def __init__(self, found: Groups, seen: RowCounts | None = None) -> None:
        self.found = found
        self.seen = seen
        self._reasons = 0
        self._with_rules = 0
        self._both = len({family for family, _, _ in found.into}) > 1

    def between(self, source: Group, destination: Group) -> Cell:
        """Return the cell of two groups; of a group and itself, about two members, and about each and itself."""
        answers = []
        marks = []
        for asked in destination.services:
            if not self.found.sources(destination, asked) >> source.number & 1:
                continue
            verdict = self.verdict(source, destination, asked)
            outcomes = self.seen.about(source.number, destination.number, asked) if self.seen else None
            marks.append(_mark(verdict, outcomes))
            answers.append(self._answer(self._example(source, destination, asked), asked, verdict, outcomes))
        if source is destination and source.alone:
            own = self.alone(source)
            marks.append(own.mark)
            answers += own.answers
        return Cell(together(marks), answers=tuple(answers))

    def alone(self, group: Group) -> Cell:
        """Return the cell of each member and itself."""
        answers = []
        marks = []
        # The pairs of several members and of each with itself are counted together; ``between`` has them.
        seen = self.seen if len(group.members) == 1 else None
        for asked, verdict in zip(group.services, group.alone, strict=False):
            outcomes = seen.about(group.number, group.number, asked) if seen else None
            marks.append(_mark(verdict, outcomes))
            answers.append(self._answer(self._flow(group, group, 0, asked), asked, verdict, outcomes))
        return Cell(together(marks), answers=tuple(answers))

    def to_service(self, source: Group, ports: Sequence[ServiceVerdicts]) -> Cell:
        """Return the cell of a group and a Service with these ports."""
        answers = []
        marks = []
        for one in ports:
            question = one.question
            asked = (question.family, question.protocol, question.port)
            for verdict, groups in one.having.items():
                if groups >> source.number & 1:
                    name = service_ref(question.service)
                    outcomes = self.seen.about(source.number, name, asked) if self.seen else None
                    marks.append(_mark(verdict, outcomes))
                    answers.append(self._answer(question.flow(source.members[0]), asked, verdict, outcomes))
        return Cell(together(marks), answers=tuple(answers))

    def verdict(self, source: Group, destination: Group, asked: AskedPort) -> str:
        """Return the expected verdict of one group towards another."""
        for verdict, tables in self.found.having.items():
            if asked in tables and tables[asked][destination.number] >> source.number & 1:
                return verdict
        return "deny"

    def _example(self, source: Group, destination: Group, asked: AskedPort) -> Flow:
        return self._flow(source, destination, int(source is destination), asked)

    def _flow(self, source: Group, destination: Group, member: int, asked: AskedPort) -> Flow:
        family, protocol, port = asked
        end = destination.members[member]
        return Flow(source.members[0], end, family, protocol, port, address_of(end, family))

    def _answer(self, flow: Flow, asked: AskedPort, verdict: str, outcomes: Outcomes | None) -> Answer:
        family, protocol, port = asked
        text = service_text(protocol, port) + (f" over IPv{family}" if self._both else "")
        wrong = [*outcomes.wrong.values()] if outcomes else []
        pair = f"{flow.source.ref} -> {flow.target}"
        words = verdict if outcomes is None else _measured(outcomes)
        measured = tuple(
            f"{row.source} -> {row.destination}: expected {row.expected}, measured {row.measured}: {row.reason}"
            for row in wrong
        )
        if self._reasons >= _REASONS and not wrong:
            return Answer(text, words, _ELSEWHERE, pair, measured)
        self._reasons += 1
        decision = evaluate(self.found.cluster, flow)
        reason = decision.reason if outcomes is None else f"expected {decision.verdict}: {decision.reason}"
        lines = (*measured, *self._rules(decision))
        return Answer(text, words, reason, pair, lines, tuple(policies_of(decision)))

    def _rules(self, decision: Decision) -> Iterator[str]:
        """Yield why each rule of the policies of a side that denies does not match."""
        if decision.verdict != "deny" or decision.backends or self._with_rules >= _WITH_RULES:
            return
        self._with_rules += 1
        found = misses_of(self.found.cluster, decision)
        denied = {side.direction for side in decision.sides if side.verdict == "deny"}
        of = [one for direction, each in found.items() if direction in denied for one in each]
        for one in islice(of, _RULES):
            path = f" {one.rule.path}" if one.rule is not None else ""
            yield f"{named(one.policy)}{path}{where(one.policy, one.rule)}: {one.why}"
        if len(of) > _RULES:
            yield f"and {len(of) - _RULES} more rules that do not match"


def policies_of(decision: Decision) -> Iterator[str]:
    """Yield the names of the policies that decided: those that allow, or those that isolate a side that denies."""
    found: dict[str, None] = {}
    for one in decision.backends or (decision,):
        for side in one.sides:
            if side.verdict == "allow":
                found |= dict.fromkeys(match.policy.meta.key for match in side.allowing[:1])
            else:
                found |= dict.fromkeys(policy.meta.key for policy in side.isolating)
            if (policy := side.cluster_policy) is not None:
                found[policy.ref] = None
    yield from found


def together(marks: Sequence[str]) -> str:
    """Return the mark of a cell with these marks."""
    for flag in (DIFFER, INCONCLUSIVE):
        if flag in marks:
            return flag
    if not marks:
        return NOT_ASKED
    return marks[0] if len({*marks}) == 1 else PARTIAL


def _mark(verdict: str, outcomes: Outcomes | None) -> str:
    if outcomes is not None:
        for outcome, flag in (("differ", DIFFER), ("inconclusive", INCONCLUSIVE)):
            if outcome in outcomes.wrong:
                return flag
    return MARKS[verdict]


def _measured(outcomes: Outcomes) -> str:
    """Return the counts as text: ``expected deny, measured deny: 25 pairs``; wrong ones first."""
    order = ("differ", "inconclusive", "unknown", "agree")
    found = sorted(outcomes.counts.items(), key=lambda item: order.index(item[0][0]))
    return "; ".join(
        f"expected {expected}, measured {measured}: {quantity(count, 'pair')}"
        for (_, expected, measured), count in found
    )
