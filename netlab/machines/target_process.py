"""The process that does what a call asks for: a function of netlab, or a program, with pipes for input and output."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from typing import NoReturn

from netlab.errors import HostError, NetlabError, way_out
from netlab.kernel import libc, signals
from netlab.machines.call_request import Request
from netlab.machines.call_targets import TARGETS

# Seconds that a function has to end when the call is over.
_PATIENCE = 2.0
# Of an error.
_MOST_LINES, _LONGEST = 20, 1000


class TargetProcess:
    """The process that does what a call asks for.

    ``out``, ``err`` and ``report`` are descriptors to read, ``into`` is one to write and does not block, -1 when it is
    closed.

    Raises:
      HostError: when no process can be started.
    """

    def __init__(self, request: Request) -> None:
        read_in, self.into = os.pipe()
        self.out, write_out = os.pipe()
        self.err, write_err = os.pipe()
        self.report, write_report = os.pipe()
        parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError as error:
            raise HostError(f"cannot start a process: {error.strerror}", way_out(error.errno)) from error
        if self.pid == 0:
            _become(request, parent, read_in, write_out, write_err, write_report)
        for fd in (read_in, write_out, write_err, write_report):
            os.close(fd)
        os.set_blocking(self.into, False)
        self.pidfd = os.pidfd_open(self.pid)
        self._status: int | None = None
        self._patience = 0 if "argv" in request.arguments else _PATIENCE

    def end_input(self) -> None:
        """Close its input."""
        if self.into >= 0:
            os.close(self.into)
            self.into = -1

    def end(self) -> int:
        """End its input, then kill it and its process group; return its exit status, negative for a signal.

        A function of netlab ends with its input, and then has some time to undo what it did. A program has none.
        """
        if self._status is None:
            self.end_input()
            if self._patience:
                select.select([self.pidfd], [], [], self._patience)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


def _become(request: Request, parent: int, into: int, out: int, err: int, report: int) -> NoReturn:
    """Do what a call asks for, in a forked process, and end it."""
    status = 1
    try:
        os.setsid()
        libc.end_with_parent(pid=parent)
        signals.reset()
        for at, fd in enumerate((into, out, err)):
            os.dup2(fd, at)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != report:
                with contextlib.suppress(OSError):  # that of the list itself
                    os.close(int(name))
        TARGETS[request.what](request)
        status = 0
    except BaseException as error:
        exit_code = error.exit_code if isinstance(error, NetlabError) else 3
        lines = str(error).splitlines() if isinstance(error, NetlabError) else [f"{type(error).__name__}: {error}"]
        with contextlib.suppress(OSError):
            found = {"error": [line[:_LONGEST] for line in lines[:_MOST_LINES]], "exitCode": exit_code}
            os.write(report, json.dumps(found).encode())
    finally:
        os._exit(status)
