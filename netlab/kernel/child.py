"""A forked process that computes some bytes beside this one.

It starts with everything that this process has, sockets included, so nothing has to be sent to it. It must be forked
where there is one thread only: a lock that another thread holds would stay locked in the child.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Callable
from typing import NoReturn

from netlab.errors import KernelError
from netlab.kernel import libc

_CHUNK = 1 << 16


class Child:
    """A process that computes some bytes; ``result`` waits for them."""

    def __init__(self, work: Callable[[], bytes]) -> None:
        self._pipe, write = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _work(work, write, parent)
        os.close(write)

    def result(self) -> bytes:
        """Return what the process computed.

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
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._pipe)
            self._pid = 0


def _work(work: Callable[[], bytes], write: int, parent: int) -> NoReturn:
    """Do a child's work and end it, without what its parent does at its own end; it ends when its parent does."""
    status = 1
    try:
        libc.end_with_parent()
        if os.getppid() != parent:
            os._exit(status)
        # The collector would write to, and so copy, every page of objects that the child shares with its parent.
        gc.disable()
        answer = work()
        status = 0
    except BaseException as error:  # an interrupt too: the parent gets it as well
        answer = f"{type(error).__name__}: {error}".encode()
    try:
        with open(write, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(status)
