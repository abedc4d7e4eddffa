"""HTTP requests, look-ups and programs: what counts as expected, and what a failure says."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from builders import cluster, pod, topology

from netlab.cluster import Cluster
from netlab.cluster.types import Endpoint
from netlab.errors import NetlabError, UsageError
from netlab.kernel.captured import ProcessResult
from netlab.lab.lab import Lab
from netlab.objects.scenarios import HttpExpectation, LookupExpectation, ProgramExpectation, RunExpectation, Scenario
from netlab.objects.types import Meta
from netlab.report.scenarios import TestReport, failure_line, lines_of
from netlab.scenario.programs import failures
from netlab.scenario.results import ProgramFailure, ScenarioResult, StepResult

SCENARIO = Scenario(Meta("s"))
URL = "http://outside.example/cart"


class Answers(Lab):
    """A lab without a kernel whose programs all end alike."""

    def __init__(self, outcome: ProcessResult) -> None:
        self._outcome = outcome
        self.asked: list[tuple[str, object]] = []

    @property
    def cluster(self) -> Cluster:
        return cluster(topology(["a"]), pod("shop/web"), pod("shop/db"))

    def run(self, place: Endpoint, argv: Sequence[str] | Callable[[], object], seconds: float) -> ProcessResult:  # type: ignore[override]
        self.asked.append((place.ref, argv if isinstance(argv, tuple) else seconds))
        return self._outcome


def ended(status: int | None = 0, stdout: str = "", stderr: str = "", refused: str = "") -> ProcessResult:
    return ProcessResult(status, stdout, stderr, refused)


def said(**found: Any) -> ProcessResult:
    """Return the end of a question that printed its answer."""
    return ended(stdout=json.dumps(found))


def judged(asked: ProgramExpectation, outcome: ProcessResult) -> list[tuple[str, str, str]]:
    """Return the failures as (expected, measured, reason)."""
    return [(one.expected, one.measured, one.reason) for one in failures(Answers(outcome), SCENARIO, [asked])]


def http(**more: Any) -> HttpExpectation:
    return HttpExpectation("shop/web", URL, **more)


OK = {"status": 200, "body": "items: 3", "address": "192.0.2.1:80"}


@pytest.mark.parametrize(
    ("asked", "found", "wrong"),
    [
        (http(status=200), OK, []),
        (http(body="items"), OK, []),
        (http(), OK, []),
        (http(status=404), OK, [("status 404", "status 200", "answered by 192.0.2.1:80")]),
        (
            http(status=200, body="none"),
            OK,
            [('status 200 and a body with "none"', 'status 200 and the body "items: 3"', "answered by 192.0.2.1:80")],
        ),
        (http(answered=False), {"error": "refused"}, []),
        (http(answered=False), OK, [("no answer", "status 200", "answered by 192.0.2.1:80")]),
        (http(status=200), {"error": "refused"}, [("status 200", "no answer", "refused")]),
        (http(), {"error": "refused"}, [("an answer", "no answer", "refused")]),
    ],
)
def test_an_answer_has_the_status_and_contains_the_body(asked, found, wrong):
    """With the verdict deny there must be no answer."""

    assert wrong == judged(asked, said(**found))


def lookup(*addresses: str) -> LookupExpectation:
    from ipaddress import ip_address

    return LookupExpectation("shop/web", "db", tuple(map(ip_address, addresses)))


@pytest.mark.parametrize(
    ("asked", "found", "wrong"),
    [
        (lookup("10.96.0.1", "fd00::1"), {"addresses": ["fd00::1", "10.96.0.1"]}, []),
        (lookup(), {"addresses": []}, []),
        (lookup("10.96.0.1"), {"addresses": ["10.96.0.2"]}, [("10.96.0.1", "10.96.0.2", "")]),
        (lookup("10.96.0.1"), {"addresses": []}, [("10.96.0.1", "no such name", "")]),
        (lookup(), {"error": "no server answers"}, [("no such name", "no answer", "no server answers")]),
        (LookupExpectation("shop/web", "db", None), {"error": "no server answers"}, []),
        (LookupExpectation("shop/web", "db", None), {"addresses": []}, [("no answer", "no such name", "")]),
    ],
)
def test_a_name_has_all_the_addresses_and_no_other(asked, found, wrong):
    """That there is no such name differs from no answer."""

    assert wrong == judged(asked, said(**found))


def run(exit_status: int = 0, stdout: str | None = None) -> RunExpectation:
    return RunExpectation("shop/web", ("curl", "x"), exit_status, stdout)


@pytest.mark.parametrize(
    ("asked", "outcome", "wrong"),
    [
        (run(), ended(), []),
        (run(7), ended(7), []),
        (run(stdout="b"), ended(stdout="abc\n"), []),
        (run(stdout=""), ended(), []),
        (run(), ended(7, stderr="why\n"), [("exit 0", "exit 7", '"why\\n"')]),
        (run(), ended(-11), [("exit 0", "end by signal 11", "")]),
        (run(), ended(None), [("exit 0", "no end within 5 s", "")]),
        (run(), ended(127, refused="curl: no such program"), [("exit 0", "not run", "curl: no such program")]),
        (run(stdout="x"), ended(stdout="abc"), [('exit 0 and "x"', 'exit 0 and "abc"', "")]),
        (run(stdout=""), ended(stdout="abc"), [("exit 0 and no output", 'exit 0 and "abc"', "")]),
        (run(stdout="x"), ended(), [('exit 0 and "x"', "exit 0 and no output", "")]),
    ],
)
def test_a_program_ends_as_it_should(asked, outcome, wrong):
    """Exit status, output and time limit are compared."""

    assert wrong == judged(asked, outcome)


def test_a_question_that_is_not_answered_in_time_has_no_answer():
    """The resolver may wait for longer."""

    assert [("10.96.0.1", "no answer", "no answer within 5 s")] == judged(lookup("10.96.0.1"), ended(None))


def test_a_question_that_cannot_be_asked_is_an_error():
    """The outcome would say nothing about the lab."""
    with pytest.raises(NetlabError, match="cannot ask inside the lab: gone"):
        judged(lookup(), ended(127, refused="gone"))


def test_a_glob_asks_each_source():
    """The sources are asked one after the other."""
    lab = Answers(ended())
    asked = RunExpectation("shop/*", ("true",))

    assert [] == list(failures(lab, SCENARIO, [asked]))
    assert [("shop/db", ("true",)), ("shop/web", ("true",))] == sorted(lab.asked)


def _result(failure: ProgramFailure) -> ScenarioResult:
    from datetime import UTC, datetime

    step = StepResult("one", 1, 1, (failure,))
    return ScenarioResult("s", "s.yaml", ("one",), datetime.now(UTC), (step,))


FAILURE = ProgramFailure("http", "shop/web", URL, "status 200", "no answer", "refused", "s.yaml", 7)


def test_a_failure_is_one_line():
    """The line has the file, the line number, the question and both outcomes."""
    text = f"shop/web -> GET {URL}: expected status 200, measured no answer: refused"

    assert f"s.yaml:7: {text}" == failure_line(FAILURE)
    assert f"  s.yaml:7: step 'one': {text}" in list(lines_of(_result(FAILURE)))


def test_a_failure_is_a_row_of_the_report():
    """Its destination is the URL, the name or the command."""
    report = TestReport([_result(FAILURE)])
    (row,) = report.document()["scenarios"][0]["steps"][0]["failures"]

    assert {
        "source": "shop/web",
        "destination": URL,
        "question": "http",
        "expected": "status 200",
        "measured": "no answer",
        "reason": "refused",
        "file": "s.yaml",
        "line": 7,
    } == row
    assert report.suites().suites[0].cases[0].failure == ("1 expectation failed", failure_line(FAILURE))


def test_the_functions_of_the_client_answer_as_json():
    """They need no lab."""
    from netlab.programs import client

    assert {"addresses": ["127.0.0.1"]} == json.loads(client.lookup("127.0.0.1", None, "x"))
    assert {"error": "127.0.0.1:9: Connection refused"} == json.loads(client.get("http://127.0.0.1:9", (), None, 5))


def test_the_client_keeps_the_host_of_the_url():
    """It connects to the given addresses and sends the URL's host."""
    from netlab.programs import client, echo

    with echo.listening(echo.HTTP, 0) as listener:
        stopped = threading.Event()
        thread = threading.Thread(target=echo.serve, args=([(echo.HTTP, listener, "db-0")], stopped.is_set, 0.01))
        thread.start()
        try:
            port = listener.getsockname()[1]
            found = json.loads(client.get(f"http://shop.example:{port}/cart?x=1", ["127.0.0.1"], None, 5))
        finally:
            stopped.set()
            thread.join()

    seen = json.loads(found["body"])
    assert (200, f"shop.example:{port}", "/cart?x=1") == (found["status"], seen["host"], seen["path"])


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"\xff" * 70_000, "error"),
        (b"\0" * 5_000, "error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nx", "error"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "error"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"\x01" * 70_000, "status"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "status"),
    ],
)
def test_no_answer_of_a_stranger_is_too_much(sent, found):
    """It is a status or an error, and what netlab keeps of a program's output holds it whole."""
    from netlab.kernel.captured import LIMIT
    from netlab.programs import client

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_send, args=(server, sent))
        thread.start()
        text = client.get(f"http://127.0.0.1:{server.getsockname()[1]}/", (), None, 5)
        thread.join()

    assert found in json.loads(text)
    assert len(text) <= LIMIT


def _send(server: socket.socket, data: bytes) -> None:
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        connection.recv(1 << 16)
        connection.sendall(data)


@pytest.mark.parametrize("host", [".a", "a..b", f"{'a' * 64}.b"])
def test_a_host_that_is_no_name_is_an_error_of_the_answer(host):
    """Also where netlab connects to another address: TLS takes the name."""
    from netlab.programs import client

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://{host}:{server.getsockname()[1]}/"
        assert "error" in json.loads(client.get(url, ["127.0.0.1"], None, 5))


@pytest.mark.parametrize(
    "asked",
    [
        ("lookup", "db", None, "kubernetes.default"),
        ("lookup", "db", 6, "kubernetes.default"),
        ("get", "http://db/", ["10.0.0.1"], 4, 1.5),
        ("get", "http://db/", [], None, 5),
    ],
)
def test_a_question_travels_to_another_machine(asked):
    """A question is its kind and arguments, which JSON can have."""
    from netlab.programs.client import Question

    question = Question.of(*json.loads(json.dumps(asked)))

    assert asked == (question.kind, *question.arguments)


@pytest.mark.parametrize(
    "asked",
    [(), ("open", "/etc/passwd"), ("lookup", "db", 5, "x"), ("lookup", 7, None, "x"), ("get", "http://db/", [7], 4, 1)],
)
def test_a_question_of_another_kind_is_refused(asked):
    """Only questions that a scenario asks are asked."""
    from netlab.programs.client import Question

    with pytest.raises(UsageError, match="a question that cannot be read"):
        Question.of(*asked)
