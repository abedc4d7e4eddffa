"""A function in a forked process: its output is read, and it ends after a time."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence

from netlab.errors import HostError, way_out
from netlab.kernel import libc, signals
from netlab.kernel.machine import Outcome

LIMIT = 1 << 16
"""Bytes of each output that are kept; the rest is read and forgotten."""

_CHUNK = 1 << 14
_CANNOT_RUN = 127


def captured(become: Callable[[], object], seconds: float) -> Outcome:
    """Call ``become`` in a forked process, and return how it ended; kill it and its group after ``seconds``.

    The process has no terminal and no input, and gets no privilege that it does not have. ``become`` replaces it by a
    program, or does its work itself.

    Raises:
      HostError: when no process can be started.
    """
    read_out, write_out = os.pipe()
    read_err, write_err = os.pipe()
    refused, refuse = os.pipe()
    ends = (write_out, write_err, refuse)
    try:
        with signals.deferred():
            pid = os.fork()
            if pid == 0:
                _child(become, *ends)
    except OSError as error:
        for fd in (read_out, read_err, refused):
            os.close(fd)
        raise HostError(f"cannot start a process: {error.strerror}", way_out(error.errno)) from error
    finally:
        for fd in ends:
            os.close(fd)
    try:
        *texts, in_time = _read(pid, (read_out, read_err, refused), time.monotonic() + seconds)
    finally:
        for fd in (read_out, read_err, refused):
            os.close(fd)
        status = _end(pid)
    return Outcome(status if in_time else None, *(text.decode(errors="replace") for text in texts))


def _child(become: Callable[[], object], out: int, err: int, refuse: int) -> None:
    status = _CANNOT_RUN
    try:
        os.setsid()
        libc.end_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.ENDS)
        for number in (*signals.ENDS, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        for at, fd in enumerate((null, out, err)):
            os.dup2(fd, at)
        become()
        status = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(refuse, str(error).encode()[:_CHUNK])
    finally:
        os._exit(status)


def _read(pid: int, outputs: Sequence[int], until: float) -> tuple[bytes, bytes, bytes, bool]:
    """Return what came on the three outputs until the process ended, and whether it ended in time.

    A process that it left behind may still hold the outputs.
    """
    came = dict.fromkeys(outputs, b"")
    ended = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            for fd in (*outputs, ended):
                selector.register(fd, selectors.EVENT_READ)
            done = False
            while not done and (left := until - time.monotonic()) > 0:
                ready = [key.fd for key, _ in selector.select(left)]
                # What the process wrote before it ended is read before its end counts.
                done = ready == [ended]
                for fd in ready:
                    if fd == ended:
                        continue
                    chunk = os.read(fd, _CHUNK)
                    if not chunk:
                        selector.unregister(fd)
                    came[fd] += chunk[: LIMIT - len(came[fd])]
    finally:
        os.close(ended)
    out, err, refused = came.values()
    return out, err, refused, done


def _end(pid: int) -> int:
    """End a process and its group, and return its exit status."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
