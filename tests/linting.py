"""What ``netlab lint`` finds in a text, for tests."""

from __future__ import annotations

from dataclasses import replace

from netlab.cli.whole_input import whole_input
from netlab.objects.documents import parse
from netlab.objects.input import Input, input_of
from netlab.policy.lint import all_rules
from netlab.policy.lint.findings import Config, Finding, Findings, lint
from netlab.policy.lint.given import Given
from netlab.policy.lint.rule import Rule


def given(text: str, file: str = "test.yaml") -> Given:
    """Return a text of YAML or JSON as rules read it."""
    documents, problems = parse(text, file)
    found = input_of(documents)
    return given_of(replace(found, problems=(*problems, *found.problems)))


def given_of(found: Input) -> Given:
    """Return an input as rules read it."""
    read = whole_input(found)
    return Given(read.objects, read.cluster, tuple(read.problems))


def linted(text: str, config: Config | None = None, file: str = "test.yaml") -> Findings:
    """Return what all rules find in a text."""
    return lint(given(text, file), all_rules(), config)


def found_in(text: str, rule: Rule) -> list[Finding]:
    """Return what one rule finds in a text."""
    return list(lint(given(text), [rule]).found)
