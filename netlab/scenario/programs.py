"""The expectations that run a program in the lab: HTTP requests, look-ups of names, and the scenario's own programs.

They run as programs of ``netlab exec``: in the source's network namespace, with its ``/etc/resolv.conf``. They have no
privilege.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from netlab.cluster.types import Endpoint
from netlab.errors import NetlabError
from netlab.kernel.captured import ProcessResult
from netlab.lab.lab import Lab
from netlab.objects.scenarios import HttpExpectation, LookupExpectation, ProgramExpectation, RunExpectation, Scenario
from netlab.objects.types import Address
from netlab.scenario.pairs import sources_of
from netlab.scenario.results import ProgramFailure
from netlab.scenario.urls import connect_to, listeners

_SHOWN = 200


def count(lab: Lab, asked: Iterable[ProgramExpectation]) -> int:
    """Return the number of questions of expectations: one for each source."""
    return sum(len(sources_of(lab.cluster, one.source)) for one in asked)


def failures(lab: Lab, scenario: Scenario, asked: Iterable[ProgramExpectation]) -> Iterator[ProgramFailure]:
    """Ask the questions of expectations, one after the other, and yield a failure for each unexpected outcome.

    Raises:
      NetlabError: when a program cannot be started.
    """
    asked = list(asked)
    ports = [
        place
        for one in asked
        if isinstance(one, HttpExpectation)
        for source in sources_of(lab.cluster, one.source)
        for place in listeners(lab.cluster, source, one)
    ]
    with lab.listening(ports) if ports else contextlib.nullcontext():
        for one in asked:
            for source in sources_of(lab.cluster, one.source):
                yield from _failure(lab, scenario, one, source)


def _failure(lab: Lab, scenario: Scenario, asked: ProgramExpectation, source: Endpoint) -> Iterator[ProgramFailure]:
    question: Literal["http", "lookup", "run"]
    if isinstance(asked, HttpExpectation):
        question, destination, (expected, measured, reason) = "http", asked.url, _http(lab, asked, source)
    elif isinstance(asked, LookupExpectation):
        question, destination, (expected, measured, reason) = "lookup", asked.name, _lookup(lab, asked, source)
    else:
        question, destination, (expected, measured, reason) = "run", " ".join(asked.argv), _run(lab, asked, source)
    if measured:
        where = scenario.source.file, asked.line
        yield ProgramFailure(question, source.ref, destination, expected, measured, reason, *where)


_Result = tuple[str, str, str]
"""What was expected, what was measured ("" if that is as expected), and a reason."""


def _http(lab: Lab, asked: HttpExpectation, source: Endpoint) -> _Result:
    from netlab.programs.client import Question

    at = [str(address) for address in connect_to(lab.cluster, asked)]
    ended = lab.run(source, Question("get", (asked.url, at, asked.family, asked.timeout)), asked.timeout + 1)
    found = _answer(ended, asked.timeout)
    expected = " and ".join(
        [
            *([f"status {asked.status}"] if asked.status is not None else []),
            *([f"a body with {_shown(asked.body)}"] if asked.body is not None else []),
        ]
    ) or ("an answer" if asked.answered else "no answer")
    if "error" in found:
        return expected, "no answer" if asked.answered else "", found["error"]
    status, body, where = found["status"], found["body"], f"answered by {found['address']}"
    right = asked.answered and asked.status in (None, status) and (asked.body or "") in body
    measured = f"status {status}"
    if asked.body is not None:
        measured += f" and the body {_shown(body)}"
    return expected, "" if right else measured, where


def _lookup(lab: Lab, asked: LookupExpectation, source: Endpoint) -> _Result:
    from netlab.programs.client import Question

    known = f"kubernetes.default.svc.{lab.cluster.cluster_domain}."
    ended = lab.run(source, Question("lookup", (asked.name, asked.family, known)), asked.timeout)
    found = _answer(ended, asked.timeout)
    expected = "no answer" if asked.addresses is None else _names(asked.addresses)
    if "error" in found:
        return expected, "" if asked.addresses is None else "no answer", found["error"]
    wanted = {str(one) for one in asked.addresses or ()}
    right = asked.addresses is not None and wanted == set(found["addresses"])
    return expected, "" if right else _names(found["addresses"]), ""


def _run(lab: Lab, asked: RunExpectation, source: Endpoint) -> _Result:
    ended = lab.run(source, asked.argv, asked.timeout)
    output = "" if asked.stdout is None else " and no output" if not asked.stdout else f" and {_shown(asked.stdout)}"
    expected = f"exit {asked.exit}{output}"
    if ended.refused:
        return expected, "not run", ended.refused
    if ended.status is None:
        return expected, f"no end within {asked.timeout:g} s", _shown(ended.stderr) if ended.stderr else ""
    fits = asked.stdout is None or (asked.stdout in ended.stdout if asked.stdout else not ended.stdout)
    measured = f"exit {ended.status}" if ended.status >= 0 else f"end by signal {-ended.status}"
    if asked.stdout is not None:
        measured += f" and {_shown(ended.stdout)}" if ended.stdout else " and no output"
    right = fits and ended.status == asked.exit
    return expected, "" if right else measured, _shown(ended.stderr) if ended.stderr else ""


def _answer(ended: ProcessResult, seconds: float) -> dict[str, Any]:
    """Return the result of a function of ``programs.client``."""
    if ended.status is None:
        return {"error": f"no answer within {seconds:g} s"}
    if ended.status:
        raise NetlabError(f"cannot ask inside the lab: {ended.refused or ended.stderr or ended.status}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _names(addresses: Iterable[Address | str]) -> str:
    return ", ".join(sorted(map(str, addresses))) or "no such name"


def _shown(text: str) -> str:
    """Return a text as JSON in one line, cut to a length that messages can show."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return json.dumps(cut, ensure_ascii=False)
