"""The processes inside a lab's network namespaces: found by the namespace that they are in, ended by their id."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Iterator

_GRACE = 1.0


def inside(inodes: Iterable[int]) -> list[int]:
    """Return the ids of the processes, but for the caller, whose network namespace is one of those inodes."""
    wanted = {f"net:[{inode}]" for inode in inodes}
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry.name}/ns/net") in wanted:
                found.append(int(entry.name))
    return found


def end(inodes: Iterable[int]) -> int:
    """End the processes in those namespaces: asked by SIGTERM, ended by SIGKILL a second later; return how many."""
    wanted = list(inodes)
    victims = [(pid, fd) for pid, fd in _opened(inside(wanted)) if _still_inside(pid, wanted, fd)]
    for _, fd in victims:
        _send(fd, signal.SIGTERM)
    waiting = {fd for _, fd in victims}
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    for _ in range(len(victims)):
        ready = poll.poll(_GRACE * 1000)
        if not ready:
            break
        for fd, _ in ready:
            poll.unregister(fd)
            waiting.discard(fd)
    for fd in waiting:
        _send(fd, signal.SIGKILL)
    for _, fd in victims:
        os.close(fd)
    return len(victims)


def _opened(pids: Iterable[int]) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            yield pid, os.pidfd_open(pid)


def _still_inside(pid: int, inodes: Iterable[int], fd: int) -> bool:
    # Between the scan and the opening the id may have passed to another process; the descriptor names only one.
    if pid in inside(inodes):
        return True
    os.close(fd)
    return False


def _send(fd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, number)
