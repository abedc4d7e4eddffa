"""Workers: processes that judge cases in parallel, each with a lab of its own, and end with their parent.

A worker gets a batch of cases at a time and sends the result of each case at once, so no result is lost when the run
ends early. If a worker dies, another one judges the rest of its batch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, Pipe, wait
from types import FrameType
from typing import Any, NoReturn

from netlab.errors import HostError, KernelError, NetlabError
from netlab.kernel import libc, privilege

# Seconds between SIGTERM and SIGKILL after an interrupt, and at the normal end. A worker removes its lab in them, which
# took longer than half a second beside 30 busy processes on two processors.
_INTERRUPT_GRACE = 5.0
_END_GRACE = 30.0
_PAUSE = 0.005

Judge = Callable[[int, int], "Iterator[Any] | None"]
"""Takes the number of a batch and of its first case to judge; yields results, or returns None after the last batch.

The numbers of batches only grow from call to call.
"""


@dataclass(slots=True)
class _Worker:
    """A worker with the number of its batch and the number of judged cases in it."""

    pid: int
    connection: Connection
    batch: int = 0
    judged: int = 0


class Workers:
    """Up to ``jobs`` processes, each in a context of its own; a context manager that ends all of them."""

    def __init__(self, context: Callable[[], AbstractContextManager[Judge]], jobs: int) -> None:
        self._context = context
        self._jobs = jobs
        self._working: dict[Connection, _Worker] = {}
        self._leaving: list[int] = []
        # Whether a worker ended without leaving its context.
        self.died = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for pid in self._pids():
                os.kill(pid, signal.SIGTERM)
        for connection in list(self._working):
            self._release(connection)
        deadline = time.monotonic() + (_INTERRUPT_GRACE if kind is not None else _END_GRACE)
        while self._leaving and time.monotonic() < deadline:
            self._leaving = [pid for pid in self._leaving if os.waitpid(pid, os.WNOHANG) == (0, 0)]
            time.sleep(_PAUSE if self._leaving else 0)
        for pid in self._leaving:
            self.died = True
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def results(self, on_death: Callable[[str, int, int], None]) -> Iterator[Any]:
        """Yield the results of all batches; their order is not defined.

        ``on_death`` is called when a worker dies, with the cause, the batch, and the number of judged cases in it.
        Another worker judges the rest.

        Raises:
          HostError: when a worker raises an error of netlab.
          KernelError: when a second worker dies at the same case.
          RuntimeError: when a worker raises another error.
        """
        numbers, over = count(), False
        lost: set[tuple[int, int]] = set()
        for _ in range(self._jobs):
            self._start(next(numbers), 0)
        while self._working:
            for connection in wait(list(self._working)):
                assert isinstance(connection, Connection)
                worker = self._working[connection]
                try:
                    kind, what = connection.recv()
                except (EOFError, OSError):
                    how, place = self._reap(worker), (worker.batch, worker.judged)
                    on_death(how, *place)
                    if place in lost:
                        raise KernelError("a worker", 0, f"{how}, as did another one at the same case") from None
                    lost.add(place)
                    self._start(*place)
                    continue
                if kind == "result":
                    worker.judged += 1
                    yield what
                elif kind == "failed":
                    raise HostError(what)
                elif kind == "broken":
                    raise RuntimeError(what)
                elif over := over or kind == "no such batch":
                    self._release(connection)
                else:
                    self._assign(worker, next(numbers), 0)

    def _pids(self) -> list[int]:
        return [*self._leaving, *(worker.pid for worker in self._working.values())]

    def _start(self, batch: int, judged: int) -> None:
        here, there = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            # A copy of a connection in this process would keep it open after the parent ends.
            for connection in (here, *self._working):
                connection.close()
            _run_worker(self._context, there, parent)
        there.close()
        worker = self._working[here] = _Worker(pid, here)
        self._assign(worker, batch, judged)

    def _assign(self, worker: _Worker, batch: int, judged: int) -> None:
        worker.batch, worker.judged = batch, judged
        # If the worker is dead, the next recv() fails.
        with contextlib.suppress(OSError):
            worker.connection.send((batch, judged))

    def _release(self, connection: Connection) -> None:
        """Close a worker's connection, so that it leaves its context and ends."""
        connection.close()
        self._leaving.append(self._working.pop(connection).pid)

    def _reap(self, worker: _Worker) -> str:
        """Wait for a dead worker, and return the cause of its death."""
        self.died = True
        self._working.pop(worker.connection).connection.close()
        _, status = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


def _run_worker(context: Callable[[], AbstractContextManager[Judge]], connection: Connection, parent: int) -> NoReturn:
    """Judge batches until the parent closes the connection or ends; then end."""
    status = 1
    try:
        try:
            # A terminal interrupts all its processes. A worker ends when its parent ends it.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, _leave)
            status = _judge_and_report(context, connection, parent)
        finally:
            # From here on no signal may lead this forked process into its parent's code.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            privilege.leave()
    finally:
        os._exit(status)


def _judge_and_report(context: Callable[[], AbstractContextManager[Judge]], connection: Connection, parent: int) -> int:
    """Judge what the parent assigns and send it what goes wrong; return the exit status."""
    try:
        try:
            libc.end_with_parent(signal.SIGTERM, pid=parent)
            _work(context, connection)
        except NetlabError as error:
            connection.send(("failed", str(error)))
        except Exception as error:
            connection.send(("broken", f"{type(error).__name__}: {error}"))
    except OSError:
        # The parent is gone, so no process reads the error.
        return 1
    return 0


def _work(context: Callable[[], AbstractContextManager[Judge]], connection: Connection) -> None:
    with contextlib.suppress(EOFError, ConnectionError), context() as judge:
        # Set it again: the kernel clears it when a process gains privilege in a new user namespace. If the parent has
        # ended already, the connection has too.
        libc.end_with_parent(signal.SIGTERM)
        while True:
            batch, judged = connection.recv()
            results = judge(batch, judged)
            if results is None:
                connection.send(("no such batch", None))
                continue
            for result in results:
                connection.send(("result", result))
            connection.send(("done", None))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Leave the context. A second signal does not interrupt the clean-up."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
