"""Programs in endpoints of a lab on many machines: on this machine as in a lab of its own, else by a call."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from netlab.cluster.types import Endpoint
from netlab.errors import NetlabError, UsageError
from netlab.kernel.captured import ProcessResult
from netlab.lab import dns, notices
from netlab.lab.at_endpoints import Place
from netlab.lab.lab import Lab
from netlab.machines import calls, own_machine, registry
from netlab.machines.calls import Call
from netlab.objects.system_objects import system_document
from netlab.programs.client import Question

if TYPE_CHECKING:
    from netlab.machines.shared_lab import SharedLab

MOST_INPUT = 1 << 20
"""Bytes of input that a program on another machine gets."""

_CHUNK = 1 << 16
_LOOK = 1.0
# Seconds beside those that a program may take: to take the call, and to start names.
_EXTRA = 30.0


def execute(lab: SharedLab, place: Place, argv: Sequence[str], user: str) -> NoReturn:
    """Run a program in an endpoint, as ``Lab.execute_as`` does, and end this process with its exit status.

    Raises:
      UsageError: if the input is a terminal, or has more than ``MOST_INPUT`` bytes, and the endpoint is elsewhere.
      HostError: if the machine is away or does not run it.
    """
    machine, here = _machine(lab, place)
    if here:
        _start_names(lab, machine)
        Lab.open(lab.name).execute_as(place, argv, user)
    if sys.stdin is not None and sys.stdin.isatty():
        what = f"{place.ref} is on machine {machine}, which a terminal does not reach"
        raise UsageError(f"{what}: run this there, or give an input, as with </dev/null")
    _start_names(lab, machine)
    arguments = {"ref": place.ref, "argv": list(argv), "user": user}
    with Call(lab.etcd.client, machine, lab.name, "exec", arguments) as call:
        status = _follow(call)
    raise SystemExit(status if status >= 0 else 128 - status)


def run(lab: SharedLab, place: Place, what: Sequence[str] | Callable[[], object], seconds: float) -> ProcessResult:
    """Run a program in an endpoint and return how it ended, as ``Lab.run`` does.

    Raises:
      UsageError: for a function that is no ``Question``, as functions do not travel.
      HostError: if the machine is away or does not run it.
    """
    machine, here = _machine(lab, place)
    if here:
        _start_names(lab, machine)
        with Lab.open(lab.name) as own:
            return own.run(place, what, seconds)
    if isinstance(what, Question):
        asked: dict[str, object] = {"question": [what.kind, *what.arguments]}
    elif callable(what):
        raise UsageError(f"{place.ref} is on machine {machine}, and a function runs on its own machine only")
    else:
        asked = {"argv": list(what)}
    _start_names(lab, machine)
    arguments = {"ref": place.ref, "seconds": seconds, **asked}
    (answer,) = calls.ask(lab.etcd.client, [machine], lab.name, "run", arguments)
    return ProcessResult(**json.loads(answer))


@contextlib.contextmanager
def listening(lab: SharedLab, places: Iterable[tuple[Endpoint, int]]) -> Iterator[None]:
    """Run the echo program on ports of endpoints during a block, on the machine of each; see ``Lab.listening``."""
    by_machine: dict[str, list[tuple[str, int]]] = {}
    for endpoint, port in places:
        by_machine.setdefault(lab.machine_of(endpoint), []).append((endpoint.ref, port))
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(Call(lab.etcd.client, machine, lab.name, "listen", {"places": found}))
            for machine, found in by_machine.items()
        ]
        for call in running:
            call.until_ready()
        yield


def _machine(lab: SharedLab, place: Place) -> tuple[str, bool]:
    """Return the machine of an endpoint and whether this process is root there; raises HostError if it is away."""
    machine = lab.machine_at(place)
    found = registry.machines(lab.etcd.client).get(machine)
    if found is None:
        raise calls.away(machine)
    identity = own_machine.known_identity()
    return machine, bool(identity) and identity == found.identity


def _start_names(lab: SharedLab, machine: str) -> None:
    """Start what answers names on the other machines; programs run without DNS if that fails."""
    if dns.wants_system(lab.cluster):
        lab.apply([system_document()])
    served = dns.served_in(lab.name, lab.cluster)
    others = sorted({name for space, name in lab.namespaces.items() if space in served} - {machine})
    if not others:
        return
    try:
        calls.ask(lab.etcd.client, others, lab.name, "names", {})
    except NetlabError as error:
        notices.notice(f"warning: lab {lab.name} answers no DNS: {error}")


def _follow(call: Call) -> int:
    """Give this process's input to a call, and write its output as it comes; return its exit status."""
    failures: list[NetlabError] = []
    threading.Thread(target=_feed, args=(call, failures), name="netlab-stdin", daemon=True).start()
    outputs = {calls.OUT: sys.stdout.buffer, calls.ERR: sys.stderr.buffer}
    while not call.ended:
        for kind, data in call.read(_LOOK / 4):
            outputs[kind].write(data)
            outputs[kind].flush()
        if failures:
            raise failures[0]
    for _ in call.output():
        pass
    return call.status or 0


def _feed(call: Call, failures: list[NetlabError]) -> None:
    """Copy this process's input to a call; run in a thread, which may wait for the input for ever."""
    size = 0
    try:
        with contextlib.suppress(OSError):
            while data := os.read(0, _CHUNK):
                size += len(data)
                if size > MOST_INPUT:
                    raise UsageError(f"the input has more than {MOST_INPUT:,} bytes, the most for another machine")
                call.write(data)
        call.end_input()
    except NetlabError as error:
        # The program may have ended before it read all its input.
        time.sleep(_LOOK)
        failures.append(error)
