"""Locks that die with their holder: flock(2) on a file that is removed with what it guards."""

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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02
# The locks that are taken or being taken.
_taken: list[Lock] = []


class Lock:
    """An advisory lock on a file, shared or exclusive; the file is made when it is not there.

    A holder that removes the file (``remove``) leaves waiters with a lock on nothing: they notice and start over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        # A forked process does not let go of what its parent holds.
        self.taker = (0, 0)

    @property
    def held(self) -> bool:
        """Whether the lock is taken, or being taken."""
        return self._fd >= 0

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock (or change its kind); False when ``wait`` is off and somebody else holds it."""
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
        """Release what this thread holds of the lock by other values.

        An interrupt between two instructions can skip any ``finally`` (of contextlib too), and the lock stays taken.
        The removal of the lab takes it again, and would wait for its own thread for ever.
        """
        for left in _taken[:]:
            if left is not self and (left.path, left.taker) == (self.path, _this_thread()):
                left.release()

    def _open(self) -> None:
        """Open the file where it is not open, with mode 0600 whatever the umask is."""
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if os.fstat(self._fd).st_mode & 0o777 != 0o600:
                os.fchmod(self._fd, 0o600)
            self.taker = _this_thread()
            _taken.append(self)

    def release(self) -> None:
        """Let the lock go."""
        if self._fd >= 0:
            # First the number is forgotten: an interrupt between the two lines must not close another file of it.
            fd, self._fd = self._fd, -1
            os.close(fd)
            _taken[:] = [lock for lock in _taken if lock.held]

    def remove(self) -> None:
        """Remove the file while the exclusive lock is held, and let the lock go."""
        self.path.unlink(missing_ok=True)
        self.release()


def _this_thread() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


class FairLock(Lock):
    """A lock of which who takes it exclusively waits for those who share it now, and for none who comes later.

    flock(2) alone gives it to a stream of short shared holders for good. So whoever comes passes a gate first: a second
    lock, by fcntl(2) on the same file, that an exclusive taker keeps from when it begins to wait until it is done.
    """

    def acquire(
        self,
        *,
        shared: bool = False,
        wait: bool = True,
        limit: float = float("inf"),
        waiting: Callable[[], None] | None = None,
    ) -> bool:
        """Take the lock; False when it is held, with ``wait`` off at once, else after ``limit`` seconds.

        ``waiting`` is called once when it takes more than a second.
        """
        started, pause, told = time.monotonic(), _FIRST_PAUSE, False
        while not self._try(shared):
            waited = time.monotonic() - started
            if not wait or waited > limit:
                self.release()
                return False
            if waiting is not None and waited > 1 and not told:
                told = True
                waiting()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    def release(self) -> None:
        """Let the lock go, also where a forked process has inherited its descriptor."""
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
        """Take the gate, shared or exclusively, or let it go; False when it is held."""
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _WHOLE_FILE.pack(kind, os.SEEK_SET, 0, 0, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True
