"""How scenario files become tests: their ids, their order, their states, and where no lab can be built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

import netlab.pytest_plugin
import netlab.scenario.files  # noqa: F401  what a pytest in this process would import each time
from netlab.errors import HostError, NetlabError
from netlab.objects.scenarios import Expectation, HttpExpectation, LookupExpectation, ProgramExpectation, RunExpectation
from netlab.scenario import in_steps
from netlab.scenario.results import StepResult
from netlab.scenario.titles import title

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
    expect:
    - {from: "x/*", to: "x/[ab]", port: 80, verdict: allow}
    - {from: x/a, to: "fd00::9", port: 53, protocol: UDP, family: 6, verdict: deny}
  - name: "labels :: [two]"
    label: [{pod: x/a, labels: {tier: web}}]
  - name: closed
    expect:
    - {from: x/a, to: x/b, protocol: ICMP, verdict: deny}
    - {from: x/a, to: x/b, protocol: ICMP, verdict: deny}
    - oracle: true
"""
IDS = [
    "shop.netlab.yaml::lesson::open::x/*->x/[ab]:80-TCP allow",
    "shop.netlab.yaml::lesson::open::x/a->[fd00::9]:53-UDP IPv6 deny",
    "shop.netlab.yaml::lesson::labels : (two)::changes",
    "shop.netlab.yaml::lesson::closed::x/a->x/b-ICMP deny",
    "shop.netlab.yaml::lesson::closed::x/a->x/b-ICMP deny (2)",
    "shop.netlab.yaml::lesson::closed::every pair",
]


@pytest.fixture
def here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with pods and a scenario."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\n")
    (pytester.path / "pods.yaml").write_text(PODS)
    (pytester.path / "shop.netlab.yaml").write_text(SCENARIO)
    return pytester


def run(here: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in the folder."""
    return here.runpytest_inprocess("-p", "netlab.pytest_plugin", "-p", "no:cacheprovider", *arguments)


def collected(here: pytest.Pytester, *arguments: str) -> list[str]:
    """Return the ids of the tests that are collected."""
    found = run(here, "--collect-only", "-q", *arguments)
    return [line for line in found.outlines if "::" in line]


def test_a_test_has_an_id_that_selects_it(here: pytest.Pytester) -> None:
    """The id says file, scenario, step, pair and verdict. No option is needed."""
    assert IDS == collected(here)
    for one in IDS[1:4]:
        assert [one] == collected(here, one)


@pytest.mark.parametrize(
    ("arguments", "number"), [(["-k", "closed"], 3), (["-k", "ICMP or changes"], 3), (["-m", "not netlab"], 0)]
)
def test_words_and_markers_select_tests(here: pytest.Pytester, arguments: list[str], number: int) -> None:
    """Names of steps are words for ``-k``; every test of a lab has the marker ``netlab``."""
    assert number == len(collected(here, *arguments, "--strict-markers"))


def test_the_tests_of_a_scenario_stay_in_one_worker(here: pytest.Pytester) -> None:
    """With ``--dist loadgroup`` of xdist."""
    here.makeconftest(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: print([m.args for m in item.iter_markers('xdist_group')])"
    )
    found = run(here, "-p", "xdist.plugin", "--collect-only", "-q")

    assert 6 == found.outlines.count("[('lesson',)]")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Expectation("a", "b"), "a->b allow"),
        (Expectation("a", "b", "http", "UDP", "some", 4), "a->b:http-UDP IPv4 some"),
        (HttpExpectation("a", "http://b/", 200, "x y"), 'a->GET http://b/ 200 "x y"'),
        (HttpExpectation("a", "http://b/", answered=False), "a->GET http://b/ no answer"),
        (LookupExpectation("a", "b.c"), "a->lookup b.c no such name"),
        (LookupExpectation("a", "b.c", None), "a->lookup b.c no answer"),
        (RunExpectation("a", ("ls", "x y"), 2, ""), "a->run ls 'x y' exit 2 \"\""),
        (RunExpectation("a", ("e\x1b[2J",)), "a->run 'e\\x1b[2J' exit 0"),
        (Expectation("a" * 300, "b"), "a" * 159 + "…"),
    ],
)
def test_titles(asked: Expectation | ProgramExpectation, text: str) -> None:
    """One printable line, of a bounded length."""
    assert text == title(asked)


class Recorder:
    """Stands for a lab and its runner: it records what is built, changed and asked."""

    seen: ClassVar[list[str]]
    broken = ""

    def __init__(self, scenario: Any, lab: Any) -> None:
        pass

    def change(self, step: Any) -> None:
        if step.name == self.broken:
            raise NetlabError("the kernel refused")
        self.seen.append(f"change {step.name}")

    def step(self, step: Any) -> StepResult:
        assert ((), (), ()) == (step.apply, step.label, step.delete)
        self.seen.append(f"ask {step.name}")
        return StepResult(step.name, len(step.expect), len(step.expect))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    """In place of labs."""

    class Own(Recorder):
        seen: ClassVar[list[str]] = []

    @contextmanager
    def temporary(*_: object, **__: object) -> Iterator[None]:
        Own.seen.append("build")
        yield
        Own.seen.append("remove")

    monkeypatch.setattr(in_steps, "temporary", temporary)
    monkeypatch.setattr(in_steps, "StepRunner", Own)
    monkeypatch.setattr(in_steps.InSteps, "lab", None)
    return Own


def test_steps_are_carried_out_once_in_their_order(here: pytest.Pytester, recorder: type[Recorder]) -> None:
    """And one lab is built for the scenario."""
    run(here).assert_outcomes(passed=6)

    changes = [one for one in recorder.seen if one.startswith("change")]
    assert ["change open", "change labels :: [two]", "change closed"] == changes
    assert ["build", "change open", "ask open", "ask open"] == recorder.seen[:4]
    assert ["change closed", *["ask closed"] * 3, "remove"] == recorder.seen[-5:]


def test_a_test_alone_makes_the_changes_of_earlier_steps(here: pytest.Pytester, recorder: type[Recorder]) -> None:
    """Deselected tests, and those of other workers, leave none out."""
    run(here, "-k", "every").assert_outcomes(passed=1, deselected=5)

    assert ["change open", "change labels :: [two]", "change closed", "ask closed"] == recorder.seen[1:-1]


def test_an_earlier_step_after_a_later_one_gets_a_new_lab(here: pytest.Pytester, recorder: type[Recorder]) -> None:
    """Whatever a plugin does to the order of tests, each sees the state of its step."""
    here.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    run(here, "-k", "every or fd00").assert_outcomes(passed=2, deselected=4)

    assert ["ask closed", "remove", "build", "change open", "ask open", "remove"] == recorder.seen[4:]


def test_tests_after_a_step_that_fails_say_so(here: pytest.Pytester, recorder: type[Recorder]) -> None:
    """They have no lab in which to ask; the step's own test has the error."""
    recorder.broken = "labels :: [two]"
    found = run(here)
    found.assert_outcomes(passed=2, failed=4)

    assert 1 == found.outlines.count("the kernel refused")
    assert 3 == found.outlines.count("step 'labels :: [two]' could not be carried out: the kernel refused")
    assert "Traceback" not in found.stdout.str()


@pytest.mark.parametrize("arguments", [[], ["--netlab-no-skip"]])
def test_a_host_without_a_kernel_skips_with_the_reason(
    here: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Or fails, where the option says that labs must be built: a pipeline that skips all is green."""

    def temporary(*_: object, **__: object) -> None:
        raise HostError("no nft program", "install it")

    monkeypatch.setattr(in_steps, "temporary", temporary)
    found = run(here, "-rs", *arguments)

    found.assert_outcomes(**({"errors": 6} if arguments else {"skipped": 6}))
    if arguments:
        assert "no nft program; install it" in found.outlines
        assert "in_steps.py" not in found.stdout.str()
    else:
        found.stdout.fnmatch_lines(["SKIPPED * shop.netlab.yaml:9: no nft program; install it"])


def test_problems_of_a_file_are_lines(here: pytest.Pytester) -> None:
    """As ``netlab check`` prints them, all at once."""
    wrong = SCENARIO.replace("to: x/b, protocol: ICMP", "to: x/c, protocol: ICMP", 1).replace("port: 80", "port: 0")
    (here.path / "shop.netlab.yaml").write_text(wrong)
    found = run(here)

    assert [
        "shop.netlab.yaml:9: Scenario lesson: spec.steps[0].expect[0].port: Invalid value: 0: must be between 1 and"
        " 65535, inclusive",
        "shop.netlab.yaml:15: Scenario lesson: spec.steps[2].expect[0]: no pod or workload 'x/c'; did you mean x/b or"
        " x/a?",
    ] == [line for line in found.outlines if line.startswith("shop.netlab.yaml:")]


def test_an_error_in_a_test_with_a_fixture_is_lines(here: pytest.Pytester) -> None:
    """With the line of the test that made the lab."""
    (here.path / "pods.yaml").write_text(PODS.replace("kind: Pod", "kind: Pud", 1).replace("name: b", "name: B_"))
    here.makepyfile(test_it="def test_it(lab):\n    lab('pods.yaml')\n")
    found = run(here, "test_it.py")

    found.assert_outcomes(failed=1)
    assert "test_it.py:2:" in found.outlines
    assert any(line.startswith(f"{here.path}/pods.yaml:7: Pod x/B_: metadata.name: ") for line in found.outlines)
    assert 0 == found.stdout.str().count("Traceback")
