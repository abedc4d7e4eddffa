"""The containers of pods that run programs, without programs: order, restarts, pauses, phases."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.containers import Containers
from netlab.errors import HostError

UID = "uid-1"


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Programs:
    """Programs that run until a test ends them; ``broken`` cannot be started."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.sent: list[tuple[str, int]] = []
        self.broken: set[str] = set()

    def start(self, uid: str, container: Container) -> Any:
        if container.name in self.broken:
            raise HostError("it cannot start")
        self.started.append(container.name)
        sent, name = self.sent, container.name

        class Handle:
            def send(self, number: int) -> None:
                sent.append((name, number))

        return Handle()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def states(programs: Programs, clock: Clock) -> Containers:
    return Containers(programs.start, clock)


def container(name: str, restarts: str = "Always", *, init: bool = False, argv: tuple[str, ...] = ("x",)) -> Container:
    return Container(name, argv, {}, "/", init, restarts)


def state(states: Containers, name: str) -> tuple[str, str, int]:
    found = (states.shown(UID) or {})[name]
    return found.state.kind, found.state.reason, found.restarts


def test_init_containers_run_one_after_the_other_and_then_all_others(states, programs):
    """A failure of one is tried again; the pod waits."""
    first, second = container("first", "OnFailure", init=True), container("second", "OnFailure", init=True)
    states.begin(UID, [first, second, container("a"), container("b")], {})
    assert (["first"], "Pending") == (programs.started, states.phase(UID))
    states.ended(UID, "first", 0, "")
    assert (["first", "second"], False) == (programs.started, states.initialized(UID))
    states.ended(UID, "second", 1, "")
    states.ended(UID, "second", 0, "")

    assert ["first", "second", "second", "a", "b"] == programs.started
    assert (True, "Running", True) == (states.initialized(UID), states.phase(UID), states.ready(UID))
    assert ("terminated", "Completed", 1) == state(states, "second")


def test_a_sidecar_runs_beside_what_comes_after_it(states, programs):
    """It is no end that is waited for; it ends with the pod's own containers."""
    states.begin(UID, [container("side", init=True), container("main", "Never")], {})
    assert ["side", "main"] == programs.started
    states.ended(UID, "main", 0, "")

    assert [("side", 15)] == programs.sent
    assert "Succeeded" == states.phase(UID)


def test_an_init_container_that_fails_for_good_fails_the_pod(states, programs):
    """With restartPolicy Never."""
    states.begin(UID, [container("first", "Never", init=True), container("main", "Never")], {})
    states.ended(UID, "first", 3, "")

    assert (["first"], "Failed") == (programs.started, states.phase(UID))


@pytest.mark.parametrize(
    ("policy", "code", "phase", "runs"),
    [
        ("Always", 0, "Running", 2),
        ("Always", 1, "Running", 2),
        ("OnFailure", 0, "Succeeded", 1),
        ("OnFailure", 1, "Running", 2),
        ("Never", 0, "Succeeded", 1),
        ("Never", 1, "Failed", 1),
    ],
)
def test_the_policy_says_what_starts_again(states, programs, policy, code, phase, runs):
    """And so the phase."""
    states.begin(UID, [container("a", policy)], {})
    states.ended(UID, "a", code, "")

    assert (phase, runs) == (states.phase(UID), len(programs.started))


def test_a_pod_ends_with_the_last_of_its_containers(states):
    """One that failed makes it failed."""
    states.begin(UID, [container("a", "Never"), container("b", "Never")], {})
    states.ended(UID, "a", 2, "")
    assert "Running" == states.phase(UID)
    states.ended(UID, "b", 0, "")

    assert "Failed" == states.phase(UID)


def test_the_pauses_between_starts_grow(states, programs, clock):
    """At once, then 10, 20 and 40 seconds; meanwhile the container waits."""
    states.begin(UID, [container("a")], {})
    pauses = []
    for _ in range(4):
        states.ended(UID, "a", 1, "")
        waited = 0
        while state(states, "a")[0] != "running":
            assert ("waiting", "CrashLoopBackOff") == state(states, "a")[:2]
            assert states.waiting
            clock.now += 1
            waited += 1
            states.turn()
        pauses.append(waited)

    assert [0, 10, 20, 40] == pauses
    assert 4 == state(states, "a")[2]
    last = (states.shown(UID) or {})["a"].last
    assert last is not None
    assert ("terminated", 1) == (last.kind, last.code)


def test_a_program_that_ran_for_long_starts_again_at_once(states, clock):
    """At once, as the first time: ten minutes count as a success."""
    states.begin(UID, [container("a")], {})
    for _ in range(4):
        states.ended(UID, "a", 1, "")
        clock.now += 300
        states.turn()
    clock.now += 700
    states.ended(UID, "a", 1, "")

    assert "running" == state(states, "a")[0]


def test_a_program_that_cannot_start_is_tried_again(states, programs, clock):
    """At once and after pauses; the reason is in the state before."""
    programs.broken.add("a")
    states.begin(UID, [container("a")], {})
    assert ("waiting", "CrashLoopBackOff", 1) == state(states, "a")
    programs.broken.clear()
    clock.now += 11
    states.turn()

    assert ("running", "", 2) == state(states, "a")
    last = (states.shown(UID) or {})["a"].last
    assert last is not None
    assert ("StartError", "it cannot start", 128) == (last.reason, last.message, last.code)


def test_nothing_starts_again_in_a_pod_that_has_to_end(states, programs):
    """Its programs can be killed."""
    states.begin(UID, [container("a"), container("b")], {})
    states.stop(UID)
    states.ended(UID, "a", 0, "")
    states.kill(UID)

    assert (["a", "b"], [("b", 9)]) == (programs.started, programs.sent)
    assert not states.waiting


def test_a_pause_runs_until_the_pod_ends_and_has_ended_as_init_container(states, programs):
    """A container without a program never ends by itself."""
    wait = container("wait", "Never", argv=())
    states.begin(UID, [container("first", "Never", init=True, argv=()), wait, container("job", "Never")], {})
    states.ended(UID, "job", 0, "")

    assert ["job"] == programs.started
    assert ("terminated", "Completed") == state(states, "first")[:2]
    assert "Running" == states.phase(UID)


def test_what_ended_before_netlab_was_started_anew_stays_so(states, programs):
    """What ran starts again, and is counted; a Never that ran has failed."""
    ended = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "restartCount": 0}
    ran = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "restartCount": 2}
    states.begin(UID, [container("a", "OnFailure"), container("b", "OnFailure")], {"a": ended, "b": ran})
    states.begin("uid-2", [container("c", "Never")], {"c": ran})

    assert (["b"], 3) == (programs.started, state(states, "b")[2])
    assert "Failed" == states.phase("uid-2")


def test_pods_that_are_gone_are_forgotten(states, programs):
    """Their programs are killed; an end that comes late is nothing."""
    states.begin(UID, [container("a")], {})
    states.forget([UID])
    states.ended(UID, "a", 0, "")

    assert ([("a", 9)], []) == (programs.sent, states.known())
    assert states.shown(UID) is None
