"""Locks that the kernel releases when their process ends: flock(2) on a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

# struct flock of fcntl(2): type, whence, start, length (0: all), process id.
_WHOLE_FILE = struct.Struct("@hhqqi4x")
_PAUSES = (0.001, 0.02)
# The locks that this process holds or waits for.
_taken: list[Lock] = []


class Lock:
    """An advisory lock on a file, shared or exclusive; the file is made when it does not exist.

    When the holder removes the file (``remove``), waiters notice it and lock a new file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        # Process and thread: a forked process does not release the locks of its parent.
        self.holder = (0, 0)

    @property
    def held(self) -> bool:
        """Whether this value holds the lock or waits for it."""
        return self._fd >= 0

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock, or change it between shared and exclusive; False when ``wait`` is off and it is held."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        while True:
            self._open()
            try:
                fcntl.flock(self._fd, operation)
            except BlockingIOError:
                return False
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                    return True
            self.release()

    def release_leftovers(self) -> None:
        """Release the same lock where other values of this thread hold it.

        An interrupt between two instructions can skip a ``finally``, of contextlib too, and the lock stays taken. The
        removal of the lab takes the lock again, and would wait for its own thread for ever.
        """
        for left in _taken[:]:
            if left is not self and (left.path, left.holder) == (self.path, _this_thread()):
                left.release()

    def _open(self) -> None:
        """Open the file if it is not open, with mode 0600 under every umask."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if os.fstat(self._fd).st_mode & 0o777 != 0o600:
                os.fchmod(self._fd, 0o600)
            self.holder = _this_thread()
            _taken.append(self)

    def release(self) -> None:
        """Release the lock."""
        if self._fd >= 0:
            # The number is forgotten first: after an interrupt between the two lines it could name another file.
            fd, self._fd = self._fd, -1
            os.close(fd)
            _taken[:] = [lock for lock in _taken if lock.held]

    def remove(self) -> None:
        """Remove the file and release the lock, which must be held exclusively."""
        self.path.unlink(missing_ok=True)
        self.release()


def _this_thread() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def repeat(
    take: Callable[[], bool],
    pauses: tuple[float, float],
    *,
    wait: bool,
    limit: float,
    waiting: Callable[[], None] | None,
) -> bool:
    """Try to take a lock until that succeeds; return False as ``FairLock.acquire`` does.

    The arguments are those of ``FairLock.acquire``, and ``pauses`` has the first pause and the longest, in seconds.
    """
    started, pause, called = time.monotonic(), pauses[0], False
    while not take():
        waited = time.monotonic() - started
        if not wait or waited > limit:
            return False
        if waiting is not None and waited > 1 and not called:
            called = True
            waiting()
        time.sleep(pause)
        pause = min(2 * pause, pauses[1])
    return True


class FairLock(Lock):
    """A lock that is fair to exclusive takers: later shared takers wait for an exclusive one that waits.

    With flock(2) alone, a stream of short shared holders keeps an exclusive taker waiting for ever. So each taker first
    takes a second lock, the gate, by fcntl(2) on the same file. An exclusive taker holds the gate from the moment it
    begins to wait until it releases the lock.
    """

    def acquire(
        self,
        *,
        shared: bool = False,
        wait: bool = True,
        limit: float = float("inf"),
        waiting: Callable[[], None] | None = None,
    ) -> bool:
        """Take the lock; False when it stays held: at once with ``wait`` off, else after ``limit`` seconds.

        ``waiting`` is called once, after a second.
        """
        if not repeat(lambda: self._try(shared), _PAUSES, wait=wait, limit=limit, waiting=waiting):
            self.release()
            return False
        return True

    def release(self) -> None:
        """Release the lock, also where a forked process has inherited its descriptor."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            self._gate(fcntl.F_UNLCK)
        super().release()

    def _try(self, shared: bool) -> bool:
        self._open()
        if not self._gate(fcntl.F_RDLCK if shared else fcntl.F_WRLCK):
            return False
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if shared:
                self._gate(fcntl.F_UNLCK)
            return False
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                if shared:
                    self._gate(fcntl.F_UNLCK)
                return True
        self.release()
        return False

    def _gate(self, kind: int) -> bool:
        """Take the gate, shared or exclusively, or release it; False when it is held."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _WHOLE_FILE.pack(kind, os.SEEK_SET, 0, 0, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True
