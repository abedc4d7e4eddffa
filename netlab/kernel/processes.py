"""The processes of a lab: found by the namespaces that they are in, ended by their id.

Found are those in a network namespace of the lab, and those that left it for one of their own: by the mount that
``execute`` gave them (/sys, whose source is the name of the network namespace; a mount namespace within copies it), and
as what one of these started. Not found is a process that left the network namespace, changed its root directory
(chroot) or unmounted /sys, and whose parent is gone. Without root even that one ends with the user's last lab, as it is
in the keeper's user namespace, or in one within.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
from collections.abc import Collection, Iterable, Iterator
from dataclasses import field

from netlab.frozen import frozen_with_cache

_GRACE = 1.0
_ROUNDS = 10
# ioctl_ns(2): above the caller's own user namespace it is refused.
_NS_GET_PARENT = 0xB702
_DEPTH = 33


@frozen_with_cache
class Owned:
    """What tells the processes to end, by inode number or name; the caller is never one of them.

    ``networks``: those in one of these network namespaces. Of what ``execute`` started, known by a UTS namespace other
    than the caller's: also those that see a mount of one of the sources ``mounts``, and those in the user namespace
    ``user`` or in one within it.
    """

    networks: Collection[int] = ()
    mounts: frozenset[str] = frozenset()
    user: int = 0
    _marked: dict[str, bool] = field(default_factory=dict, compare=False)

    def has(self, pid: int) -> bool:
        """Say whether a process is one of them."""
        if pid == os.getpid():
            return False
        with contextlib.suppress(OSError):
            if self.networks and os.stat(f"/proc/{pid}/ns/net").st_ino in self.networks:
                return True
            if not (self.mounts or self.user) or os.path.samefile(f"/proc/{pid}/ns/uts", "/proc/self/ns/uts"):
                return False
            return self._has_mount(pid) or (self.user != 0 and _is_within(pid, self.user))
        return False

    def _has_mount(self, pid: int) -> bool:
        # Of a dead process this fails.
        place = os.readlink(f"/proc/{pid}/ns/mnt")
        if place not in self._marked:
            self._marked[place] = bool(self.mounts) and not self.mounts.isdisjoint(_sources(pid))
        return self._marked[place]


def _sources(pid: int) -> set[str]:
    """Return the sources of the mounts that a process sees: proc(5), mountinfo."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as lines:
        return {line.split(" - ", 1)[1].split(" ")[1] for line in lines}


def _is_within(pid: int, user: int) -> bool:
    """Say whether a process is in a user namespace or in one within it."""
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(_DEPTH):
            if os.fstat(fd).st_ino == user:
                return True
            above = fcntl.ioctl(fd, _NS_GET_PARENT)
            os.close(fd)
            fd = above
    finally:
        os.close(fd)
    return False


def end(owned: Owned) -> int:
    """End the processes: asked by SIGTERM, ended by SIGKILL a second later, as is what they start meanwhile.

    Return how many there were.
    """
    ended = 0
    for attempt in range(_ROUNDS):
        victims = list(_opened(owned))
        if not victims:
            break
        try:
            _end(victims, ask=attempt == 0)
        finally:
            for fd in victims:
                os.close(fd)
        ended += len(victims)
    return ended


def _opened(owned: Owned) -> Iterator[int]:
    """Yield a descriptor of every one of the processes, and of what they started."""
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]
    found = {pid for pid in pids if owned.has(pid)}
    if not found:
        return
    parents = {pid: _parent(pid) for pid in pids}
    # A pod's shell may have started the caller.
    own = set(_line(os.getpid(), parents))
    for pid in pids:
        if pid in found or (pid not in own and not found.isdisjoint(_line(pid, parents))):
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                # Meanwhile the id may have passed to another process; the descriptor names only one.
                if owned.has(pid) if pid in found else _parent(pid) == parents[pid]:
                    yield fd
                else:
                    os.close(fd)


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _line(pid: int, parents: dict[int, int]) -> Iterable[int]:
    """Yield a process, its parent, and so on."""
    for _ in range(len(parents)):
        if pid == 0:
            return
        yield pid
        pid = parents.get(pid, 0)


def _end(victims: Collection[int], *, ask: bool) -> None:
    waiting = set(victims)
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
        _send(fd, signal.SIGTERM if ask else signal.SIGKILL)
    for _ in range(len(victims)):
        ready = poll.poll(_GRACE * 1000)
        if not ready:
            break
        for fd, _ in ready:
            poll.unregister(fd)
            waiting.discard(fd)
    for fd in waiting:
        _send(fd, signal.SIGKILL)


def _send(fd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, number)
