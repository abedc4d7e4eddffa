"""Locks that die with their holder: flock(2) on a file that is removed with what it guards."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class Lock:
    """An advisory lock on a file, shared or exclusive; the file is made when it is not there.

    A holder that removes the file (``remove``) leaves waiters with a lock on nothing: they notice and start over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock (or change its kind); False when ``wait`` is off and somebody else holds it."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        while True:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                if os.fstat(self._fd).st_mode & 0o777 != 0o600:
                    os.fchmod(self._fd, 0o600)
            try:
                fcntl.flock(self._fd, operation)
            except BlockingIOError:
                return False
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                    return True
            self.release()

    def release(self) -> None:
        """Let the lock go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Remove the file while the exclusive lock is held, and let the lock go."""
        self.path.unlink(missing_ok=True)
        self.release()
