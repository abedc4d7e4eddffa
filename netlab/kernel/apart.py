"""A program that a file of a stranger names: kept apart from the other programs of this host.

It has a process namespace and a namespace of System V IPC of its own, and sees neither the processes of the host nor
its Unix sockets. All that it starts ends with it. A network namespace alone gives none of that: user ``nobody`` runs
the programs of other labs too, and could signal them, and read their memory and their files through ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import stat
from collections.abc import Iterable
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.kernel import libc

# Processes and threads of the user, those of other labs included; and the bytes of a file.
_PROCESSES, _LARGEST_FILE = 512, 64 << 20
_SOCKETS = Path("/proc/net/unix")
_STATUS_BYTES = 4
_FIRST_TO_END = b"1000"


def host_sockets() -> list[str]:
    """Return the paths of the Unix sockets of this network namespace: proc(5), net/unix."""
    try:
        lines = _SOCKETS.read_bytes().splitlines()
    except OSError:
        return []
    # The path is the last field. An abstract name begins with "@", and has no file.
    return sorted({os.fsdecode(line[line.index(b"/") :]) for line in lines if b" /" in line})


def enter(hidden: Iterable[str], *, root: bool) -> None:
    """Return in a new process, which has no process of this host beside it; its parent ends as it does.

    ``hidden``: paths of sockets that it must not see. The calling process has mounts of its own already.

    Raises:
      HostError: when the kernel refuses that to root. Without root a program runs without what is refused.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for path in hidden:
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    libc.mount(os.devnull, path, flags=libc.MS_BIND)
        libc.unshare(libc.CLONE_NEWPID | libc.CLONE_NEWIPC)
    except KernelError as error:
        raise HostError(f"cannot keep the program apart from the host's: {error}") from error
    reports, report = os.pipe()
    first = os.fork()
    if first:
        os.close(report)
        _end_as(os.read(reports, _STATUS_BYTES), first)
    os.close(reports)
    _first(report, root=root)
    os.close(report)
    os.setsid()
    if root:
        for limit, most in ((resource.RLIMIT_NPROC, _PROCESSES), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
            resource.setrlimit(limit, (most, most))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_FIRST_TO_END)


def _first(report: int, *, root: bool) -> None:
    """Be the first process of the namespace: fork the program, and return in it alone.

    The kernel ends all processes of the namespace with its first one, and that one with its parent.
    """
    libc.end_with_parent()
    # Its id outside is not known here. The parent has the pipe's other end as long as it lives.
    poll = select.poll()
    poll.register(report, 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        os._exit(1)
    try:
        libc.mount("proc", "/proc", "proc")
    except KernelError as error:
        # A user namespace may not be allowed to mount it.
        if root:
            raise HostError(f"cannot keep the program apart from the host's: {error}") from error
    program = os.fork()
    if not program:
        return
    # The program has these now, and readers of them wait for their last holder.
    for fd in (0, 1, 2):
        os.close(fd)
    while True:
        ended, status = os.wait()
        if ended == program:
            with contextlib.suppress(OSError):
                os.write(report, status.to_bytes(_STATUS_BYTES))
            os._exit(0)


def _end_as(status: bytes, first: int) -> None:
    """End this process as the program has ended."""
    os.waitpid(first, 0)
    if len(status) != _STATUS_BYTES:
        os._exit(1)
    code = os.waitstatus_to_exitcode(int.from_bytes(status))
    if code < 0:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)
