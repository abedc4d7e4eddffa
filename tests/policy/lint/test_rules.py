"""Each rule of ``netlab lint`` has texts and two examples; it finds something in the first one only."""

from __future__ import annotations

import re

import pytest
from linting import found_in, given

from netlab.policy.lint import RULES, all_rules
from netlab.policy.lint.rule import SEVERITIES, Rule

EACH = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)


@EACH
def test_a_rule_fires_on_its_example(rule: Rule) -> None:
    """The finding has a file, a line and a message of one line."""
    fires, _ = rule.examples()
    errors = [str(one) for one in given(fires).problems if one.severity == "error"]
    found = found_in(fires, rule)

    assert (errors != []) == (rule.id == "invalid-input")
    assert found
    for one in found:
        assert one.file
        assert one.line > 0
        assert one.message.isprintable()
        assert len(one.message) > 10


@EACH
def test_a_rule_is_silent_on_its_repaired_example(rule: Rule) -> None:
    """What the page recommends is not found again."""
    _, clean = rule.examples()

    assert [] == found_in(clean, rule)


@EACH
def test_a_rule_has_an_id_a_severity_and_texts(rule: Rule) -> None:
    """A fix is one line, and no sentence of its own; what and why are sentences."""
    assert re.fullmatch("[a-z]+(-[a-z]+)*", rule.id)
    assert rule.severity in SEVERITIES
    for text in (rule.title, rule.fix):
        assert text.isprintable()
        assert not text.endswith(".")
        assert len(text) < 100
    for text in (rule.what, rule.why):
        assert text.isprintable()
        assert text.endswith(".")


def test_the_module_of_a_rule_has_its_name() -> None:
    """One file and one line."""
    assert [one.id.replace("-", "_") for one in all_rules()] == list(RULES)
