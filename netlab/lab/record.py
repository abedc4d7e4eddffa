"""The record of a running lab, kept under /run/netlab after the process ends: its objects, placement and namespaces.

It is written before anything is built and removed after everything is gone, always whole (under another name, then
renamed). So ``netlab down`` finds a record of all that a crash leaves. It keeps the fields of documents that netlab
reads, and no other user can read or write it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from netlab.cluster import Placement
from netlab.dataplane.names import belongs
from netlab.dataplane.part import Part
from netlab.errors import DamagedRecord, HostError
from netlab.frozen import frozen_with_cache
from netlab.kernel.machine import RECORD, FairLock, Machine, Unsafe
from netlab.lab import namespace_list, notices, parts
from netlab.lab.allocations import Allocation, from_json
from netlab.objects import Document
from netlab.objects.documents import from_record, from_record_line, record_lines
from netlab.objects.reduced import mark_reduced, reduced_for_record

_T = TypeVar("_T")
Stamp = tuple[int, int, int]
# It goes up when netlab reads more of documents, as an older record does not have that.
_VERSION = 3
# Of a record with a part: a netlab that reads no parts would take it for the whole lab.
_VERSION_WITH_PART = 4
# A record is one JSON text. Its last field has a document in each line.
_DOCUMENTS, _AFTER_START, _BETWEEN, _END = '"documents":[', b"\n", b",\n", b"\n]}\n"
# Seconds that a command which only reads waits for the change of another command.
PATIENCE = 60.0


@frozen_with_cache
class Record:
    """The objects of a lab and what was decided for them.

    ``ready`` is false while the lab is built or changed. ``namespaces`` are all that may exist, with those of a change
    under way. ``placement`` keeps the nodes and addresses of running pods when objects change, ``services`` the
    addresses and ports of Services. ``part`` is what this machine has of a lab on several machines; None: all of it.
    """

    lab: str
    documents: tuple[Document, ...]
    placement: Mapping[str, Placement] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
    ready: bool = False
    boot: str = ""
    services: Mapping[str, Allocation] = field(default_factory=dict)
    part: Part | None = None

    @cached_property
    def decided(self) -> str:
        """Placement and allocations as JSON, without the braces around them."""
        placement = {ref: (p.node, [str(a) for a in p.addresses]) for ref, p in self.placement.items()}
        return _json({"placement": placement, "services": self.services})[1:-1]


class Records:
    """The records of a machine's labs; every method raises UsageError for an invalid name."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.store = machine.store

    @property
    def directory(self) -> Path:
        """The directory of the records."""
        return self.store.directory

    def path(self, lab: str) -> Path:
        """Return the path of a lab's record."""
        return self.store.folder(lab) / RECORD

    def labs(self) -> list[str]:
        """Return the names of the labs with a record, damaged or not, sorted."""
        return self.store.labs()

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
        self.store.remove(lab)

    # --- reading ------------------------------------------------------------------------------------------------

    def stamp(self, lab: str) -> Stamp | None:
        """Return a value that differs as soon as a change of the lab begins; None where there is no lab."""
        try:
            status = self.path(lab).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

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
        try:
            return _record(lab, *_parsed(self.store.read(file, namespace_list.MOST_OF_RECORD)))
        except FileNotFoundError:
            raise
        except Unsafe as error:
            raise DamagedRecord(lab, str(error)) from error
        except OSError as error:
            raise DamagedRecord(lab, f"{file}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DamagedRecord(lab, f"{file} is damaged") from error

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
        target, boot = self.path(record.lab), self.machine.boot_id()
        namespaces = record.namespaces if changing is None else changing
        head = {
            "version": _VERSION if record.part is None else _VERSION_WITH_PART,
            "lab": record.lab,
            "boot": boot,
            "ready": record.ready and changing is None,
            "namespaces": list(namespaces),
        }
        if record.part is not None:
            head["part"] = parts.to_json(record.part)
        # A document has a line of its own, which is kept with it: most documents are those of the record before.
        start = f"{_json(head)[:-1]},{record.decided},{_DOCUMENTS}".encode()
        lines = record_lines(reduced_for_record(record.documents))
        try:
            namespace_list.write(self.store, record.lab, boot, namespaces)
            self.store.write(target, b"".join((start, _AFTER_START, _BETWEEN.join(lines), _END)))
        except OSError as error:
            if not target.exists():
                self.remove(record.lab)
            raise HostError(f"cannot write {target}: {error.strerror}") from error

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
        return self.store.lock(lab)

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


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _parsed(text: bytes) -> tuple[dict[str, Any], list[Document]]:
    """Return the data of a record without its documents, and these; raises an error where the text is damaged."""
    start, newline, rest = text.partition(_AFTER_START)
    if newline and start.endswith(_DOCUMENTS.encode()) and rest.endswith(_END):
        data: dict[str, Any] = json.loads(start + b"]}")
        lines = rest[: -len(_END)]
        return data, [from_record_line(line) for line in lines.split(_BETWEEN)] if lines else []
    data = json.loads(text)
    return data, from_record(_typed(list, data["documents"]))


def _record(lab: str, data: dict[str, Any], documents: Iterable[Document]) -> Record:
    """Return the record of JSON data and documents; raises DamagedRecord, or another error where a type is wrong."""
    if data.get("version") != (_VERSION_WITH_PART if "part" in data else _VERSION):
        raise DamagedRecord(lab, "it is of another netlab version")
    placement = {
        ref: Placement(_typed(str, node), tuple(ip_address(_typed(str, address)) for address in addresses))
        for ref, (node, addresses) in data["placement"].items()
    }
    documents = tuple(map(mark_reduced, documents))
    for document in documents:
        _typed(dict, document.data)
        _typed(str, document.source.file)
        if not all(type(line) is int for line in document.source.lines.values()):
            raise TypeError("lines")
        if not all(type(path) is str and type(line) is int for path, line in document.duplicates):
            raise TypeError("duplicates")
    namespaces = tuple(_typed(str, name) for name in _typed(list, data["namespaces"]))
    if data["lab"] != lab or not all(belongs(lab, name) for name in namespaces):
        raise DamagedRecord(lab, "it is of another lab")
    services = from_json(_typed(dict, data["services"]))
    ready, boot = _typed(bool, data["ready"]), _typed(str, data["boot"])
    part = parts.from_json(_typed(dict, data["part"])) if "part" in data else None
    return Record(lab, documents, placement, namespaces, ready, boot, services, part)


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return value
