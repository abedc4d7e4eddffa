"""Workers: processes that judge cases beside one another, each with a lab of its own, and end with their parent.

A worker is given a share of the cases at a time and tells of every case when it is judged, so that nothing that was
judged is lost, however the run ends. The share of a worker that dies goes to another one.
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

# From being asked to end until being killed: enough to remove a lab, and short for who waits for an interrupt.
_GRACE = 0.5
_LAST_GRACE = 30.0
_PAUSE = 0.005

Judge = Callable[[int, int], "Iterator[Any] | None"]
"""Yields the results of a share but for so many of its first cases; None where there is no such share.

The numbers of the shares that it is asked for only grow.
"""


@dataclass(slots=True)
class _Worker:
    """A worker and what it is about: a share, and how many of its cases are judged."""

    pid: int
    connection: Connection
    share: int = 0
    judged: int = 0


class Workers:
    """Up to ``jobs`` processes, each in a context of its own; a context manager that leaves none of them."""

    def __init__(self, context: Callable[[], AbstractContextManager[Judge]], jobs: int) -> None:
        self._context = context
        self._jobs = jobs
        self._working: dict[Connection, _Worker] = {}
        self._leaving: list[int] = []
        # Whether one ended without leaving its context.
        self.died = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for pid in self._pids():
                os.kill(pid, signal.SIGTERM)
        for connection in list(self._working):
            self._dismiss(connection)
        deadline = time.monotonic() + (_GRACE if kind is not None else _LAST_GRACE)
        while self._leaving and time.monotonic() < deadline:
            self._leaving = [pid for pid in self._leaving if os.waitpid(pid, os.WNOHANG) == (0, 0)]
            time.sleep(_PAUSE if self._leaving else 0)
        for pid in self._leaving:
            self.died = True
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def results(self, tell: Callable[[str, int, int], None]) -> Iterator[Any]:
        """Yield the results of all shares, in no certain order.

        Of a worker that dies ``tell`` is told how, the share, and how many of its cases were judged; another worker
        goes on from there.

        Raises:
          HostError: what a worker could not do.
          KernelError: when a second worker dies at the same case.
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
                    how, place = self._bury(worker), (worker.share, worker.judged)
                    tell(how, *place)
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
                elif over := over or kind == "no such share":
                    self._dismiss(connection)
                else:
                    self._order(worker, next(numbers), 0)

    def _pids(self) -> list[int]:
        return [*self._leaving, *(worker.pid for worker in self._working.values())]

    def _start(self, share: int, judged: int) -> None:
        here, there = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            # A connection that another worker holds too would not end with this process.
            for connection in (here, *self._working):
                connection.close()
            _be_worker(self._context, there, parent)
        there.close()
        worker = self._working[here] = _Worker(pid, here)
        self._order(worker, share, judged)

    def _order(self, worker: _Worker, share: int, judged: int) -> None:
        worker.share, worker.judged = share, judged
        # That it has died shows when it is listened to.
        with contextlib.suppress(OSError):
            worker.connection.send((share, judged))

    def _dismiss(self, connection: Connection) -> None:
        """Let a worker leave its context and end: it reads on, and there is nothing more."""
        connection.close()
        self._leaving.append(self._working.pop(connection).pid)

    def _bury(self, worker: _Worker) -> str:
        """Return how a worker ended."""
        self.died = True
        self._working.pop(worker.connection).connection.close()
        _, status = os.waitpid(worker.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"


def _be_worker(context: Callable[[], AbstractContextManager[Judge]], connection: Connection, parent: int) -> NoReturn:
    """Judge what is ordered until nothing is, or until the parent is no more, and end."""
    status = 1
    try:
        # An interrupt of the terminal comes to all of its processes; a worker ends when its parent says so.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        try:
            libc.end_with_parent(signal.SIGTERM)
            if os.getppid() == parent:
                _work(context, connection)
        except NetlabError as error:
            connection.send(("failed", str(error)))
        except Exception as error:
            connection.send(("broken", f"{type(error).__name__}: {error}"))
        status = 0
    except OSError:
        # The parent is no more: there is no one to tell.
        pass
    finally:
        with contextlib.suppress(BaseException):
            privilege.leave()
        os._exit(status)


def _work(context: Callable[[], AbstractContextManager[Judge]], connection: Connection) -> None:
    with contextlib.suppress(EOFError, ConnectionError), context() as judge:
        # Again, as the kernel forgets it where a process gains privilege in a user namespace of its own.
        libc.end_with_parent(signal.SIGTERM)
        while True:
            share, judged = connection.recv()
            results = judge(share, judged)
            if results is None:
                connection.send(("no such share", None))
                continue
            for result in results:
                connection.send(("result", result))
            connection.send(("done", None))


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Leave the context, once: what cleans up is not interrupted."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
