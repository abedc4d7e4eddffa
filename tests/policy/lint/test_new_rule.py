"""A new rule is one file and one line: the command, its list, its formats and the page of rules have it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab.cli import lint_rules
from netlab.policy import lint

# The file of a rule. It finds pods without labels.
TOY = """
from netlab.policy.lint.rule import Rule, found


def _find(given):
    for pod in given.objects.pods:
        if not pod.meta.labels:
            yield found(pod, "metadata", "has no labels", kind="Pod")


RULE = Rule(
    "bare-pod",
    "warning",
    "a pod without labels",
    what="A pod has no labels.",
    why="No selector but the empty one matches it.",
    fix="give it a label",
    objects="",
    fires="apiVersion: v1\\nkind: Pod\\nmetadata: {name: a, namespace: b}\\n",
    clean="apiVersion: v1\\nkind: Pod\\nmetadata: {name: a, namespace: b, labels: {a: b}}\\n",
    find=_find,
)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rule in a folder of the test's own, and a line in the table."""
    from netlab.policy.lint import rules

    (tmp_path / "bare_pod.py").write_text(TOY)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "netlab.policy.lint.rules.bare_pod", raising=False)
    monkeypatch.setattr(lint, "RULES", (*lint.RULES, "bare_pod"))
    file = tmp_path / "pod.yaml"
    file.write_text(lint.all_rules()[-1].fires)
    return file


def test_a_new_rule_is_found_everywhere(netlab: Callable[..., Result], toy: Path) -> None:
    """No other place names it."""
    done = netlab("lint", "-f", str(toy), "--fail-on", "warning")

    assert 1 == done.exit_code
    assert f"{toy}:3: warning: Pod b/a: metadata: has no labels [bare-pod]\n  fix: give it a label\n" in done.stdout
    assert "bare-pod" in netlab("lint", "--list").stdout
    run = json.loads(netlab("lint", "-f", str(toy), "-o", "sarif").stdout)["runs"][0]
    assert "bare-pod" == run["tool"]["driver"]["rules"][-1]["id"]
    assert "bare-pod" in [one["ruleId"] for one in run["results"]]
    assert "## bare-pod\n" in "\n".join(lint_rules.lines())


def test_a_new_rule_is_silenced_as_all_are(netlab: Callable[..., Result], toy: Path) -> None:
    """By a comment and by a baseline."""
    known = toy.with_suffix(".json")
    netlab("lint", "-f", str(toy), "--write-baseline", str(known))

    assert "bare-pod" not in netlab("lint", "-f", str(toy), "--baseline", str(known)).stdout
    toy.write_text(f"# netlab: ignore=bare-pod\n{toy.read_text()}")
    assert "hidden: 1 by comment" in netlab("lint", "-f", str(toy)).stdout
