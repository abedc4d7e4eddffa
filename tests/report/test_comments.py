"""Short reports: the outcome in words, what is wrong first, at most 20 rows, then counts and folded details."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import cluster, pod
from click.testing import Result

from netlab.cluster.flows import FlowSelection
from netlab.errors import Problem
from netlab.report import formats
from netlab.report.again import CommandLine
from netlab.report.kept import KeptRows
from netlab.report.problems import Problems
from netlab.report.reachability import Reachability
from netlab.report.rows import Row
from netlab.report.scenarios import TestReport
from netlab.report.verification import Verification
from netlab.scenario.results import ProgramFailure, ScenarioResult, StepResult

Netlab = Callable[..., Result]
AGAIN = CommandLine(["netlab", "verify", "-f", "a b.yaml"], ["-f", "a b.yaml"])


def markdown(result: object) -> list[str]:
    """Return the lines of a result, without empty ones."""
    return [line for line in formats.lines(result, "markdown") if line]


def row(number: int, expected: str, measured: str) -> Row:
    return Row(f"x/a-{number}", "x/b", 4, "TCP", 80, expected, measured, "by policy x/p")


def test_wrong_pairs_come_first_and_are_at_most_twenty() -> None:
    """Then inconclusive ones, the counts, and commands that explain the first of them."""
    rows = [row(1, "allow", "allow"), *(row(n, "allow", "deny") for n in range(25)), row(7, "deny", "inconclusive")]
    lines = markdown(Reachability("shop", rows, "verify", kept=KeptRows(), again=AGAIN))

    assert ["<!-- netlab verify shop -->", "# Failed: of 27 pairs, 25 differ and 1 inconclusive in lab shop"] == lines[
        :2
    ]
    assert ["## Packets and policies differ", "| From | To | Port | Expected | Measured | Reason |"] == lines[2:4]
    assert "| `x/a-0` | `x/b` | `80/TCP` | allow | deny | by policy `x/p` |" == lines[5]
    assert ["and 5 more", "## Inconclusive pairs"] == lines[25:27]
    assert "27 pairs: 1 agree, 25 differ, 1 inconclusive" in lines
    assert ["netlab verify -f 'a b.yaml'", "netlab explain x/a-0 x/b:80/TCP -f 'a b.yaml'"] == lines[-6:-4]


def test_rows_that_were_printed_before_are_counted_once() -> None:
    """A file beside the table has the same counts."""
    result = Reachability("shop", [row(1, "allow", "allow"), row(2, "allow", "deny")], "verify", kept=KeptRows())
    printed = list(formats.lines(result, "table"))

    assert "2 pairs: 1 agree, 1 differ, 0 inconclusive" == printed[-1]
    assert printed[-1] == markdown(result)[-1]


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([row(1, "allow", "allow")], "# Passed: 1 pair as expected in lab shop"),
        (
            [row(1, "allow", "allow"), row(2, "unknown", "deny")],
            "# Passed: 1 pair as expected, 1 not compared in lab shop",
        ),
    ],
)
def test_the_title_has_the_outcome(rows: list[Row], title: str) -> None:
    """In words, as a reader may see the first line only."""
    assert title == markdown(Reachability("shop", rows, "verify"))[1]


def test_a_test_report_has_failures_with_their_place() -> None:
    """Scenarios that could not run come before wrong expectations."""
    failure = ProgramFailure("http", "x/a", "http://b", "status 200", "no answer", "refused", "s.yaml", 7)
    now = datetime.now(UTC)
    bad = ScenarioResult("first", "s.yaml", ("one",), now, (StepResult("one", 1, 1, (failure,)),))
    lines = markdown(TestReport([bad, ScenarioResult("second", "t.yaml", ("one",), now, error="no nft", exit_code=3)]))

    assert "# Failed: 2 of 2 scenarios" == lines[1]
    assert "| `t.yaml` | second | no nft |" == lines[5]
    assert "| `s.yaml:7` | first: one | `x/a ->` GET `http://b` | status 200 | no answer | refused |" == lines[9]


def test_problems_have_errors_before_warnings() -> None:
    """With file and line."""
    found = [
        Problem("a.yaml", 3, "spec", "Pod x/a", "odd", severity="warning"),
        Problem("a.yaml", 9, "spec.x", "Pod x/b", "unknown field"),
    ]
    lines = markdown(Problems(found, "1 error, 1 warning"))

    assert "# Failed: 1 error and 1 warning" == lines[1]
    assert ["## Errors", "## Warnings"] == [line for line in lines if line.startswith("## ")]
    assert "| `a.yaml:9` | Pod `x/b` | `spec.x` | unknown field |" in lines


def test_reach_has_the_table_of_groups_and_what_nothing_protects(netlab: Netlab) -> None:
    """In place of a row for each pair; and a small picture."""
    lines = netlab("reach", "-f", "examples/shop", "-o", "markdown").stdout.splitlines()

    assert "# Expected verdicts in lab default: 5 of 20 pairs allowed" in lines
    assert "| other | 1 of 1 |" in lines
    assert "shop/api-0             X               -           .          X" in lines
    assert {"```mermaid", "netlab reach -f examples/shop"} <= {*lines}


def test_pods_that_no_policy_isolates_are_those_of_the_pictures(netlab: Netlab) -> None:
    """A policy that selects a pod does not isolate it where nothing enforces policies."""
    lines = netlab("reach", "-f", "examples/shop", "--as", "flannel", "-o", "markdown").stdout.splitlines()

    assert "## Pods that no policy isolates" in lines
    assert "| shop | 4 of 4 |" in lines


def test_compare_has_a_column_for_each_profile(netlab: Netlab) -> None:
    """And the reasons, folded."""
    done = netlab("compare", "-f", "examples/shop", "--as", "flannel", "--as", "calico", "-o", "markdown")
    lines = done.stdout.splitlines()

    assert "# 15 of 20 pairs differ under 2 profiles, in 10 groups of pairs" in lines
    assert "| `other/stranger` | `shop/api-0` | `8080/TCP IPv4` | allow | deny |" in lines
    assert "<details><summary>Reasons</summary>" in lines


def test_the_command_is_without_its_options_of_output(netlab: Netlab, tmp_path: Path) -> None:
    """A file beside the output has the same report."""
    file = tmp_path / "report.md"
    done = netlab("check", "-f", "examples/shop", "--markdown", str(file), "-ojson", f"--html={tmp_path / 'x'}")

    assert 2 == done.exit_code or "netlab check -f examples/shop" in file.read_text().splitlines()
    done = netlab("check", "-f", "examples/shop", "--markdown", str(file), "-ojson", "--strict")
    assert "netlab check -f examples/shop --strict" in file.read_text().splitlines()


def test_wrong_pairs_are_failures_of_junit() -> None:
    """Those that agree are one case, and so are those that are not compared."""
    asked = [row(1, "allow", "allow"), row(2, "allow", "deny"), row(3, "unknown", "deny"), row(4, "deny", "deny")]
    of = cluster(pod("a"), pod("b"))
    lines = list(formats.lines(Verification("shop", asked, of, FlowSelection()), "junit"))

    assert '<testsuites name="netlab" tests="3" failures="1" errors="0" skipped="1" time="0.000">' in lines[0]
    assert '<testcase classname="verify shop" name="2 pairs as expected" time="0.000" />' in lines[0]
    assert '<failure message="expected allow, measured deny" type="verdict">x/a-2 -&gt; x/b 80/TCP IPv4: ' in lines[0]


def test_verify_has_the_table_of_groups_below_what_is_wrong() -> None:
    """It says what is expected, which the policies decide."""
    found = Verification("shop", [row(1, "allow", "deny")], cluster(pod("a"), pod("b")), FlowSelection())
    lines = markdown(found)

    assert lines.index("## Packets and policies differ") < lines.index("<details><summary>Picture</summary>")


def test_wrong_pairs_of_verify_come_before_the_table() -> None:
    """And if all of a large lab agree, one line says so."""
    wrong = list(formats.lines(Reachability("shop", [row(1, "allow", "deny")], "verify"), "table"))
    many = [Row(f"x/a-{n}", f"x/a-{m}", 4, "TCP", 80, "deny", "deny", "") for n in range(80) for m in range(80)]

    assert wrong[0].startswith("! x/a-1 -> x/b 80/TCP: expected allow, measured deny")
    assert "SOURCE" in wrong[2]
    assert ["6400 pairs: 6400 agree, 0 differ, 0 inconclusive; every verdict is that of `netlab reach`"] == list(
        formats.lines(Reachability("shop", many, "verify"), "table")
    )


@pytest.mark.parametrize("command", ["reach", "verify"])
def test_a_wrong_input_is_a_short_report_too(netlab: Netlab, tmp_path: Path, command: str) -> None:
    """A comment under a pull request must not stay as it was when the files got wrong."""
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: A_}\n")
    file = tmp_path / "report.md"
    done = netlab(command, "-f", str(tmp_path / "a.yaml"), "--markdown", str(file), "-o", "markdown")
    lines = file.read_text().splitlines()

    assert 2 == done.exit_code
    assert lines == done.stdout.splitlines()
    assert "# Failed: 1 error" in lines
    assert any(line.startswith(f"| `{tmp_path}/a.yaml:3` | Pod") for line in lines)
