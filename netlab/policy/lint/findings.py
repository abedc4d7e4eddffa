"""Runs the rules of ``netlab lint`` over an input; findings as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from itertools import islice

from netlab.frozen import frozen
from netlab.policy.lint.given import Given
from netlab.policy.lint.places import Places
from netlab.policy.lint.rule import SEVERITIES, Found, Rule, Severity

MOST_OF_A_RULE = 10_000
"""The most findings of one rule. Further ones are not looked for."""


@frozen
class Finding:
    """One finding: the rule, the severity, the place, the object and what is wrong.

    ``fix`` is a hint in one line. ``fingerprint`` is the same after lines moved; two findings have different ones.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    path: str
    object: str
    message: str
    fix: str
    fingerprint: str


@frozen
class Config:
    """What a repository says about rules: those that are ``off``, and other severities by rule."""

    off: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)


@frozen
class Findings:
    """The findings of an input, by file and line.

    ``hidden`` counts those that are not listed, by what hides them: ``comment`` or ``baseline``. ``cut`` has the rules
    that found more than ``MOST_OF_A_RULE``.
    """

    found: tuple[Finding, ...]
    hidden: Mapping[str, int] = field(default_factory=dict)
    cut: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(one.severity == severity for one in self.found)

    def at_least(self, severity: Severity) -> bool:
        """Say whether a finding has this severity or a worse one."""
        worse = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(one.severity in worse for one in self.found)


def lint(given: Given, rules: Iterable[Rule], config: Config | None = None, files: Sequence[str] = ()) -> Findings:
    """Run rules over an input; the findings come by file, those of ``files`` first and in their order, then by line.

    Objects silence rules by a comment or an annotation (``Places``).
    """
    config = config or Config()
    places = Places(given.objects.documents)
    made: list[Finding] = []
    cut: list[str] = []
    hidden = 0
    seen: Counter[str] = Counter()
    for rule in rules:
        if rule.id in config.off:
            continue
        found = list(islice(dict.fromkeys(rule.findings(given)), MOST_OF_A_RULE + 1))
        if len(found) > MOST_OF_A_RULE:
            cut.append(rule.id)
        severity = config.severity.get(rule.id, rule.severity)
        for one in found[:MOST_OF_A_RULE]:
            if rule.id in places.ignored(one):
                hidden += 1
                continue
            made.append(_finding(rule, severity, one, places, seen))
    order = {file: at for at, file in enumerate(dict.fromkeys((*files, *(one.file for one in made))))}
    made.sort(key=lambda one: (order[one.file], one.line))
    return Findings(tuple(made), {"comment": hidden}, tuple(cut))


def _finding(rule: Rule, severity: Severity, one: Found, places: Places, seen: Counter[str]) -> Finding:
    mark = places.fingerprint(rule.id, one)
    seen[mark] += 1
    if seen[mark] > 1:
        mark = f"{mark}-{seen[mark]}"
    fix = one.fix or rule.fix
    return Finding(rule.id, severity, one.file, one.line, one.path, one.object, one.message, fix, mark)


def without_known(findings: Findings, known: Collection[str]) -> Findings:
    """Return the findings without those whose fingerprints a baseline has."""
    left = tuple(one for one in findings.found if one.fingerprint not in known)
    hidden = {**findings.hidden, "baseline": len(findings.found) - len(left)}
    return Findings(left, hidden, findings.cut)
