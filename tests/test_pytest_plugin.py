"""Scenario files as pytest's tests, and the ``lab`` fixture: each in a pytest of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import netlab.scenario.in_steps  # noqa: F401  what each pytest in this process would import again

pytest_plugins = ["pytester"]

PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x}
"""
SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: lesson}
spec:
  resources: [pods.yaml]
  steps:
  - name: open
    expect: [{from: x/a, to: x/b, verdict: allow}]
  - name: closed
    apply:
    - apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: {name: deny, namespace: x}
      spec: {podSelector: {}}
    expect: [{from: x/a, to: x/b, verdict: deny}]
  - name: wrong
    expect: [{from: x/a, to: x/b, verdict: allow}]
"""
INVARIANTS = """\
apiVersion: netlab/v1alpha1
kind: Invariants
metadata: {name: strict}
spec:
  resources: [labelled.yaml]
  rules:
  - {name: a is closed, from: {pods: {app: b}}, to: {pods: {app: a}}, verdict: deny}
  - {name: b is closed, from: {pods: {app: a}}, to: {pods: {app: b}}, verdict: deny}
  - {name: c is closed, from: {pods: {app: a}}, to: {pods: {app: c}}, verdict: deny}
"""
LABELLED = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: b}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress]}
"""
TEST = """\
def test_lab(lab):
    made = lab("pods.yaml")
    (row,) = made.probe(flow for flow in flows(made) if flow.source.ref == "x/a")
    assert row.verdict == "allow"

def flows(made):
    from netlab import every_pair
    return every_pair(made.cluster)
"""
Pytest = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Pytest:
    """Run pytest in a folder with pods and a scenario; return what it prints."""
    (tmp_path / "pods.yaml").write_text(PODS)
    (tmp_path / "lesson.yaml").write_text(SCENARIO)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.chdir(tmp_path)

    def pytest_run(*arguments: str) -> list[str]:
        plugins = ("-p", "netlab.pytest_plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_inprocess(*plugins, f"--rootdir={tmp_path}", "-rA", *arguments).outlines

    return pytest_run


def outcomes(lines: list[str]) -> list[str]:
    """Return the lines of the summary, without the reasons."""
    return [line.split(" - ")[0] for line in lines if line.startswith(("PASSED", "FAILED", "ERROR"))]


@pytest.mark.kernel
def test_every_expectation_is_a_test(run: Pytest) -> None:
    """It fails with the expectation's line, the pair, both verdicts and the packet's trace, without a traceback."""
    lines = run("--netlab")

    assert [
        "PASSED lesson.yaml::lesson::open::x/a->x/b allow",
        "PASSED lesson.yaml::lesson::closed::x/a->x/b deny",
        "FAILED lesson.yaml::lesson::wrong::x/a->x/b allow",
    ] == outcomes(lines)
    assert any(
        "lesson.yaml:17: x/a -> x/b 80/TCP IPv4: expected allow, measured deny: ingress of x/b" in line
        for line in lines
    )
    assert any(line.startswith("node-1   inet netlab deny_in") for line in lines)
    assert {"packet:  deny: never arrived; a control packet sent after it did", "both agree"} <= {*lines}
    assert not any("Traceback" in line or "netlab/pytest_plugin.py" in line for line in lines)


@pytest.mark.kernel
def test_a_step_on_its_own_has_the_changes_of_those_before_it(run: Pytest) -> None:
    """The changes of deselected steps, and of steps of other workers, are made."""

    assert ["PASSED lesson.yaml::lesson::closed::x/a->x/b deny"] == outcomes(run("--netlab", "-k", "closed"))


def test_files_are_collected_only_if_selected(run: Pytest, tmp_path: Path) -> None:
    """An option or globs select them; manifests are not collected."""
    (tmp_path / "other.yaml").write_text(SCENARIO.replace("lesson", "other"))
    nothing = run()
    (tmp_path / "pytest.ini").write_text("[pytest]\nnetlab_scenarios = oth*.yaml\n")

    assert [] == outcomes(nothing)
    assert {"other.yaml"} == {line.split()[1].split("::")[0] for line in outcomes(run())}


def test_a_scenario_with_errors_is_an_error_of_collection(run: Pytest, tmp_path: Path) -> None:
    """With the line of what is wrong."""
    (tmp_path / "lesson.yaml").write_text(SCENARIO.replace("to: x/b, verdict: deny", "to: x/c, verdict: deny"))
    lines = run("--netlab")

    assert ["ERROR lesson.yaml"] == outcomes(lines)
    assert any("lesson.yaml:15: Scenario lesson: spec.steps[1].expect[0]: no pod or workload 'x/c'" in x for x in lines)


def test_every_rule_of_invariants_is_a_test_without_a_lab(run: Pytest, tmp_path: Path) -> None:
    """It fails with the rule's line and the pairs that break it."""
    (tmp_path / "rules.netlab.yaml").write_text(INVARIANTS)
    (tmp_path / "labelled.yaml").write_text(LABELLED)
    lines = run()

    assert [
        "PASSED rules.netlab.yaml::strict::a is closed",
        "FAILED rules.netlab.yaml::strict::b is closed",
        "FAILED rules.netlab.yaml::strict::c is closed",
    ] == outcomes(lines)
    assert any("rules.netlab.yaml:8: x/a -> x/b every port IPv4: expected deny, found allow" in line for line in lines)
    assert any("{pods: {app: c}}: proves nothing: no pod matches {pods: {app: c}}" in line for line in lines)
    assert not any("Traceback" in line or "netlab/pytest_plugin.py" in line for line in lines)


@pytest.mark.kernel
def test_rules_are_judged_by_packets_where_an_option_says_so(run: Pytest, tmp_path: Path) -> None:
    """The lab is built once, and packets agree with the evaluator."""
    (tmp_path / "rules.netlab.yaml").write_text(INVARIANTS)
    (tmp_path / "labelled.yaml").write_text(LABELLED)

    node = "rules.netlab.yaml::strict::a is closed"
    assert [f"PASSED {node}"] == outcomes(run("--netlab-packets", node))


@pytest.mark.parametrize("allowed", ["--netlab-allow-outside", "netlab_allow_outside = true", ""])
def test_a_scenario_names_files_outside_only_if_allowed(run: Pytest, tmp_path: Path, allowed: str) -> None:
    """By the option or the ini file."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "lesson.yaml").write_text(SCENARIO.replace("[pods.yaml]", "[../pods.yaml]"))
    if "=" in allowed:
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{allowed}\n")
    printed = run("--netlab", "--collect-only", "deep/lesson.yaml", *([allowed] if allowed.startswith("-") else []))

    assert (not allowed) == any("is outside of" in line for line in printed)


@pytest.mark.kernel
def test_the_lab_fixture_builds_labs_from_files_beside_the_test(run: Pytest, tmp_path: Path) -> None:
    """The lab is removed after the test."""
    (tmp_path / "test_it.py").write_text(TEST)

    assert ["PASSED test_it.py::test_lab"] == outcomes(run())


@pytest.mark.kernel
def test_no_name_of_a_step_moves_the_cursor(run: Pytest, tmp_path: Path) -> None:
    """pytest prints the names of tests as they are given to it."""
    hostile = '"s\\e[2J\\r\\u202e\\u2028"'
    (tmp_path / "lesson.yaml").write_text(SCENARIO.replace("name: wrong", f"name: {hostile}"))

    assert r"FAILED lesson.yaml::lesson::s\x1b(2J\r\u202e\u2028::x/a->x/b allow" in outcomes(run("--netlab"))


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: b, namespace: x}
spec: {selector: {statefulset: b}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: x, labels: {statefulset: b}}
"""
SERVICE_TEST = """\
import netlab

def test_service(lab):
    made = lab("pods.yaml", "service.yaml")
    a, service = made.find("x/a"), netlab.find_service(made.cluster, "x/b")
    (row,) = made.probe([netlab.service_flow(a, service, "TCP", 80, 4)])
    assert row.verdict == "allow"
    found = made.run(a, ["getent", "hosts", "b"], seconds=5)
    assert (0, "b.x.svc.cluster.local") == (found.status, found.stdout.split()[1])
"""
EXPECTED = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: expected}
spec:
  resources: [pods.yaml, service.yaml]
  steps:
  - name: programs
    expect:
    - {from: x/a, to: "http://b/hostname", status: 200, body: c}
    - {from: x/a, lookup: nosuch.x, addresses: [10.0.0.1]}
"""


@pytest.mark.kernel
def test_a_lab_of_the_fixture_has_services_and_names(run: Pytest, tmp_path: Path) -> None:
    """A Service is a destination, and programs run in the lab."""
    (tmp_path / "service.yaml").write_text(SERVICE)
    (tmp_path / "test_it.py").write_text(SERVICE_TEST)

    assert ["PASSED test_it.py::test_service"] == outcomes(run("test_it.py"))


@pytest.mark.kernel
def test_a_failed_lookup_is_one_line(run: Pytest, tmp_path: Path) -> None:
    """As a wrong verdict is."""
    (tmp_path / "service.yaml").write_text(SERVICE)
    (tmp_path / "expected.yaml").write_text(EXPECTED)
    lines = run("--netlab", "expected.yaml")

    assert [
        'PASSED expected.yaml::expected::programs::x/a->GET http://b/hostname 200 "c"',
        "FAILED expected.yaml::expected::programs::x/a->lookup nosuch.x 10.0.0.1",
    ] == outcomes(lines)
    assert any(
        "expected.yaml:10: x/a -> lookup nosuch.x: expected 10.0.0.1, measured no such name" in line for line in lines
    )
