"""The record of a running lab, kept under /run/netlab after the process ends: its objects, placement and namespaces.

It is written before anything is built and removed after everything is gone, always whole (under another name, then
renamed). So ``netlab down`` finds a record of all that a crash leaves. It keeps the fields of documents that netlab
reads, and no other user can read or write it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from netlab.errors import DamagedRecord, HostError
from netlab.kernel.machine import FairLock, Machine
from netlab.lab import namespace_list, notices
from netlab.lab.record_text import Record, decoded, encoded
from netlab.store.local import LocalStore, Stamp

__all__ = ["PATIENCE", "Record", "Records", "Stamp"]

# Seconds that a command which only reads waits for the change of another command.
PATIENCE = 60.0


class Records:
    """The records of a machine's labs; every method raises UsageError for an invalid name."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.store = machine.store
        self._kept = LocalStore(machine.store)

    @property
    def directory(self) -> Path:
        """The directory of the records."""
        return self.store.directory

    def path(self, lab: str) -> Path:
        """Return the path of a lab's record."""
        return self._kept.path(lab)

    def labs(self) -> list[str]:
        """Return the names of the labs with a record, damaged or not, sorted."""
        return self._kept.labs()

    def exists(self, lab: str) -> bool:
        """Return whether a lab has a record, damaged or not."""
        return self.store.has(lab)

    def prepare(self) -> None:
        """Make what labs share; raises HostError, KernelError."""
        self.store.prepare()

    def tidy(self) -> None:
        """Remove what labs share, unless a lab or another command needs it."""
        self.store.tidy()

    def remove(self, lab: str) -> None:
        """Remove a lab's record, as the last step of its removal; raises HostError where it cannot be removed."""
        self._kept.remove(lab)

    # --- reading ------------------------------------------------------------------------------------------------

    def stamp(self, lab: str) -> Stamp | None:
        """Return a value that differs as soon as a change of the lab begins; None where there is no lab."""
        return self._kept.stamp(lab)

    def load(self, lab: str) -> Record | None:
        """Return a lab's record, None when it has none.

        Raises:
          DamagedRecord: when it cannot be used: another version of netlab wrote it, another user could have written it,
            or it is not complete.
        """
        try:
            return self._read(lab, self.path(lab))
        except FileNotFoundError:
            # A build that broke off before it wrote the record made nothing.
            if any(map(self.machine.exists, self.namespaces_of(lab).names)):
                raise DamagedRecord(lab, f"there is no {self.path(lab)}") from None
            return None

    def _read(self, lab: str, file: Path) -> Record:
        return decoded(lab, self._kept.read(lab, file), str(file))

    def stale(self, lab: str) -> bool:
        """Return whether the machine booted since a lab was made. Then only the lab's files exist."""
        boot = self.namespaces_of(lab).boot
        return boot not in ("", self.machine.boot_id())

    def namespaces_of(self, lab: str) -> namespace_list.NamespaceList:
        """Return the namespaces of a lab, also where its record is damaged."""
        return namespace_list.read(self.store, lab)

    # --- writing ------------------------------------------------------------------------------------------------

    def save(self, record: Record, changing: Sequence[str] | None = None) -> None:
        """Write a record; raises HostError where that fails, as on a full disk. Then the old record stays.

        ``changing`` has the namespaces that may exist while a change is under way. Then the record is not ready.
        """
        boot, ready = self.machine.boot_id(), record.ready and changing is None
        namespaces = record.namespaces if changing is None else changing
        text = encoded(record, boot, ready, namespaces)
        with self._kept.writing(record.lab):
            namespace_list.write(self.store, record.lab, boot, namespaces)
        self._kept.save(record.lab, text)

    def keep(self, record: Record) -> None:
        """Keep a lab's record beside the one that is saved next, as what it names may still exist.

        Raises:
          HostError: when that cannot be written.
        """
        if record.ready:
            self.forget(record.lab)
        before = self.earlier(record.lab)
        if any(_content(record) == _content(one) for one in before):
            return
        target = self.path(record.lab)
        try:
            os.link(target, target.with_name(f"earlier-{len(before)}.json"))
        except OSError as error:
            raise HostError(f"cannot write {target.parent}: {error.strerror}") from error

    def earlier(self, lab: str) -> list[Record]:
        """Return the kept records, of the states before changes that broke off; raises DamagedRecord."""
        return [self._read(lab, file) for file in sorted(self.path(lab).parent.glob("earlier-*.json"))]

    def forget(self, lab: str) -> None:
        """Remove the kept records, after a change succeeded."""
        for file in self.path(lab).parent.glob("earlier-*.json"):
            file.unlink()

    # --- locks --------------------------------------------------------------------------------------------------

    def lock(self, lab: str) -> FairLock:
        """Return the lock of a lab: exclusive to change it, shared to read it."""
        return self._kept.lock(lab)

    @contextlib.contextmanager
    def locked(self, lab: str, *, shared: bool = False, patience: float = PATIENCE) -> Iterator[None]:
        """Hold the lab's lock for the block; remove its file afterwards if the lab is gone.

        A command that only reads the lab holds the lock shared, so that no change begins in the block.

        Raises:
          HostError: when the lock is to be shared and a change takes more than ``patience`` seconds.
        """
        guard = self.lock(lab)
        limit = patience if shared else float("inf")
        if not shared:
            guard.release_leftovers()
        try:
            if not guard.acquire(shared=shared, limit=limit, waiting=lambda: notices.notice_waiting(lab)):
                raise HostError(
                    f"another command is changing lab {lab} for {patience:g} s already", "try again when it is done"
                )
            try:
                yield
            finally:
                if guard.held and not self.exists(lab) and (not shared or guard.acquire(wait=False)):
                    guard.remove()
        finally:
            # A signal may interrupt this command while it takes the lock, and the removal of its lab takes it again.
            guard.release()


def _content(record: Record) -> tuple[object, ...]:
    return record.documents, record.placement, record.services, record.part
