"""Steps that kill pods, stop nodes and roll out, and clients that ask meanwhile."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from failing import Data, pod, service, topology, workload
from scenario_files import scenarios_of

from netlab.errors import InputError
from netlab.objects.scenarios import Scenario
from netlab.programs.asking import Asking
from netlab.report.scenarios import failure_line
from netlab.report.yaml_text import lines
from netlab.scenario.dry_run import dry_run
from netlab.scenario.run import run

SHOP = [
    topology("n1", "n2", name="meanwhile"),
    workload("Deployment", "web", 2),
    workload("StatefulSet", "db", 1),
    service("web"),
    pod("client", "n1"),
]
ASKING: Data = {"from": "x/client", "to": "service:x/web", "port": 80}


def scenario(folder: Path, *steps: Data) -> Scenario:
    spec = {"resources": ["shop.yaml"], "steps": list(steps)}
    made = {"apiVersion": "netlab/v1alpha1", "kind": "Scenario", "metadata": {"name": "meanwhile"}, "spec": spec}
    (folder / "shop.yaml").write_text("\n---\n".join("\n".join(lines(one)) for one in SHOP))
    (folder / "scenario.yaml").write_text("\n".join(lines(made)))
    found, problems = scenarios_of([str(folder / "scenario.yaml")])
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    return found[0]


def asking(**lost: int) -> list[Data]:
    return [{**ASKING, "lost": lost}]


@pytest.mark.kernel
def test_clients_ask_while_a_step_makes_its_changes(tmp_path: Path) -> None:
    """A rolling update and a start lose nothing; without any pod, all is lost until one is back."""
    recreated = workload("Deployment", "web", 2, image="two", strategy={"type": "Recreate"})
    rolled = workload("Deployment", "web", 2, image="three", strategy={"rollingUpdate": {"maxUnavailable": 0}})
    found = scenario(
        tmp_path,
        {"stop": ["n2"], "expect": [{"from": "x/client", "to": "node:n2", "verdict": "deny"}]},
        {"start": ["n2"], "meanwhile": asking(atMost=0)},
        {"kill": ["x/web-2"], "meanwhile": asking(atMost=1000)},
        {"rollout": [recreated], "meanwhile": asking(atLeast=1)},
        {"rollout": [rolled], "meanwhile": asking(atMost=0), "expect": [{"oracle": True}]},
    )

    result = run(found)

    assert "passed" == result.outcome, [failure_line(one) for step in result.steps for one in step.failures]


@pytest.mark.kernel
def test_too_many_lost_questions_are_a_failure(tmp_path: Path) -> None:
    """The line of the client says how many were lost, and why."""
    recreated = workload("Deployment", "web", 2, image="two", strategy={"type": "Recreate"})
    found = scenario(tmp_path, {"rollout": [recreated], "meanwhile": asking(atMost=0)})

    (step,) = run(found).steps

    (failure,) = step.failures
    assert "expected at most 0 lost, measured " in failure_line(failure)
    assert "x/client -> asking service:x/web:80" in failure_line(failure)
    assert 1 == step.expectations == step.pairs


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"kill": ["x/web-7"]}, "spec.steps[0].kill[0]: no pod or workload 'x/web-7'"),
        ({"kill": ["node:n1"]}, "spec.steps[0].kill[0]: "),
        ({"stop": ["n7"]}, "spec.steps[0].stop[0]: no node 'n7' in the lab, which has n1, n2"),
        ({"start": ["n7"]}, "spec.steps[0].start[0]: no node 'n7' in the lab, which has n1, n2"),
        (
            {"stop": ["n1"], "meanwhile": [{**ASKING, "to": "service:x/nothing", "lost": {"atMost": 0}}]},
            "spec.steps[0].meanwhile[0]: no Service 'x/nothing'",
        ),
        (
            {"stop": ["n1"], "meanwhile": [{**ASKING, "from": "x/nobody", "lost": {"atMost": 0}}]},
            "spec.steps[0].meanwhile[0]: no pod or workload 'x/nobody'",
        ),
        ({"stop": ["n1"], "meanwhile": [ASKING]}, "spec.steps[0].meanwhile[0].lost: Required value"),
        (
            {"stop": ["n1"], "meanwhile": [{**ASKING, "lost": {"atMost": 0}}] * 17},
            "spec.steps[0].meanwhile[16]: 17 clients: a step has at most 16; name one source, or a family",
        ),
        (
            {"stop": ["n1"], "meanwhile": [{**ASKING, "lost": {}}]},
            "spec.steps[0].meanwhile[0].lost: Required value: has at least one of atMost and atLeast",
        ),
        (
            {"stop": ["n1"], "meanwhile": [{**ASKING, "to": "node:n2", "lost": {"atMost": 0}}]},
            'spec.steps[0].meanwhile[0].to: Invalid value: "node:n2": must be service:NAMESPACE/NAME or NAMESPACE/POD',
        ),
        (
            {"expect": [{"oracle": True}], "meanwhile": [{**ASKING, "lost": {"atMost": 0}}]},
            "spec.steps[0].meanwhile: Forbidden: may not be specified without one of apply, rollout,",
        ),
    ],
)
def test_errors_of_failures_are_found_before_a_lab_is_built(tmp_path: Path, step: Data, message: str) -> None:
    """Unknown pods and nodes, and clients without an answer to expect."""
    with pytest.raises(InputError) as error:
        dry_run(scenario(tmp_path, step))

    assert any(f"{one.path}: {one.message}".startswith(message) for one in error.value.problems), error.value.problems


def test_the_dry_run_knows_the_pods_after_each_step(tmp_path: Path) -> None:
    """So an expectation may name a pod that a step makes, and none that it ends."""
    changed = workload("Deployment", "web", 2, image="two")
    expected = {"from": "x/client", "port": 80, "verdict": "allow"}
    steps: list[Data] = [
        {"kill": ["x/web-0"], "expect": [{**expected, "to": "x/web-2"}]},
        {"rollout": [changed], "expect": [{**expected, "to": "x/web-4"}]},
    ]

    dry_run(scenario(tmp_path, *steps))
    with pytest.raises(InputError, match="no pod or workload 'x/web-0'"):
        dry_run(scenario(tmp_path, {**steps[0], "expect": [{**expected, "to": "x/web-0"}]}))


def test_a_profile_reaches_the_topology_of_a_rollout(tmp_path: Path) -> None:
    """Every document that a step brings is named alike."""
    from netlab.profiles.documents import scenario_with_profile

    found = scenario_with_profile(scenario(tmp_path, {"rollout": [SHOP[0]]}), "calico")

    assert ["calico"] == [one.data["spec"]["profile"] for one in found.steps[0].rollout]


@pytest.fixture
def stopping() -> Callable[[Asking, Callable[[], None]], dict[str, object]]:
    """Return a function that asks until a function has ended, and returns what became of the questions."""

    def ask(asking: Asking, until: Callable[[], None]) -> dict[str, object]:
        (stopped, stop), (first, told) = os.pipe(), os.pipe()
        try:
            client = threading.Thread(target=asking.run, args=(stopped, told))
            client.start()
            os.read(first, 1)
            until()
            os.write(stop, b".")
            client.join()
        finally:
            for number in (stopped, stop, first, told):
                os.close(number)
        found: dict[str, object] = json.loads(asking.document())
        return found

    return ask


def test_a_question_is_answered_by_a_program_that_listens(
    stopping: Callable[[Asking, Callable[[], None]], dict[str, object]],
) -> None:
    """On loopback, none is lost; without a program, all are refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answered = stopping(Asking("127.0.0.1", port), lambda: None)
    refused = stopping(Asking("127.0.0.1", port), lambda: None)

    assert (0, "", 0.0) == (answered["lost"], answered["first"], answered["longest"])
    assert refused["asked"] == refused["lost"]
    assert "Connection refused" == refused["first"]


def test_lost_questions_count_until_the_next_answer(
    stopping: Callable[[Asking, Callable[[], None]], dict[str, object]],
) -> None:
    """A program that is away for a moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    asking = Asking("127.0.0.1", port)
    opened: list[socket.socket] = []

    def listen() -> None:
        opened.append(socket.create_server(("127.0.0.1", port)))
        opened[0].accept()[0].close()

    try:
        found = stopping(asking, listen)
    finally:
        for one in opened:
            one.close()

    assert 0 < int(str(found["lost"])) < int(str(found["asked"]))
    assert float(str(found["longest"])) > 0


def test_the_client_needs_the_standard_library_only() -> None:
    """Its user may not be able to read modules."""
    code = "import sys; import netlab.programs.asking; print([n for n in sys.modules if n.startswith('netlab.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "['netlab.programs', 'netlab.programs.asking']" == done.stdout.strip()
