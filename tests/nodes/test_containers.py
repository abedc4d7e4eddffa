"""The containers of pods that run programs, without programs: order, restarts, pauses, phases."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.containers import Containers
from netlab.control_plane.nodes.hooks import Hook, HookEnded
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
        self.hooks: list[tuple[str, int, float]] = []
        self.failed: list[tuple[str, str]] = []

    def hook(self, uid: str, name: str, hook: Hook, number: int, seconds: float) -> None:
        if name in self.broken:
            raise HostError("it cannot start")
        self.hooks.append((name, number, seconds))

    def hook_failed(self, uid: str, name: str, kind: str) -> None:
        self.failed.append((name, kind))

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
    return Containers(programs.start, programs.hook, programs.hook_failed, clock)


def container(
    name: str, restarts: str = "Always", *, init: bool = False, argv: tuple[str, ...] = ("x",), **more: Any
) -> Container:
    return Container(name, argv, {}, "/", init, restarts, **more)


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


def test_a_container_runs_since_its_last_start(states, clock):
    """Not before its init containers have ended, not while its hook postStart runs, and not after its end."""
    hook = Hook(seconds=1.0)
    first = container("first", "OnFailure", init=True)
    states.begin(UID, [first, container("a", post_start=hook), container("pause", argv=())], {})
    found = []

    def look() -> None:
        clock.now += 1
        found.append([states.since(UID, name) for name in ("first", "a", "pause")])

    look()
    states.ended(UID, "first", 0, "")
    look()
    states.hooked(HookEnded(UID, "a", 1, ""))
    look()
    states.ended(UID, "a", 1, "")
    look()
    states.hooked(HookEnded(UID, "a", 2, ""))
    states.ended(UID, "a", 1, "")
    look()

    none = None
    assert [
        [1000.0, none, none],
        [none, none, none],
        [none, 1001.0, 1002.0],
        [none, none, 1002.0],
        [none, none, 1002.0],
    ] == found
    assert 0.0 == states.since("uid-of-a-pause", "c")


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


# --- hooks ------------------------------------------------------------------------------------------------------------

HOOK = Hook(command=("true",))


def end_hook(states: Containers, programs: Programs, why: str = "") -> bool:
    """Let the last hook end that was started."""
    name, number, _ = programs.hooks[-1]
    return states.hooked(HookEnded(UID, name, number, why))


def test_a_container_is_not_running_until_its_post_start_has_ended(states, programs):
    """The container after it waits too, and so does the pod."""
    states.begin(UID, [container("a", post_start=HOOK), container("b")], {})
    assert (["a"], ("waiting", "ContainerCreating", 0)) == (programs.started, state(states, "a"))
    assert ("Pending", False) == (states.phase(UID), states.ready(UID))

    assert end_hook(states, programs)
    assert (["a", "b"], "running") == (programs.started, state(states, "a")[0])
    assert ("Running", True) == (states.phase(UID), states.ready(UID))
    assert not end_hook(states, programs)


def test_a_container_whose_post_start_fails_ends_and_starts_again(states, programs, clock):
    """It has its grace period to end; the next start runs the hook again."""
    states.begin(UID, [container("a", post_start=HOOK)], {}, 7.0)
    end_hook(states, programs, "exit code 1")
    assert ([("a", "postStart")], [("a", 15)]) == (programs.failed, programs.sent)
    clock.now += 7
    states.turn()
    assert ("a", 9) == programs.sent[-1]
    states.ended(UID, "a", 137, "")

    assert (["a", "a"], 2) == (programs.started, len(programs.hooks))
    assert ("waiting", "ContainerCreating", 1) == state(states, "a")


def test_a_pause_whose_post_start_fails_has_failed(states, programs):
    """It has no program that could end."""
    states.begin(UID, [container("a", "Never", argv=(), post_start=HOOK)], {})
    end_hook(states, programs, "exit code 1")

    assert ("terminated", "Error", 0) == state(states, "a")
    assert "Failed" == states.phase(UID)


def test_a_hook_that_cannot_start_has_failed(states, programs):
    """As a command that is missing."""
    programs.broken.add("a")
    states.begin(UID, [container("a", "Never", argv=(), post_start=HOOK)], {})

    assert states.waiting
    assert {UID} == states.turn()
    assert ([("a", "postStart")], "Failed") == (programs.failed, states.phase(UID))


def test_hundreds_of_hooks_that_cannot_start_fail_one_after_the_other(states, programs, clock):
    """A pod may have as many containers as an object has room for."""
    names = [f"c{number}" for number in range(500)]
    programs.broken.update(names)
    states.begin(UID, [container(name, argv=(), post_start=HOOK) for name in names], {})
    for _ in range(3 * len(names)):
        states.turn()

    assert set(names) == {name for name, _ in programs.failed}
    assert {"CrashLoopBackOff"} == {state(states, name)[1] for name in names}


def test_the_program_gets_sigterm_after_pre_stop_and_what_is_left_of_the_grace_period(states, programs, clock):
    """A container without a hook gets it at once."""
    states.begin(UID, [container("a", pre_stop=HOOK), container("b")], {})
    assert states.end(UID, 10.0)
    assert ([("b", 15)], [("a", 1, 10.0)]) == (programs.sent, programs.hooks)
    clock.now += 4
    end_hook(states, programs)
    assert [("b", 15), ("a", 15)] == programs.sent
    clock.now += 5.9
    states.turn()
    assert [("b", 15), ("a", 15)] == programs.sent
    clock.now += 0.1
    states.turn()

    assert {("a", 9), ("b", 9)} == {*programs.sent[2:]}
    assert states.ends(UID)
    for name in ("a", "b"):
        states.ended(UID, name, 137, "")
    assert (False, ["a", "b"]) == (states.ends(UID), programs.started)


def test_a_pre_stop_that_uses_up_the_grace_period_leaves_two_seconds(states, programs, clock):
    """It is not waited for; a kubelet does not call that a failure."""
    states.begin(UID, [container("a", pre_stop=HOOK)], {})
    states.end(UID, 10.0)
    clock.now += 10
    states.turn()
    assert [("a", 15)] == programs.sent
    clock.now += 1.9
    states.turn()
    assert [("a", 15)] == programs.sent
    clock.now += 0.1
    states.turn()

    assert ([("a", 15), ("a", 9)], []) == (programs.sent, programs.failed)
    assert not end_hook(states, programs)


def test_a_pre_stop_that_fails_is_said_and_the_program_ends(states, programs):
    """A pause ends with its hook."""
    pause = container("b", argv=(), pre_stop=HOOK)
    states.begin(UID, [container("a"), pause], {})
    states.end(UID, 10.0)
    end_hook(states, programs, "exit code 1")

    assert [("b", "preStop")] == programs.failed
    states.ended(UID, "a", 0, "")
    assert not states.ends(UID)
    assert not states.end(UID, 10.0)


def test_a_pod_without_pre_stop_is_left_to_others(states, programs):
    """Nothing is sent to its programs."""
    states.begin(UID, [container("a", post_start=HOOK)], {})

    assert (False, []) == (states.end(UID, 10.0), programs.sent)


def test_a_container_that_starts_anew_runs_pre_stop_first(states, programs, clock):
    """As when its liveness probe fails; a second failure changes nothing."""
    states.begin(UID, [container("a", pre_stop=HOOK)], {}, 10.0)
    states.restart(UID, "a")
    states.restart(UID, "a")
    assert (1, []) == (len(programs.hooks), programs.sent)
    assert states.waiting
    end_hook(states, programs)
    states.ended(UID, "a", 0, "")

    assert ([("a", 15)], ["a", "a"]) == (programs.sent, programs.started)


def test_a_pause_goes_on_when_netlab_is_started_anew(states, programs):
    """Its hook has run."""
    ran = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    states.begin(UID, [container("a", argv=(), post_start=HOOK)], {"a": ran})

    assert ([], True) == (programs.hooks, states.ready(UID))
