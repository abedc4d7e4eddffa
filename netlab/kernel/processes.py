"""The processes of a lab: found by their namespaces, ended by their id.

A process is found if it is in a network namespace of the lab. A process in another network namespace is found by the
mount of /sys that ``execute`` gave it: the source of the mount is the name and the inode number of the lab's network
namespace, and a new mount namespace copies the mount. Descendants of such processes are found by their parents.

A process is not found if it left the network namespace, changed its root directory (chroot) or unmounted /sys, and its
parent is gone. Without root it still ends with the user's last lab, as it is in the keeper's user namespace or below.
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
# ioctl_ns(2). The kernel refuses it above the caller's own user namespace.
_NS_GET_PARENT = 0xB702
_DEPTH = 33


@frozen_with_cache
class ProcessFilter:
    """Which processes to end; the caller is never one of them.

    Attributes:
      networks: inode numbers of network namespaces. Every process in one of them matches.
      mounts: sources of mounts. A process with such a mount, and with another UTS namespace than the caller, matches.
      user: the inode number of a user namespace. A process in it or below, and with another UTS namespace than the
        caller, matches.
    """

    networks: Collection[int] = ()
    mounts: frozenset[str] = frozenset()
    user: int = 0
    _marked: dict[str, bool] = field(default_factory=dict, compare=False)

    def matches(self, pid: int) -> bool:
        """Return whether a process is one to end."""
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
        # This fails for a dead process.
        place = os.readlink(f"/proc/{pid}/ns/mnt")
        if place not in self._marked:
            self._marked[place] = bool(self.mounts) and not self.mounts.isdisjoint(_sources(pid))
        return self._marked[place]


def _sources(pid: int) -> set[str]:
    """Return the sources of a process's mounts: proc(5), mountinfo."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as lines:
        return {line.split(" - ", 1)[1].split(" ")[1] for line in lines}


def _is_within(pid: int, user: int) -> bool:
    """Return whether a process is in a user namespace or in one below it."""
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


def end(of: ProcessFilter) -> int:
    """End the matching processes and what they start meanwhile; return their number.

    They get SIGTERM, and SIGKILL a second later.
    """
    ended = 0
    for attempt in range(_ROUNDS):
        victims = list(_opened(of))
        if not victims:
            break
        try:
            _end(victims, ask=attempt == 0)
        finally:
            for fd in victims:
                os.close(fd)
        ended += len(victims)
    return ended


def _opened(of: ProcessFilter) -> Iterator[int]:
    """Yield a descriptor of each matching process and of each of its descendants."""
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]
    found = {pid for pid in pids if of.matches(pid)}
    if not found:
        return
    parents = {pid: _parent(pid) for pid in pids}
    # The caller may be a descendant of a pod's shell.
    own = set(_line(os.getpid(), parents))
    for pid in pids:
        if pid in found or (pid not in own and not found.isdisjoint(_line(pid, parents))):
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                # Another process may have the id by now, so this looks again: a descriptor keeps to one process.
                if of.matches(pid) if pid in found else _parent(pid) == parents[pid]:
                    yield fd
                else:
                    os.close(fd)


def inside(networks: Collection[int], number: int = 0) -> set[int]:
    """Return which network namespaces, by inode number, have processes; send these a signal, unless it is 0.

    The caller is not among them.
    """
    found: set[int] = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            place = os.stat(f"/proc/{entry.name}/ns/net").st_ino
            if place in networks:
                if number:
                    _send_to(int(entry.name), place, number)
                found.add(place)
    return found


def _send_to(pid: int, network: int, number: int) -> None:
    """Send a signal to a process that is in a network namespace; another one may have its id by now."""
    fd = os.pidfd_open(pid)
    try:
        if os.stat(f"/proc/{pid}/ns/net").st_ino == network:
            _send(fd, signal.Signals(number))
    finally:
        os.close(fd)


def started(pid: int) -> str:
    """Return when a process started, "" for a dead one; so a later process with the same id differs.

    Raises:
      OSError: when this process has no descriptor left to look.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        # A zombie stays until its parent waits for it; its namespaces are gone.
        return "" if fields[0] in ("Z", "X") else fields[19]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return ""


def children(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _parent(int(name)) == parent]


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
    _wait(poll, waiting)
    if waiting:
        for fd in waiting:
            _send(fd, signal.SIGKILL)
        # One that still ends would be found, and counted, once more.
        _wait(poll, waiting)


def _wait(poll: select.poll, waiting: set[int]) -> None:
    """Wait until the processes of the descriptors end, at most a second after the last end; remove those that do."""
    while waiting:
        ready = poll.poll(_GRACE * 1000)
        if not ready:
            break
        for fd, _ in ready:
            poll.unregister(fd)
            waiting.discard(fd)


def _send(fd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, number)
