"""A forked process: its output is read, and it is killed after a time."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence

from netlab.errors import HostError, way_out
from netlab.frozen import frozen
from netlab.kernel import libc, signals

LIMIT = 1 << 18
"""Bytes of each output that are kept; the rest is read and forgotten. The longest answer of ``programs.client`` fits:
a byte of a body takes up to six in JSON."""

_CHUNK = 1 << 14
_CANNOT_RUN = 127


@frozen
class ProcessResult:
    """How a process ended.

    ``status`` is its exit status, negative for a signal, None if it was killed after its time. ``refused`` is the error
    that stopped it before its program ran.
    """

    status: int | None
    stdout: str
    stderr: str
    refused: str = ""


def captured(become: Callable[[], object], seconds: float) -> ProcessResult:
    """Call ``become`` in a forked process, and return how it ended; kill it and its process group after ``seconds``.

    The process has no terminal and no input. ``become`` replaces it by a program, or does the work itself.

    Raises:
      HostError: when no process can be started.
    """
    read_out, write_out = os.pipe()
    read_err, write_err = os.pipe()
    refused, refuse = os.pipe()
    ends, parent = (write_out, write_err, refuse), os.getpid()
    try:
        with signals.deferred():
            pid = os.fork()
            if pid == 0:
                _child(become, parent, *ends)
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
    return ProcessResult(status if in_time else None, *(text.decode(errors="replace") for text in texts))


def _child(become: Callable[[], object], parent: int, out: int, err: int, refuse: int) -> None:
    status = _CANNOT_RUN
    try:
        os.setsid()
        libc.end_with_parent(pid=parent)
        signals.reset()
        null = os.open(os.devnull, os.O_RDONLY)
        for at, fd in enumerate((null, out, err)):
            os.dup2(fd, at)
        _keep_descriptors()
        become()
        status = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(refuse, str(error).encode()[:_CHUNK])
    finally:
        os._exit(status)


def _keep_descriptors() -> None:
    """Have no program inherit a descriptor that netlab was started with: it may be a file that only root reads."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # that of the list itself
                os.set_inheritable(int(name), False)


def _read(pid: int, outputs: Sequence[int], until: float) -> tuple[bytes, bytes, bytes, bool]:
    """Return the three outputs until the process ended, and whether it ended in time.

    A child that outlives the process may still hold the outputs open, so their end is not awaited.
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
                # First read all that the process wrote before it ended.
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
