"""``netlab test``: scenarios on the real kernel, and their reports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]
SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: NAME}
spec:
  resources: [pods.yaml]
  steps:
  - name: first
    expect:
    - {from: x/a, to: x/b, verdict: VERDICT}
  - expect: [{oracle: true}]
"""
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scenario that passes and one that fails."""
    (tmp_path / "pods.yaml").write_text(PODS)
    (tmp_path / "1-good.yaml").write_text(SCENARIO.replace("NAME", "good").replace("VERDICT", "allow"))
    (tmp_path / "2-bad.yaml").write_text(SCENARIO.replace("NAME", "bad").replace("VERDICT", "deny"))
    return tmp_path


@pytest.mark.kernel
def test_a_line_for_each_scenario_and_each_failure(program: Program, folder: Path) -> None:
    """One fails, so the exit code is 1. A failure has the line of its expectation."""
    done = program("test", folder)
    lines = done.stdout.splitlines()

    assert 1 == done.returncode
    assert lines[0].startswith("good: passed (2 steps, ")
    assert lines[1].startswith("bad: failed (2 steps, ")
    assert lines[2].startswith(
        f"  {folder}/2-bad.yaml:9: step 'first': x/a -> x/b 80/TCP: expected deny, measured allow: no policy"
    )
    assert "2 scenarios: 1 passed, 1 failed, 0 errors" == lines[3]


@pytest.mark.kernel
def test_passing_scenarios_are_exit_code_0(program: Program, folder: Path) -> None:
    """``-v`` prints every step."""
    done = program("test", folder / "1-good.yaml", "-v")

    assert 0 == done.returncode
    assert "  step 'first': 1 asked, 0 wrong (" in done.stdout
    assert "  step 'step 2': 2 asked, 0 wrong (" in done.stdout


@pytest.mark.kernel
def test_the_reports_for_programs(program: Program, folder: Path) -> None:
    """The TestReport on standard output, and JUnit XML in a file."""
    junit = folder / "junit.xml"
    report = json.loads(program("test", folder, "-o", "json", "--junit", junit).stdout)
    cases = parse(junit).getroot().findall("testsuite/testcase")  # noqa: S314  netlab wrote it

    assert ("TestReport", 1) == (report["kind"], report["summary"]["failures"])
    assert [("good", "first"), ("good", "step 2"), ("bad", "first"), ("bad", "step 2")] == [
        (case.attrib["classname"], case.attrib["name"]) for case in cases
    ]
    assert [0, 0, 1, 0] == [len(case.findall("failure")) for case in cases]


def test_errors_of_scenarios_show_before_a_lab_is_built(program: Program, folder: Path) -> None:
    """Exit code 2 with every problem of every scenario; no scenario runs."""
    text = SCENARIO.replace("NAME", "worse").replace("VERDICT", "deny").replace("x/b", "x/c")
    (folder / "3-worse.yaml").write_text(text.replace("- {", '- {from: "y/*", to: x/a, verdict: deny}\n    - {'))
    done = program("test", folder)

    assert (2, "") == (done.returncode, done.stdout)
    assert [
        f"{folder}/3-worse.yaml:9: Scenario worse: spec.steps[0].expect[0]: matches no pair: 'y/*' matches nothing",
        f"{folder}/3-worse.yaml:10: Scenario worse: spec.steps[0].expect[1]: no pod or workload 'x/c';"
        " did you mean x/b or x/a?",
    ] == done.stderr.splitlines()


@pytest.mark.kernel
def test_a_host_that_cannot_build_labs_is_exit_code_3(program: Program, folder: Path) -> None:
    """Without nft every scenario is an error, and none a wrong verdict."""
    junit = folder / "junit.xml"
    script = f"from netlab.kernel import nft; nft._SEARCH = {str(folder)!r}; from netlab.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "test", str(folder), "--junit", str(junit)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    suites = parse(junit).getroot()  # noqa: S314  netlab wrote it

    assert 3 == done.returncode
    assert "  no nft program on this host; install it: sudo apt-get install nftables" in done.stdout.splitlines()
    assert ["4", "0", "2", "2"] == [suites.attrib[name] for name in ("tests", "failures", "errors", "skipped")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: No such file or directory"),
        (["examples/shop"], "Error: no Scenario and no Invariants in examples/shop"),
        (
            ["scenarios/00-three-pods.yaml", "--junit", "nowhere/x.xml"],
            "Error: --junit nowhere/x.xml: no directory nowhere",
        ),
    ],
)
def test_mistakes(program: Program, arguments: list[str], message: str) -> None:
    """Exit code 2, before anything is built."""
    done = program("test", *arguments)

    assert (2, "", [message]) == (done.returncode, done.stdout, done.stderr.splitlines())
