"""Judges cases on the machines of an etcd: each agent has a lab of its own, and gets batches of cases by number.

A case is judged on one machine. A machine that is lost gives its batches back, and another one judges the rest.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from netlab import profiles
from netlab.conformance.features import FEATURES
from netlab.conformance.result_json import from_json, to_json
from netlab.conformance.run import CaseResult, Selection, judges, run
from netlab.conformance.under_profile import UnderProfile
from netlab.errors import HostError, NetlabError, UsageError
from netlab.machines.call_request import write
from netlab.machines.calls import OUT, Call
from netlab.store.etcd_client import EtcdClient

TARGET = "conformance"
"""The name of the call to an agent, ``judge``."""

# Cases of a batch, and batches that a machine has at a time: it begins the next one while the results travel.
_BATCH = 8
_AHEAD = 2


def arguments_of(selection: Selection) -> dict[str, Any]:
    """Return a selection as the arguments of a call; raises UsageError for the profile of a file."""
    profile = selection.profile
    if profile is not None and profile.documents:
        raise UsageError("--as FILE: other machines do not have the file; name a profile, or leave out --etcd")
    return {
        "globs": list(selection.globs),
        "judges": list(selection.judges),
        "random": selection.random,
        "seed": selection.seed,
        "mode": selection.mode,
        "dualStack": selection.dual_stack,
        "services": selection.services,
        "profile": profile.profile.name if profile else "",
        "feature": selection.feature.name,
    }


def selection_of(data: Mapping[str, Any]) -> Selection:
    """Return the selection of a call's arguments; raises UsageError where they are not valid."""
    try:
        known = {"evaluator", "tracer", "packets"}
        texts = [tuple(map(str, data[name])) for name in ("globs", "judges")]
        if data["feature"] not in FEATURES or not known.issuperset(texts[1]):
            raise ValueError("feature or judges")
        profile = UnderProfile(profiles.named(str(data["profile"]))) if data["profile"] else None
        return Selection(
            texts[0],
            texts[1],  # type: ignore[arg-type]
            int(data["random"]),
            int(data["seed"]),
            str(data["mode"]),
            data["dualStack"] is True,
            data["services"] is True,
            profile,
            FEATURES[data["feature"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("a call of conformance that cannot be read") from error


# --- on a machine -------------------------------------------------------------------------------------------------


def judge(arguments: Mapping[str, Any]) -> None:
    """Judge the batches whose numbers come on standard input, a line each, and print a line for each result.

    Raises:
      HostError, KernelError: when this host cannot run a lab.
      UsageError: if the arguments are not valid.
    """
    selection = selection_of(arguments)
    names, mode = selection.judges, selection.mode_of_cases
    options: dict[str, Any] = {"dual": selection.dual_stack, "profile": selection.profile, "feature": selection.feature}
    with judges(names, mode, **options) as by_name:
        for line in sys.stdin:
            data = json.loads(line)
            number, first = int(data["batch"]), int(data["first"])
            cases = list(islice(selection.cases(), number * _BATCH + first, (number + 1) * _BATCH))
            for result in run(cases, by_name, selection.profile):
                _print({"batch": number, "result": to_json(result)})
            _print({"batch": number})


def _print(data: object) -> None:
    write(f"{json.dumps(data)}\n".encode())


# --- the command --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Worker:
    """A call to a machine: the batches that it has, each with the number of its judged cases."""

    machine: str
    call: Call
    batches: dict[int, int] = field(default_factory=dict)
    text: bytearray = field(default_factory=bytearray)


def run_on_machines(
    selection: Selection, client: EtcdClient, machines: Sequence[str], jobs: int, warn: Callable[[str], None]
) -> Iterator[CaseResult]:
    """Judge a selection by ``jobs`` processes on each machine; the order of results is not defined.

    ``warn`` is called with a line for each process that was lost; another one judges its cases.

    Raises:
      HostError: if all processes are lost, or etcd is not reached.
    """
    arguments = arguments_of(selection)
    cases = {case.name: case for case in selection.cases()} if selection.profile else {}
    batches = -(-sum(1 for _ in selection.cases()) // _BATCH)
    waiting = deque((number, 0) for number in range(batches))
    came: queue.SimpleQueue[tuple[_Worker, bytes | NetlabError | None]] = queue.SimpleQueue()
    workers: list[_Worker] = []
    try:
        if not machines:
            raise HostError("no machine is registered", "start an agent on each: netlab agent --machine NAME")
        for machine in [one for one in machines for _ in range(jobs)]:
            worker = _Worker(machine, Call(client, machine, TARGET, TARGET, arguments))
            workers.append(worker)
            threading.Thread(target=_listen, args=(worker, came), name=f"netlab-{machine}", daemon=True).start()
        working = list(workers)
        left = batches
        while left:
            for worker in working:
                _give(worker, waiting)
            worker, data = came.get()
            if worker not in working:
                continue
            if not isinstance(data, bytes):
                working.remove(worker)
                waiting.extendleft(worker.batches.items())
                why = data or HostError(f"machine {worker.machine} ended the call")
                if not working:
                    raise why
                warn(f"{why}; another machine goes on")
                continue
            for line in _lines(worker, data):
                found = json.loads(line)
                number = int(found["batch"])
                if "result" not in found:
                    worker.batches.pop(number, None)
                    left -= 1
                    continue
                worker.batches[number] = worker.batches.get(number, 0) + 1
                yield _with_deviations(from_json(found["result"]), selection, cases)
    finally:
        for worker in workers:
            worker.call.close()


def _give(worker: _Worker, waiting: deque[tuple[int, int]]) -> None:
    while waiting and len(worker.batches) < _AHEAD:
        number, first = waiting.popleft()
        worker.batches[number] = first
        worker.call.write(f"{json.dumps({'batch': number, 'first': first})}\n".encode())


def _listen(worker: _Worker, came: queue.SimpleQueue[tuple[_Worker, bytes | NetlabError | None]]) -> None:
    """Put what a call prints until it ends, and then its error or None; run in a thread."""
    try:
        for kind, data in worker.call.output():
            if kind == OUT:
                came.put((worker, data))
    except NetlabError as error:
        came.put((worker, error))
    else:
        came.put((worker, None))


def _lines(worker: _Worker, data: bytes) -> list[bytes]:
    """Return the lines that are whole now."""
    *lines, rest = (bytes(worker.text) + data).split(b"\n")
    worker.text[:] = rest
    return lines


def _with_deviations(result: CaseResult, selection: Selection, cases: Mapping[str, Any]) -> CaseResult:
    """Return a result with what the profile declares about its case."""
    from dataclasses import replace

    case = cases.get(result.name)
    if selection.profile is None or case is None or case.refusal:
        return result
    found = tuple(one for stage in case.stages for one in selection.profile.deviations(stage))
    return replace(result, deviations=found)
