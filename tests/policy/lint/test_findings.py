"""Findings: what silences them, fingerprints that survive moved lines, and bounds."""

from __future__ import annotations

import pytest
from linting import given, linted

from netlab.policy.lint import findings
from netlab.policy.lint.findings import Config, Finding, lint, without_known
from netlab.policy.lint.rule import Found, Rule

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress]
  egress:
  - ports: [{port: 443}]
"""


def wrong(text: str, config: Config | None = None) -> list[Finding]:
    """Return the findings of one rule."""
    return [one for one in linted(text, config).found if one.rule == "rules-without-type"]


def test_a_finding_has_a_place_an_object_and_a_hint() -> None:
    """The line is that of the field."""
    (one,) = wrong(POD + POLICY)

    assert ("test.yaml", 11, "spec.egress", "NetworkPolicy shop/web") == (one.file, one.line, one.path, one.object)
    assert "error" == one.severity
    assert "add the direction to policyTypes, or remove the rules" == one.fix


def test_a_comment_silences_a_rule_for_its_object_only() -> None:
    """Hidden findings are counted."""
    other = POLICY.replace("name: web, ", "name: two, ")
    found = linted(f"{POD}# netlab: ignore=rules-without-type\n{POLICY}---\n{other}")

    assert ["NetworkPolicy shop/two"] == [one.object for one in found.found if one.rule == "rules-without-type"]
    assert 1 == found.hidden["comment"]


def test_of_two_objects_with_one_name_each_has_its_own_comment() -> None:
    """The line decides which of them a finding is about."""
    text = f"{POD}# netlab: ignore=rules-without-type\n{POLICY}---\n{POLICY}"

    assert [21] == [one.line for one in wrong(text)]


def test_a_configuration_switches_rules_off_and_changes_severities() -> None:
    """Both by the rule's id."""
    assert [] == wrong(POD + POLICY, Config(off=frozenset({"rules-without-type"})))
    assert ["info"] == [one.severity for one in wrong(POD + POLICY, Config(severity={"rules-without-type": "info"}))]


@pytest.mark.parametrize(
    "moved",
    [
        f"# a line\n\n{POD}{POLICY}",
        f"{POLICY}---\n{POD.removesuffix('---')}",
        (POD + POLICY).replace("metadata: {name: web, namespace: shop}", "metadata:\n  namespace: shop\n  name: web"),
    ],
    ids=["lines above", "another place", "more lines"],
)
def test_a_fingerprint_survives_moved_lines(moved: str) -> None:
    """It is about the object, the field and the value."""
    before, after = wrong(POD + POLICY)[0], wrong(moved)[0]

    assert before.line != after.line
    assert before.fingerprint == after.fingerprint


@pytest.mark.parametrize(
    ("old", "new"), [("443", "444"), ("name: web, namespace: shop}\nspec", "name: two, namespace: shop}\nspec")]
)
def test_a_fingerprint_changes_with_the_object_and_the_value(old: str, new: str) -> None:
    """What was accepted before is not accepted for something else."""
    text = POD + POLICY

    assert old in text
    assert wrong(text)[0].fingerprint != wrong(text.replace(old, new))[0].fingerprint


def test_two_findings_never_have_one_fingerprint() -> None:
    """Not even if they say the same of one field."""
    twice = Rule("twice", "info", "", "", "", "", "", "", "", find=lambda given: [found, found_again])
    found = Found("test.yaml", 1, "spec", "Pod shop/web", "one")
    found_again = Found("test.yaml", 1, "spec", "Pod shop/web", "two")
    marks = [one.fingerprint for one in lint(given(POD + POLICY), [twice]).found]

    assert 2 == len(set(marks))


def test_a_baseline_hides_what_it_has() -> None:
    """The number is kept."""
    found = linted(POD + POLICY)
    left = without_known(found, {wrong(POD + POLICY)[0].fingerprint})

    assert 1 == left.hidden["baseline"]
    assert [] == [one for one in left.found if one.rule == "rules-without-type"]


def test_a_rule_that_finds_too_much_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result says so; equal findings count once."""
    monkeypatch.setattr(findings, "MOST_OF_A_RULE", 3)
    many = Rule(
        "many", "info", "", "", "", "", "", "", "", find=lambda _: (Found("", 0, "", "", f"{n}") for n in range(9))
    )
    same = Rule(
        "same", "info", "", "", "", "", "", "", "", find=lambda _: (Found("", 0, "", "", "x") for n in range(9))
    )
    found = lint(given(POD), [many, same])

    assert ["0", "1", "2", "x"] == [one.message for one in found.found]
    assert ("many",) == found.cut


def test_findings_come_by_file_and_line() -> None:
    """Not by rule."""
    found = linted(POD + POLICY + "---\n" + POLICY.replace("name: web, ", "name: two, ")).found

    assert [one.line for one in found] == sorted(one.line for one in found)
