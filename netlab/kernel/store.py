"""Where labs keep their records: a directory with a private folder for each lab, and the labs' locks beside it.

The directory comes with the first lab and goes with the last. A file is written whole or not at all, and what another
user could have written is not read.
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
    """The records' directory and the locks in it; a path in it is given as it is, with the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Held shared by every command that may make something, so that no other command removes the directory; the
        # mutex beside it is held for moments only, while the directory is made or removed.
        self._users: Lock | None = None

    # --- labs ---------------------------------------------------------------------------------------------------

    def folder(self, lab: str) -> Path:
        """Return a lab's folder; raises UsageError for what is no lab's name."""
        return self.directory / LabName(lab)

    def labs(self) -> list[str]:
        """Return the names of the labs that have a record or a list of namespaces, sorted."""
        try:
            found = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return sorted(name for name in found if is_lab(name) and self.has(name))

    def has(self, lab: str) -> bool:
        """Say whether a lab has a record or a list of namespaces, be it damaged."""
        folder = self.folder(lab)
        return folder.is_symlink() or any(os.path.lexists(folder / name) for name in (RECORD, LIST))

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
        """Return the lock under which a lab is changed and read."""
        file = self.directory / f"{LabName(lab)}.lock"
        self.prepare()
        return FairLock(file)

    def owner_lock(self, lab: str) -> Lock:
        """Return the lock that the process of a temporary lab holds until it ends."""
        return Lock(self.directory / f"{LabName(lab)}.owner")

    def labs_with_owner(self) -> list[str]:
        """Return the names of the labs that have an owner's lock, held or not."""
        return [file.stem for file in self.directory.glob("*.owner") if is_lab(file.stem)]

    # --- coming and going ---------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what labs share, and note which of it was not there before; ``tidy`` undoes it.

        Raises:
          HostError, KernelError: when the host has no room for it; nothing of it is left then.
        """
        if self._users is not None:
            return
        mutex, users = self._locks()
        mutex.release_leftovers()
        try:
            while True:
                # The last lab may go between any two lines here, and the directory with it.
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
        """Remove what labs share, where netlab made it, unless a lab or another command needs it.

        It goes on where it was cut short. What the kernel refuses is left to the next command.
        """
        if self._users is not None:
            self._users.release()
            self._users = None
            atexit.unregister(self.tidy)
        mutex, users = self._locks()
        mutex.release_leftovers()
        # On a full disk there may be the directory and no room for a lock in it: then there is nothing else either.
        with contextlib.suppress(OSError, KernelError):
            try:
                mutex.acquire()
                # Only the holder of the mutex makes the other lock: where it is not there, no command holds it.
                if not self.labs() and not self._in_use() and (not users.path.exists() or users.acquire(wait=False)):
                    self._take_away(mutex, users)
            finally:
                users.release()
                mutex.release()
                with contextlib.suppress(OSError):
                    self.directory.rmdir()

    def _locks(self) -> tuple[Lock, Lock]:
        return Lock(self.directory / ".mutex"), Lock(self.directory / ".users")

    def _take_away(self, mutex: Lock, users: Lock) -> None:
        """Remove everything that is shared, what made it known last; no other command is there."""
        for entry in list(self.directory.iterdir()):
            # A command that was killed leaves its lock's file, or the directory of a record that it never wrote.
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
        """Say whether something that labs share is needed still, also where no lab has a record."""
        return False

    def _unshare(self) -> None:
        """Undo ``_share``, as far as it came."""


class HostStore(Store):
    """The records of this host, with the directory in which namespaces are pinned."""

    def _share(self) -> None:
        notes = self.directory / ".made"
        # Written, whole or not at all, before anything is made.
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


# One for the process: each holds a lock that keeps another from removing the directory.
HOST = HostStore(Path("/run/netlab"))
