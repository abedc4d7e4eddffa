"""The log of ``netlab lint -o sarif``: the standard's form, what GitHub needs, and texts of strangers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from linting import linted
from sarif_schema import SCHEMA

from netlab.policy.lint import all_rules
from netlab.policy.lint.findings import Finding, Findings
from netlab.report import lint_log
from netlab.report.lint import Lint

FINDING = Finding("selects-nothing", "info", "a/b.yaml", 7, "spec", "NetworkPolicy x/y", "it is", "do it", "f" * 32)


def log_of(*found: Finding, root: str = "") -> Any:
    """Return the log of findings, after it was JSON."""
    result = Lint(Findings(found), all_rules(), root=root or str(Path.cwd()), version="1.2.3")
    log = json.loads(json.dumps(result.log()))
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(log)
    return log["runs"][0]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_the_log_of_every_example_is_valid(rule: Any) -> None:
    """Whatever a rule finds has the form of the standard."""
    run = log_of(*linted(rule.examples()[0]).found)

    assert run["results"]
    for one in run["results"]:
        assert one["ruleId"] == run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"]


def test_a_result_has_what_code_scanning_shows() -> None:
    """Level, place, message with object and hint, and a fingerprint."""
    (one,) = log_of(FINDING)["results"]

    assert "note" == one["level"]
    assert "NetworkPolicy x/y: spec: it is. Fix: do it." == one["message"]["text"]
    place = one["locations"][0]["physicalLocation"]
    assert {"uri": "a/b.yaml", "uriBaseId": "%SRCROOT%"} == place["artifactLocation"]
    assert {"startLine": 7} == place["region"]
    assert {"netlab/v1": "f" * 32} == one["partialFingerprints"]


def test_a_rule_has_its_page_as_help() -> None:
    """GitHub shows the Markdown beside a result. There is no helpUri, as it must be an absolute address."""
    rules = log_of()["tool"]["driver"]["rules"]

    assert [rule.id for rule in all_rules()] == [one["id"] for one in rules]
    for one in rules:
        assert "```yaml" in one["help"]["markdown"]
        assert "helpUri" not in one
        assert f"docs/lint-rules.md#{one['id']}" == one["properties"]["page"]


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b.yaml", "a%20b.yaml"),
        ("%2e%2e.yaml", "%252e%252e.yaml"),
        ("\udcff.yaml", "%FF.yaml"),
        ("ü#?.yaml", "%C3%BC%23%3F.yaml"),
        ("main:a/b.yaml", "a/b.yaml"),
        ("HEAD^1:./a.yaml", "a.yaml"),
        ("./x/../a.yaml", "a.yaml"),
    ],
)
def test_a_file_is_a_relative_uri(file: str, uri: str) -> None:
    """Every character that means something in a URI is escaped."""
    (one,) = log_of(replace(FINDING, file=file))["results"]

    assert uri == one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_a_file_with_a_colon_in_its_name_is_no_file_of_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main:a.yaml").touch()
    (one,) = log_of(replace(FINDING, file="main:a.yaml"), root=str(tmp_path))["results"]

    assert "main%3Aa.yaml" == one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_a_file_outside_of_the_root_is_absolute(tmp_path: Path) -> None:
    """And standard input is no file."""
    outside = replace(FINDING, file=str(tmp_path / "x.yaml"))
    stdin = replace(FINDING, file="<stdin>", line=0, object="", path="")
    first, second = log_of(outside, stdin, root=str(tmp_path / "repository"))["results"]

    assert {"uri": f"file://{tmp_path}/x.yaml"} == first["locations"][0]["physicalLocation"]["artifactLocation"]
    assert {"artifactLocation": {"uri": "stdin"}} == second["locations"][0]["physicalLocation"]


def test_a_text_of_a_stranger_is_text() -> None:
    """In a message, brackets before parentheses are a link, and control characters are escaped."""
    hostile = "[click](https://evil.example) \x1b[2J\u202e\ud800 {0}"
    (one,) = log_of(replace(FINDING, message=hostile, object=hostile))["results"]
    text = one["message"]["text"]

    assert text.isprintable()
    assert "](" not in text
    assert one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].isprintable()


def test_a_long_log_keeps_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub takes 25,000 results, and the log says what is missing."""
    monkeypatch.setattr(lint_log, "MOST_RESULTS", 2)
    severe = replace(FINDING, severity="error")
    run = log_of(FINDING, FINDING, severe)

    assert ["error", "note"] == [one["level"] for one in run["results"]]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert re.match("1 findings are left out", note["message"]["text"])
