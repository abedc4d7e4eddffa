"""A forked process that computes bytes beside this one.

It inherits memory and sockets, so nothing is sent to it. Fork it only where this process has one thread: a lock that
another thread holds would stay locked in the child.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable, Iterable
from typing import NoReturn

from netlab.errors import KernelError
from netlab.kernel import libc
from netlab.kernel.descriptors import close_all_but

_CHUNK = 1 << 16


class Child:
    """A process that computes bytes; ``result`` waits for them.

    It keeps the descriptors ``kept`` alone, or all for None.
    """

    def __init__(self, work: Callable[[], bytes], kept: Iterable[int] | None = None) -> None:
        self._pipe, write = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            if kept is not None:
                close_all_but((*kept, write))
            _work(work, write, parent)
        os.close(write)

    def result(self) -> bytes:
        """Wait for the process and return what it computed.

        Raises:
          KernelError: when it failed or was killed.
        """
        chunks = list(iter(lambda: os.read(self._pipe, _CHUNK), b""))
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        os.close(self._pipe)
        found = b"".join(chunks)
        if status:
            code = os.waitstatus_to_exitcode(status)
            raise KernelError("a probing process", 0, found.decode() or f"ended with {code}")
        return found

    def end(self) -> None:
        """Kill the process, unless its result was returned."""
        if self._pid:
            kill(self._pid)
            with contextlib.suppress(OSError):
                os.close(self._pipe)
            self._pid = 0


def kill(pid: int) -> None:
    """Kill a child process, and wait for its end. An interrupt comes between any two lines, so it may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _work(work: Callable[[], bytes], write: int, parent: int) -> NoReturn:
    """Do the work of a child and end it, without the parent's exit handlers. It ends when its parent does."""
    status = 1
    try:
        libc.end_with_parent(pid=parent)
        # The garbage collector would write to, and so copy, the pages that the child shares with its parent.
        gc.disable()
        answer = work()
        status = 0
    except BaseException as error:  # an interrupt too: the parent gets it itself
        answer = f"{type(error).__name__}: {error}".encode()
    try:
        with open(write, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(status)
