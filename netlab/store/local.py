"""The records of this machine: a private folder for each lab, as ``kernel/store.py`` keeps them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from netlab.errors import DamagedRecord, HostError
from netlab.kernel.files import make_private
from netlab.kernel.lock import FairLock
from netlab.kernel.machine import RECORD, Store, Unsafe
from netlab.store.values import ABSENT, MOST, Changed, Conflict, Kept

Stamp = tuple[int, int, int]
# Seconds. A save holds a folder for milliseconds; a watch looks so often.
_MOST_WAIT, _PAUSE, _LOOK = 10.0, 0.002, 0.05


class LocalStore:
    """The records in a directory of this machine. A revision is inode, time and size of the record's file."""

    def __init__(self, files: Store) -> None:
        self.files = files

    def path(self, lab: str) -> Path:
        """Return the path of a lab's record."""
        return self.files.folder(lab) / RECORD

    def labs(self) -> list[str]:
        """Return the names of the labs with a record or a list of namespaces, damaged or not, sorted."""
        return self.files.labs()

    def stamp(self, lab: str) -> Stamp | None:
        """Return a value that differs after each save; None where there is no record."""
        try:
            status = self.path(lab).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def load(self, lab: str) -> Kept | None:
        # A save between the two lines makes the revision too old, and with it the next save fails.
        revision = self._revision(lab)
        try:
            return Kept(self.read(lab, self.path(lab)), revision)
        except FileNotFoundError:
            return None

    def read(self, lab: str, file: Path) -> bytes:
        """Return a file of a lab; raises FileNotFoundError, and DamagedRecord where it cannot be trusted or read."""
        try:
            return self.files.read(file, MOST)
        except FileNotFoundError:
            raise
        except Unsafe as error:
            raise DamagedRecord(lab, str(error)) from error
        except OSError as error:
            raise DamagedRecord(lab, f"{file}: {error.strerror}") from error

    def save(self, lab: str, data: bytes, revision: str | None = None, lock: object = None) -> str:
        """Write a record; ``lock`` has no effect, as the kernel takes no lock away."""
        if len(data) > MOST:
            raise HostError(f"a record of {len(data)} bytes is too large")
        with self.writing(lab):
            if revision is None:
                self.files.write(self.path(lab), data)
                return self._revision(lab)
            self.files.prepare()
            with self._alone(lab):
                self._expect(lab, revision)
                self.files.write(self.path(lab), data)
                return self._revision(lab)

    def remove(self, lab: str, revision: str | None = None, lock: object = None) -> None:
        """Remove a lab's folder."""
        if revision is None:
            self.files.remove(lab)
            return
        with self.writing(lab), self._alone(lab):
            self._expect(lab, revision)
            self.files.remove(lab)

    @contextlib.contextmanager
    def writing(self, lab: str) -> Iterator[None]:
        """Raise HostError for an OSError of the block. Then a lab that has no record has no folder either."""
        try:
            yield
        except OSError as error:
            target = self.path(lab)
            if not target.exists():
                self.files.remove(lab)
            raise HostError(f"cannot write {target}: {error.strerror}") from error

    def lock(self, lab: str) -> FairLock:
        """Return the lock of a lab: exclusive to change it, shared to read it."""
        return self.files.lock(lab)

    def watch(self, pulse: float = 1.0, patience: float = 60.0) -> Iterator[Changed | None]:
        """Yield changes by looking at the files; ``patience`` has no effect."""
        known: dict[str, str] = {}
        said = time.monotonic()
        while True:
            found = {lab: revision for lab in self.labs() if (revision := self._revision(lab))}
            for lab in known.keys() | found.keys():
                if known.get(lab) != found.get(lab):
                    said = time.monotonic()
                    yield Changed(lab, found.get(lab, ABSENT))
            known = found
            if time.monotonic() - said >= pulse:
                said = time.monotonic()
                yield None
            time.sleep(min(_LOOK, pulse))

    def close(self) -> None:
        """Remove what labs share, unless a lab or another command needs it."""
        self.files.tidy()

    def _revision(self, lab: str) -> str:
        stamp = self.stamp(lab)
        return ABSENT if stamp is None else ".".join(map(str, stamp))

    def _expect(self, lab: str, revision: str) -> None:
        if self._revision(lab) != revision:
            raise Conflict(lab)

    @contextlib.contextmanager
    def _alone(self, lab: str) -> Iterator[None]:
        """Hold a lab's folder for the block, so that no other save compares and writes."""
        folder, until = self.files.folder(lab), time.monotonic() + _MOST_WAIT
        while (fd := _locked(folder)) is None:
            if time.monotonic() > until:
                raise HostError(f"another process holds {folder} for {_MOST_WAIT:g} s already")
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            # It is empty where nothing was written.
            with contextlib.suppress(OSError):
                folder.rmdir()
            os.close(fd)


def _locked(folder: Path) -> int | None:
    """Return a locked descriptor of a folder, which is made; None while another process holds or removes it."""
    fd = -1
    try:
        make_private(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(folder), os.fstat(fd)):
            held, fd = fd, -1
            return held
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        if fd >= 0:
            os.close(fd)
    return None
