"""Each rule of ``netlab lint`` has texts and two examples; it finds something in the first one only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from linting import found_in, given

import netlab
from netlab.policy.lint import RULES, all_rules
from netlab.policy.lint.rule import SEVERITIES, Rule

# The functions whose arguments have the name of a warning.
MAKERS = {
    "Problem",
    "_problem",
    "_remark",
    "_warning",
    "add",
    "problem",
    "problem_at",
    "replace",
    "report",
    "warn",
    "report_unusual",
}
MAKERS |= {"warning", "report_unusual"}
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


def test_every_warning_of_check_is_a_finding() -> None:
    """A check without a rule would be lost in lint."""
    taken = [name for rule in all_rules() for name in rule.checks]

    assert sorted(set(taken)) == sorted(taken)
    assert set() == warning_names() ^ set(taken)


def warning_names() -> set[str]:
    """Return the name of each warning that the sources have, as an argument of a call that makes a warning."""
    package = Path(netlab.__file__).parent
    rooms = ("objects", "cluster", "policy", "profiles", "programs")
    texts = [file.read_text() for room in rooms for file in (package / room).rglob("*.py") if "lint" not in file.parts]
    trees = [ast.parse(text) for text in texts if re.search(r"warn|Problem|_remark|^[A-Z_]+ = \"", text, re.MULTILINE)]
    assigned = [node for tree in trees for node in tree.body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): node.value for node in assigned if isinstance(node.value, ast.Constant)}
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(node.func).rpartition(".")[2] not in MAKERS:
            continue
        for value in (*node.args, *(one.value for one in node.keywords)):
            text = constants.get(ast.unparse(value), value)
            if isinstance(text, ast.Constant) and re.fullmatch("[a-z]+(-[a-z]+)+", str(text.value)):
                found.add(str(text.value))
    return found


def test_the_module_of_a_rule_has_its_name() -> None:
    """One file and one line."""
    assert [one.id.replace("-", "_") for one in all_rules()] == list(RULES)
