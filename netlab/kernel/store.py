"""The directory of the labs' records: a private folder for each lab, and the labs' locks beside the folders.

The directory is made with the first lab and removed with the last. A file is written whole or not at all, and a file
that another user could have written is not read.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.kernel import netns
from netlab.kernel.files import check_private, make_private, read_private, write_private
from netlab.kernel.lock import FairLock, Lock
from netlab.objects.names import LabName, is_lab

RECORD, LIST = "record.json", "namespaces"


class Store:
    """The directory of the records and the locks in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Every command that may make something holds it shared, so that no other command removes the directory. The
        # mutex beside it is held only while the directory is made or removed.
        self._users: Lock | None = None

    # --- labs ---------------------------------------------------------------------------------------------------

    def folder(self, lab: str) -> Path:
        """Return a lab's folder; raises UsageError for an invalid name."""
        return self.directory / LabName(lab)

    def labs(self) -> list[str]:
        """Return the names of the labs that have a record or a list of namespaces, sorted."""
        try:
            found = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return sorted(name for name in found if is_lab(name) and self.has(name))

    def has(self, lab: str) -> bool:
        """Return whether a lab has a record or a list of namespaces, damaged or not."""
        folder = self.folder(lab)
        return folder.is_symlink() or any(os.path.lexists(folder / name) for name in (RECORD, LIST))

    def files_of(self, lab: str) -> tuple[Path, Path]:
        """Return a lab's folder and the file of its lock; raises UsageError for a wrong name."""
        return self.folder(lab), self.directory / f"{LabName(lab)}.lock"

    def remove(self, lab: str) -> None:
        """Remove a lab's folder; raises HostError where it cannot be removed."""
        folder = self.folder(lab)
        try:
            if folder.is_symlink():
                folder.unlink()
            else:
                shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise HostError(f"cannot remove {folder}: {error.strerror}") from error

    # --- files --------------------------------------------------------------------------------------------------

    def read(self, file: Path, most: int) -> bytes:
        """Return the content of a file of at most ``most`` bytes.

        Raises:
          Unsafe: where another user could have written it, or where it is larger.
          OSError: when it cannot be read.
        """
        check_private(file.parent)
        return read_private(file, most)

    def write(self, file: Path, data: bytes) -> None:
        """Write a file, whole or not at all; raises OSError, and HostError where another user owns its folder."""
        make_private(file.parent)
        write_private(file, data)

    # --- locks --------------------------------------------------------------------------------------------------

    def lock(self, lab: str) -> FairLock:
        """Return the lock of a lab: exclusive to change it, shared to read it."""
        file = self.directory / f"{LabName(lab)}.lock"
        self.prepare()
        return FairLock(file)

    def owner_lock(self, lab: str) -> Lock:
        """Return the lock that the process of a temporary lab holds until it ends."""
        return Lock(self.directory / f"{LabName(lab)}.owner")

    def labs_with_owner(self) -> list[str]:
        """Return the names of the labs with an owner's lock, held or not."""
        return [file.stem for file in self.directory.glob("*.owner") if is_lab(file.stem)]

    # --- the directory itself ---------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what labs share, and note what did not exist before; ``tidy`` undoes it.

        Raises:
          HostError, KernelError: when it cannot be made; nothing of it is left then.
        """
        if self._users is not None:
            return
        mutex, users = self._locks()
        mutex.release_leftovers()
        try:
            while True:
                # Between any two lines the last lab may be removed, with the directory.
                with contextlib.suppress(FileNotFoundError):
                    make_private(self.directory)
                    mutex.acquire()
                    users.acquire(shared=True)
                    self._share()
                    break
        except BaseException as error:
            users.release()
            mutex.release()
            self.tidy()
            if isinstance(error, OSError):
                raise HostError(f"cannot write {self.directory}: {error.strerror}") from error
            raise
        mutex.release()
        self._users = users
        atexit.register(self.tidy)

    def tidy(self) -> None:
        """Remove what netlab made for labs to share, unless a lab or another command needs it.

        It may be called again after an interrupt. What the kernel refuses is left to the next command.
        """
        if self._users is not None:
            self._users.release()
            self._users = None
            atexit.unregister(self.tidy)
        mutex, users = self._locks()
        mutex.release_leftovers()
        # On a full disk the directory may exist without a lock in it; then it is empty.
        with contextlib.suppress(OSError, KernelError):
            try:
                mutex.acquire()
                # Only the holder of the mutex makes the other lock. Without its file, no command holds it.
                if not self.labs() and not self._in_use() and (not users.path.exists() or users.acquire(wait=False)):
                    self._remove_shared(mutex, users)
            finally:
                users.release()
                mutex.release()
                with contextlib.suppress(OSError):
                    self.directory.rmdir()

    def _locks(self) -> tuple[Lock, Lock]:
        return Lock(self.directory / ".mutex"), Lock(self.directory / ".users")

    def _remove_shared(self, mutex: Lock, users: Lock) -> None:
        """Remove all that is shared, the notes about it last; no other command may run."""
        for entry in list(self.directory.iterdir()):
            # A killed command leaves the file of its lock, or a folder without a record.
            if is_lab(entry.name) and entry.is_dir():
                self.remove(entry.name)
            elif (is_lab(entry.stem) and entry.suffix in (".lock", ".owner")) or entry.name == ".made.new":
                entry.unlink()
        self._unshare()
        users.remove()
        mutex.remove()

    def _share(self) -> None:
        """Make what labs share beside the directory; raises OSError, HostError, KernelError."""

    def _in_use(self) -> bool:
        """Return whether something that labs share is in use, even where no lab has a record."""
        return False

    def _unshare(self) -> None:
        """Undo ``_share``, also where it was interrupted."""


class HostStore(Store):
    """The records of this host, and the directory in which namespaces are pinned."""

    def _share(self) -> None:
        notes = self.directory / ".made"
        # It is written, whole or not at all, before anything is made.
        if not notes.exists():
            write_private(notes, " ".join(netns.missing_directory()).encode())
        netns.share_directory()

    def _in_use(self) -> bool:
        return netns.any_left()

    def _unshare(self) -> None:
        notes = self.directory / ".made"
        if notes.exists():
            netns.unshare_directory(notes.read_text().split())
        shutil.rmtree(netns.NOTES, ignore_errors=True)
        notes.unlink(missing_ok=True)


# One value for the process, as it holds the lock that keeps the directory.
HOST = HostStore(Path("/run/netlab"))
