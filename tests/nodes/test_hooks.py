"""Hooks of containers: what they are, and how they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import any_acts, containers_of
from netlab.control_plane.nodes.hooks import Hook, HookEnded, Hooks, hook_of
from netlab.kernel.ask_port import Answer


def of(written: dict[str, Any], *, runs: bool = True, has_program: bool = True) -> Hook | None:
    ports = [{"name": "http", "containerPort": 8080}]
    one = {"name": "c", "ports": ports, "lifecycle": {"preStop": written}}
    return hook_of(one, "preStop", runs=runs, has_program=has_program)


def test_a_command_is_a_hook_where_programs_may_run():
    """Elsewhere it is none."""
    written = {"exec": {"command": ["sleep", "1"]}}

    assert Hook(command=("sleep", "1")) == of(written)
    assert of(written, runs=False) is None


def test_a_sleep_is_a_hook_everywhere():
    """Also of zero seconds."""
    assert Hook(seconds=2.0) == of({"sleep": {"seconds": 2}}, runs=False)
    assert Hook() == of({"sleep": {"seconds": 0}})


def test_a_request_has_a_path_and_headers():
    """Its port may be a name. An own Host takes the place of netlab's."""
    headers = [{"name": "Host", "value": "a"}, {"name": "X", "value": "b"}]
    found = of({"httpGet": {"port": "http", "path": "bye now", "httpHeaders": headers}})

    assert found is not None
    assert 8080 == found.port
    assert found.question.startswith(b"GET /bye%20now HTTP/1.1\r\nHost: a\r\n")
    assert b"\r\nX: b\r\n" in found.question
    assert found.question.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"tcpSocket": {"port": 80}}, "a hook has no tcpSocket"),
        ({"httpGet": {"port": "none"}}, "httpGet has no port none"),
        ({"httpGet": {"port": 80, "path": "/\r\nX: y"}}, "not printable"),
    ],
)
def test_what_no_kubelet_runs_is_a_hook_that_fails(written, why):
    """The reason is for the log."""
    found = of(written)

    assert found is not None
    assert why in found.problem


@pytest.mark.parametrize("more", [{"host": "10.0.0.9"}, {"scheme": "HTTPS"}])
def test_another_address_and_tls_are_not_asked(more):
    """As by probes."""
    assert of({"httpGet": {"port": 80, **more}}) is None


def test_any_answer_of_http_is_a_success():
    """A kubelet does not look at the status. A closed port fails only a container with a program."""
    asks = Hook(port=80, question=b"x", has_program=True)

    assert "" == asks.failure(b"HTTP/1.1 500 Error\r\n")
    assert "" != asks.failure(b"SSH-2.0")
    assert "" != asks.failure("silence")
    assert "" != asks.failure("nobody")
    assert "" == asks._replace(has_program=False).failure("nobody")
    assert "" != asks._replace(has_program=False).failure("silence")


@pytest.mark.parametrize(
    ("image", "allowed", "hooks"), [("agnhost", "none", True), ("nginx", "none", False), ("nginx", "all", True)]
)
def test_a_container_runs_commands_where_it_may_run_programs(image, allowed, hooks):
    """The stand-in for agnhost has them; a container without a program only where programs of the host are allowed."""
    lifecycle = {kind: {"exec": {"command": ["true"]}} for kind in ("postStart", "preStop")}
    container = {"name": "c", "image": image, "lifecycle": lifecycle}
    pod = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"containers": [container]}}
    (found,) = containers_of(pod, [], [], allowed)
    expected = Hook(command=("true",)) if hooks else None

    assert (expected, expected) == (found.post_start, found.pre_stop)
    assert hooks == any_acts(pod, allowed)


class Bed:
    """Hooks whose commands and answers a test gives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[HookEnded] = []
        self.has_told = threading.Event()
        self.ends: list[Callable[[str], object]] = []
        self.sent: list[int] = []
        self.hooks = Hooks(self._execute, lambda uid, hook, seconds: "silence", self._tell, lambda: self.now)

    def _tell(self, ended: HookEnded) -> None:
        self.told.append(ended)
        self.has_told.set()

    def _execute(self, uid: str, name: str, argv: tuple[str, ...], ended: Callable[[str], object]) -> Any:
        self.ends.append(ended)
        sent = self.sent

        class Handle:
            def send(self, number: int) -> None:
                sent.append(number)

        return Handle()


def test_a_sleep_ends_when_its_time_is_over():
    """No thread waits for it."""
    bed = Bed()
    bed.hooks.start("u", "c", Hook(seconds=5), 1, 60)
    bed.now = 4.9
    bed.hooks.turn()
    assert ([], True) == (bed.told, bed.hooks.waiting)
    bed.now = 5.0
    bed.hooks.turn()

    assert ([HookEnded("u", "c", 1, "")], False) == (bed.told, bed.hooks.waiting)


def test_a_command_tells_how_it_has_ended_and_dies_with_its_pod():
    """One that has ended is not killed."""
    bed = Bed()
    for number in (1, 2):
        bed.hooks.start("u", "c", Hook(command=("x",)), number, 60)
    bed.ends[0]("exit code 3")
    bed.hooks.drop(1)
    bed.hooks.forget("u")

    assert [HookEnded("u", "c", 1, "exit code 3")] == bed.told
    assert [9] == bed.sent


def test_a_request_without_an_answer_has_failed():
    """It is asked in another thread."""
    bed = Bed()
    bed.hooks.start("u", "c", Hook(port=80, question=b"x", has_program=True), 7, 60)
    assert bed.has_told.wait(20)

    assert [HookEnded("u", "c", 7, "port 80 gave no answer of HTTP")] == bed.told


def test_a_hook_that_always_fails_says_so():
    """At the next turn."""
    bed = Bed()
    bed.hooks.start("u", "c", Hook(problem="no"), 1, 60)
    bed.hooks.turn()

    assert [HookEnded("u", "c", 1, "no")] == bed.told


def test_requests_of_a_pod_do_not_wait_for_those_of_another():
    """A stranger's pods may have many, each to a port that never answers."""
    silent, ends = threading.Event(), threading.Event()
    told: list[str] = []

    def ask(uid: str, hook: Hook, seconds: float) -> Answer:
        if uid == "silent":
            silent.wait(60)
        return b"HTTP/1.1 200 OK"

    def tell(ended: HookEnded) -> None:
        told.append(ended.uid)
        if ended.uid == "other" or len(told) == 51:
            ends.set()

    hooks = Hooks(lambda *given: pytest.fail("no command"), ask, tell)
    request = Hook(port=80, question=b"x", has_program=True)
    before = threading.active_count()
    for number in range(50):
        hooks.start("silent", f"c{number}", request, number, 60)
    assert threading.active_count() - before <= 4
    hooks.start("other", "c", request, 99, 60)
    assert ends.wait(20)
    assert ["other"] == told
    ends.clear()
    silent.set()

    assert ends.wait(20)
    assert 51 == len(told)
