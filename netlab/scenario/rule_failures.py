"""What breaks a rule of invariants, as failures that reports print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Cluster, Endpoint
from netlab.objects.invariants import EVERY_PORT, InvariantRule
from netlab.objects.services import Service
from netlab.policy.decision import Decision
from netlab.policy.group_names import GroupNames
from netlab.policy.groups import Group
from netlab.policy.outside import Outside
from netlab.policy.port_classes import joined_spans
from netlab.policy.rule_results import Breach, FamilyResult, RuleResult
from netlab.quantity import few
from netlab.scenario.results import RuleFailure

PROVES_NOTHING = "proves nothing"
_MOST_PORTS = 6
_MOST_PLACES = 3


class RuleFailures:
    """Makes the failures of the rules of one cluster; ``file`` has the rules."""

    def __init__(self, cluster: Cluster, file: str) -> None:
        self._cluster = cluster
        self._file = file

    def of(self, result: RuleResult) -> Iterator[RuleFailure]:
        """Yield the failures of a rule: a breach each, or why the rule proves nothing."""
        rule = result.rule
        if result.nothing and not rule.vacuous:
            yield self._nothing(rule, result.nothing, None)
        for family in result.families:
            yield from self._of_family(rule, family)

    def _of_family(self, rule: InvariantRule, family: FamilyResult) -> Iterator[RuleFailure]:
        if family.nothing and not rule.vacuous:
            yield self._nothing(rule, family.nothing, family.family)
        for number, breach in enumerate(family.breaches, start=1):
            more = f"; {family.more} more groups of pairs break it" if family.more else ""
            yield self._breach(rule, family.family, breach, more if number == len(family.breaches) else "")

    def _breach(self, rule: InvariantRule, family: int, breach: Breach, more: str) -> RuleFailure:
        flow = breach.example.flow
        example = "" if breach.pairs == 1 else f"{breach.pairs:,} pairs, such as {flow.source.ref} -> {flow.target}: "
        to = breach.destinations
        return RuleFailure(
            "rule",
            self.named(breach.sources),
            service_ref(to) if isinstance(to, Service) else self.named(to),
            rule.verdict,
            breach.verdict,
            f"{example}{breach.example.reason}{_places(breach.example)}{more}",
            self._file,
            rule.line,
            ports_text(breach),
            family,
            tuple(map(str, joined_spans(breach.ports))),
            breach.pairs,
            (flow.source.ref, flow.target, flow.protocol, flow.port),
        )

    def _nothing(self, rule: InvariantRule, why: str, family: int | None) -> RuleFailure:
        source, destination = (str(end) if end is not None else "others" for end in (rule.source, rule.destination))
        reason = f"{why}; write vacuous: ok if this is meant"
        return RuleFailure(
            *("rule", source, destination, rule.verdict, PROVES_NOTHING, reason, self._file, rule.line),
            family=family,
        )

    def named(self, ends: Iterable[Endpoint]) -> str:
        """Return the name of some endpoints: groups by labels, hosts by name, outside addresses by range."""
        by_type: dict[str, list[Endpoint]] = {}
        outside: list[str] = []
        for end in ends:
            if isinstance(end, Outside):
                outside.append(end.text)
            else:
                by_type.setdefault(type(end).__name__, []).append(end)
        names = [self._names.name(Group(0, tuple(of), ())).counted for of in by_type.values()]
        if len(outside) > _MOST_PORTS:
            outside = [*outside[:_MOST_PORTS], f"{len(outside) - _MOST_PORTS} more ranges"]
        return " and ".join([*names, *outside])

    @cached_property
    def _names(self) -> GroupNames:
        return GroupNames(self._cluster)


def _places(decision: Decision) -> str:
    """Return, as text, the places of the policies that isolate a denied end; the reason has those of other rules."""
    found = [
        policy.source.place() or policy.source.file
        for one in decision.backends or (decision,)
        for side in one.sides
        if side.verdict == "deny"
        for policy in side.isolating
    ]
    named = [place for place in dict.fromkeys(found) if place]
    return f" ({few(named, _MOST_PLACES)})" if named else ""


def ports_text(breach: Breach) -> str:
    """Return the ports of a breach: ``443/TCP``, ``every port``, or the first few."""
    spans = joined_spans(breach.ports)
    if spans == EVERY_PORT:
        return "every port"
    texts = [f"every {s.protocol} port" if s in EVERY_PORT else str(s) for s in spans]
    return few(texts, _MOST_PORTS)
