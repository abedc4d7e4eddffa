"""Readiness probes: what is asked, what counts as an answer, and when a pod is not ready."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nodes.test_objects import pod

from netlab.control_plane.nodes.readiness import Probe, Prober, probes_of
from netlab.kernel.ask_port import Answer, ask


def probed(**probe: Any) -> dict[str, Any]:
    """Return a pod whose container has a readiness probe and a port with a name."""
    ports = [{"name": "web", "containerPort": 8080}]
    return pod("a", spec={"nodeName": "n1", "containers": [{"name": "c", "ports": ports, "readinessProbe": probe}]})


@pytest.mark.parametrize(
    ("written", "port", "path"),
    [
        ({"tcpSocket": {"port": 80}}, 80, ""),
        ({"tcpSocket": {"port": "web"}}, 8080, ""),
        ({"httpGet": {"port": "web", "path": "/ready"}}, 8080, "/ready"),
        ({"httpGet": {"port": 80}}, 80, "/"),
        ({"httpGet": {"port": 80, "path": "a b"}}, 80, "/a%20b"),
    ],
    ids=["tcp", "name", "http", "no-path", "space"],
)
def test_a_probe_asks_a_port_by_number_or_by_name(written, port, path):
    """A path without a slash gets one."""
    (found,) = probes_of(probed(**written))

    assert (port, path) == (found.port, found.path)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"exec": {"command": ["true"]}},
        {"grpc": {"port": 80}},
        {"tcpSocket": {"port": "none"}},
        {"httpGet": {"port": 80, "scheme": "HTTPS"}},
        {"httpGet": {"port": 80, "host": "example.com"}},
        {"httpGet": {"port": 80, "path": "/a\r\nX: y"}},
    ],
    ids=["none", "exec", "grpc", "unknown-name", "tls", "host", "line-break"],
)
def test_other_probes_are_not_asked(written):
    """They pass, as a pause has no program that could answer."""
    assert [] == probes_of(probed(**written))


@pytest.mark.parametrize(
    ("answer", "tcp", "http"),
    [
        ("nobody", True, True),
        ("silence", False, False),
        (b"", True, False),
        (b"HTTP/1.1 200 OK\r\n", True, True),
        (b"HTTP/1.1 302 Found\r\n", True, True),
        (b"HTTP/1.1 503 Service Unavailable\r\n", True, False),
        (b"SSH-2.0-x 200", True, False),
    ],
)
def test_a_closed_port_passes_and_an_open_one_has_to_answer(answer, tcp, http):
    """Of HTTP every status from 200 to 399 is a success."""
    assert (tcp, http) == (Probe(80).passes(answer), Probe(80, "/").passes(answer))


class Pods:
    """Answers by port, and what was told."""

    def __init__(self) -> None:
        self.answer: Answer | None = "nobody"
        self.told: list[tuple[str, bool]] = []
        self.asked = 0
        # Whether ports can be asked, and what happens while one is.
        self.linked, self.meanwhile = True, lambda: None
        # When the container was started.
        self.since: float | None = 0.0
        tell, at_once = lambda uid, failing: self.told.append((uid, failing)), lambda uid, work: work()
        self.killed: list[str] = []
        kill = lambda uid, container: self.killed.append(container)  # noqa: E731
        self.prober = Prober(self.ask, tell, kill, at_once, lambda uid, probe: self.since if self.linked else None)

    def ask(self, uid: str, probe: Probe) -> Answer | None:
        self.asked += 1
        answer = self.answer
        self.meanwhile()
        return answer


def test_a_pod_is_not_ready_after_its_last_failure_and_ready_after_one_success():
    """failureThreshold failures in a row; each is a period after the one before."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80}, periodSeconds=5, failureThreshold=2)], 0.0)
    pods.answer = "silence"
    for now in (0.0, 1.0, 4.9):
        pods.prober.turn(now)
    assert (1, []) == (pods.asked, pods.told)
    pods.prober.turn(5.0)
    assert [("uid-a", True)] == pods.told
    pods.prober.turn(10.0)
    pods.answer = b""
    pods.prober.turn(15.0)

    assert [("uid-a", True), ("uid-a", False)] == pods.told


def test_a_pod_that_is_forgotten_is_asked_no_more():
    """It is gone."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80})], 0.0)
    assert ["uid-a"] == pods.prober.probed()
    pods.prober.forget(["uid-a"])
    pods.prober.turn(100.0)

    assert 0 == pods.asked


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def test_a_port_is_asked_over_tcp(server):
    """The beginning of the answer counts; a port that nobody has open is told apart from silence."""
    port = server.getsockname()[1]

    def serve() -> None:
        with server.accept()[0] as one:
            one.recv(100)
            one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    assert b"HTTP/1.1 200 OK\r\n\r\n" == ask("127.0.0.1", port, 5, Probe(port, "/").question)
    thread.join()
    assert "silence" == ask("127.0.0.1", port, 0.1, b"x")
    assert b"" == ask("127.0.0.1", port, 5)
    server.close()
    assert "nobody" == ask("127.0.0.1", port, 5)


def test_a_pod_whose_probes_are_silent_delays_no_other_pod():
    """A user may write as many probes as there is room for, each with a long timeout."""
    goes_on, told = threading.Event(), queue.SimpleQueue[str]()

    def ask(uid: str, probe: Probe) -> Answer:
        if uid == "silent":
            assert goes_on.wait(10)
        return "silence"

    prober = Prober(ask, lambda uid, failing: told.put(uid))
    silent, other = (probed(tcpSocket={"port": 80}, failureThreshold=1) for _ in range(2))
    silent["metadata"]["uid"], other["metadata"]["uid"] = "silent", "other"
    silent["spec"]["containers"] *= 20
    try:
        prober.follow([silent, other], 0.0)
        prober.turn(0.0)

        assert "other" == told.get(timeout=10)
    finally:
        goes_on.set()


def test_an_answer_about_a_program_that_has_ended_says_nothing_about_the_next_one():
    """The program started anew while the probe waited."""
    works: list[Callable[[], None]] = []
    told: list[str] = []
    pod = probed(tcpSocket={"port": 80}, failureThreshold=1)

    def ask(uid: str, probe: Probe) -> Answer:
        prober.begin(uid, probe.container, 0.0)
        return "silence"

    prober = Prober(ask, lambda uid, failing: told.append(uid), later=lambda uid, work: works.append(work))
    prober.follow([pod], 0.0)
    prober.turn(0.0)
    for work in works:
        work()

    assert [] == told


def test_a_pod_that_cannot_be_asked_stays_as_it_was():
    """Its node is stopped. Afterwards its failures count from the first on."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80}, periodSeconds=1, failureThreshold=2)], 0.0)
    pods.answer = "silence"
    pods.prober.turn(0.0)
    pods.linked = False
    for now in (1.0, 2.0, 3.0):
        pods.prober.turn(now)
    assert (1, []) == (pods.asked, pods.told)
    pods.linked = True
    pods.prober.turn(4.0)

    assert (2, [("uid-a", True)]) == (pods.asked, pods.told)


@pytest.mark.parametrize("back", [False, True], ids=["stopped", "started-again"])
def test_an_answer_to_what_was_asked_before_a_node_stopped_does_not_count(back):
    """Also where it comes after the node has started again: the question was lost."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80}, failureThreshold=1)], 0.0)
    pods.answer = "silence"

    def stop() -> None:
        pods.linked = False
        if back:
            pods.prober.turn(0.0)
            pods.linked = True

    pods.meanwhile = stop
    pods.prober.turn(0.0)

    assert (1, []) == (pods.asked, pods.told)


def test_an_answer_that_says_nothing_of_the_pod_does_not_count():
    """The probe is asked again."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80}, failureThreshold=1)], 0.0)
    pods.answer = None
    pods.prober.turn(0.0)
    assert (1, []) == (pods.asked, pods.told)
    pods.answer = "silence"
    pods.prober.turn(1.0)

    assert [("uid-a", True)] == pods.told


def live(**probe: Any) -> dict[str, Any]:
    """Return a pod whose container has such a probe of its liveness."""
    found = probed()
    (container,) = found["spec"]["containers"]
    container["livenessProbe"] = {"tcpSocket": {"port": 80}, **probe}
    return found


def test_failures_of_a_container_count_from_its_start_on():
    """Until then its init containers run."""
    pods = Pods()
    pods.since, pods.answer = None, "silence"
    pods.prober.follow([live(periodSeconds=1, failureThreshold=3, initialDelaySeconds=2)], 0.0, lambda uid: ["c"])
    for now in (0.0, 1.0, 2.0, 3.0, 4.0):
        pods.prober.turn(now)
    assert 0 == pods.asked
    pods.since = 5.0
    for now in (5.5, 6.5, 7.0, 8.0):
        pods.prober.turn(now)
    assert (2, []) == (pods.asked, pods.killed)
    pods.prober.turn(9.0)

    assert (3, ["c"]) == (pods.asked, pods.killed)


def test_each_start_of_a_container_has_its_own_delay_and_failures():
    """While it waits for its start, no time goes by for it."""
    pods = Pods()
    pods.answer = "silence"
    pods.prober.follow([live(periodSeconds=1, failureThreshold=2, initialDelaySeconds=5)], 0.0, lambda uid: ["c"])
    pods.prober.turn(5.0)
    pods.since = None
    pods.prober.begin("uid-a", "c", 5.5)
    pods.prober.turn(12.0)
    pods.since = 15.0
    for now in (15.5, 19.0):
        pods.prober.turn(now)
    assert 1 == pods.asked
    pods.prober.turn(20.0)
    assert (2, []) == (pods.asked, pods.killed)
    pods.prober.turn(21.0)

    assert ["c"] == pods.killed


def test_an_answer_about_a_container_that_has_ended_meanwhile_does_not_count():
    """Also before anybody has heard of the end: a command that runs alone may pass."""
    pods = Pods()
    pods.prober.follow([probed(tcpSocket={"port": 80})], 0.0, lambda uid: ["c"])
    pods.answer, pods.meanwhile = b"", lambda: setattr(pods, "since", None)
    pods.prober.turn(0.0)

    assert (1, []) == (pods.asked, pods.told)


def test_a_probe_waits_a_minute_at_the_most():
    """Any number of seconds may be written."""
    (probe,) = probes_of(probed(tcpSocket={"port": 80}, timeoutSeconds=1_000_000))

    assert 60.0 == probe.timeout
