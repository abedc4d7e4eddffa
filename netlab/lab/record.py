"""The record of a running lab: what it was made from, kept under /run/netlab so that it survives the process.

It is written before anything is built and removed after everything is gone, always whole (written aside, then
renamed), so that whatever a crash leaves is named by a record that ``netlab down`` finds. It keeps of documents what
netlab reads, and no other user can read or write it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from netlab.cluster import Placement
from netlab.dataplane.names import belongs
from netlab.errors import DamagedRecord, HostError, KernelError
from netlab.kernel import netns
from netlab.kernel.files import Unsafe, check_private, make_private, read_private, write_private
from netlab.kernel.lock import Lock, Turns
from netlab.kernel.privilege import boot_id
from netlab.lab import owned, waiting
from netlab.objects import Document
from netlab.objects.documents import from_record, to_record
from netlab.objects.kept import kept, mark
from netlab.objects.names import LabName, is_lab

DIRECTORY = Path("/run/netlab")
_T = TypeVar("_T")
Stamp = tuple[int, int, int]
# It goes up when documents are read in another way: what the older netlab did not keep is not to be had.
_VERSION = 2
# Another command's change is waited for so many seconds by those that only look.
PATIENCE = 60.0


@dataclass(frozen=True)
class Record:
    """What a lab was made from. ``ready`` is false while it is being built or changed.

    ``namespaces`` are all that may exist, those of a change under way included. ``placement`` keeps running pods
    where they are when objects come and go.
    """

    lab: str
    documents: tuple[Document, ...]
    placement: Mapping[str, Placement] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
    ready: bool = False
    boot: str = ""


def path(lab: str) -> Path:
    """Return where a lab's record is; like every function here, raises UsageError for what is no lab's name."""
    return _folder(lab) / owned.RECORD


def _folder(lab: str) -> Path:
    return DIRECTORY / LabName(lab)


def labs() -> list[str]:
    """Return the names of the labs that have a record, sorted, whatever is wrong with one of them.

    Entries of other names are no labs.
    """
    try:
        found = os.listdir(DIRECTORY)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if is_lab(name) and exists(name))


def exists(lab: str) -> bool:
    """Say whether a lab has a record, be it damaged."""
    directory = _folder(lab)
    return directory.is_symlink() or any(os.path.lexists(directory / name) for name in (owned.RECORD, owned.FILE))


def stamp(lab: str) -> Stamp | None:
    """Return what differs after every change of a lab, from the moment on at which the change begins; None: no lab."""
    try:
        status = path(lab).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def load(lab: str) -> Record | None:
    """Return a lab's record, None when it has none.

    Raises:
      DamagedRecord: when it cannot be used: another version of netlab wrote it, another user could have, or it is torn.
    """
    try:
        return _read(lab, path(lab))
    except FileNotFoundError:
        # A build that broke off before its record was written made nothing.
        if any(map(netns.exists, owned.read(_folder(lab)).names)):
            raise DamagedRecord(lab, f"there is no {path(lab)}") from None
        return None


def _read(lab: str, file: Path) -> Record:
    try:
        check_private(file.parent)
        return _record(lab, json.loads(read_private(file, owned.MOST_OF_RECORD)))
    except FileNotFoundError:
        raise
    except Unsafe as error:
        raise DamagedRecord(lab, str(error)) from error
    except OSError as error:
        raise DamagedRecord(lab, f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedRecord(lab, f"{file} is damaged") from error


def _record(lab: str, data: dict[str, Any]) -> Record:
    """Return the record that JSON holds; raises DamagedRecord, and whatever is raised where a type is another."""
    if data.get("version") != _VERSION:
        raise DamagedRecord(lab, "it is of another netlab version")
    placement = {
        ref: Placement(_typed(str, node), tuple(ip_address(_typed(str, address)) for address in addresses))
        for ref, (node, addresses) in data["placement"].items()
    }
    documents = tuple(mark(document) for document in from_record(_typed(list, data["documents"])))
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
    return Record(lab, documents, placement, namespaces, _typed(bool, data["ready"]), _typed(str, data["boot"]))


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return value


def stale(lab: str) -> bool:
    """Say whether the machine was started anew since a lab was made: then nothing of it exists but its files."""
    boot = owned.read(_folder(lab)).boot
    return boot not in ("", boot_id())


def namespaces_of(lab: str) -> owned.Owned:
    """Return the namespaces that are a lab's, whatever is wrong with its record."""
    return owned.read(_folder(lab))


def save(record: Record) -> None:
    """Write a record; raises HostError when the disk is full or the place not writable (the old one is kept then)."""
    target = path(record.lab)
    data = {
        "version": _VERSION,
        "lab": record.lab,
        "boot": boot_id(),
        "ready": record.ready,
        "namespaces": list(record.namespaces),
        "placement": {ref: (p.node, [str(a) for a in p.addresses]) for ref, p in record.placement.items()},
        "documents": to_record(kept(record.documents)),
    }
    try:
        make_private(target.parent)
        owned.write(target.parent, boot_id(), record.namespaces)
        write_private(target, json.dumps(data, separators=(",", ":")).encode())
    except OSError as error:
        if not target.exists():
            remove(record.lab)
        raise HostError(f"cannot write {target}: {error.strerror}") from error


def keep(record: Record) -> None:
    """Keep a lab's record, as it was loaded, beside the one that is saved next: what it describes may be there still.

    Raises:
      HostError: when that cannot be written.
    """
    if record.ready:
        forget(record.lab)
    before = earlier(record.lab)
    if any((record.documents, record.placement) == (one.documents, one.placement) for one in before):
        return
    target = path(record.lab)
    try:
        os.link(target, target.with_name(f"earlier-{len(before)}.json"))
    except OSError as error:
        raise HostError(f"cannot write {target.parent}: {error.strerror}") from error


def earlier(lab: str) -> list[Record]:
    """Return the records that were kept: what a lab was before changes that broke off; raises DamagedRecord."""
    return [_read(lab, file) for file in sorted(path(lab).parent.glob("earlier-*.json"))]


def forget(lab: str) -> None:
    """Remove the records that were kept: a change is through."""
    for file in path(lab).parent.glob("earlier-*.json"):
        file.unlink()


def remove(lab: str) -> None:
    """Remove a lab's record: the last act of its removal; raises HostError where it cannot be removed."""
    directory = _folder(lab)
    try:
        if directory.is_symlink():
            directory.unlink()
        else:
            shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"cannot remove {directory}: {error.strerror}") from error


def lock(lab: str) -> Turns:
    """Return the lock under which a lab is changed and read."""
    file = DIRECTORY / f"{LabName(lab)}.lock"
    prepare()
    return Turns(file)


@contextlib.contextmanager
def locked(lab: str, *, shared: bool = False, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lab's lock for the block; remove its file afterwards if no lab of that name is left.

    A command that only reads the lab holds the lock shared: no change begins in the block.

    Raises:
      HostError: when the lock is to be shared, and a change takes more than ``patience`` seconds.
    """
    guard = lock(lab)
    limit = patience if shared else float("inf")
    if not shared:
        guard.release_leftovers()
    try:
        if not guard.acquire(shared=shared, limit=limit, waiting=lambda: waiting.tell(lab)):
            raise HostError(
                f"another command is changing lab {lab} for {patience:g} s already", "try again when it is done"
            )
        try:
            yield
        finally:
            if guard.held and not exists(lab) and (not shared or guard.acquire(wait=False)):
                guard.remove()
    finally:
        # A signal may end the command while it takes the lock, and the removal of its lab takes the lock again.
        guard.release()


# Held shared by every command that may make something, so that nobody takes the shared directories away from under it;
# the mutex beside it is held for moments only, while they are made or taken away.
_users: Lock | None = None


def prepare() -> None:
    """Make the directories that labs share, and note which of them were not there before; ``tidy`` undoes it.

    Raises:
      HostError, KernelError: when the host has no room for them; nothing of them is left then.
    """
    global _users
    if _users is not None:
        return
    mutex, users = Lock(DIRECTORY / ".mutex"), Lock(DIRECTORY / ".users")
    mutex.release_leftovers()
    try:
        while True:
            # The last lab may go between any two lines here, and the directory with it.
            with contextlib.suppress(FileNotFoundError):
                make_private(DIRECTORY)
                mutex.acquire()
                users.acquire(shared=True)
                _note_missing()
                netns.share_directory()
                break
    except BaseException as error:
        users.release()
        mutex.release()
        tidy()
        if isinstance(error, OSError):
            raise HostError(f"cannot write {DIRECTORY}: {error.strerror}") from error
        raise
    mutex.release()
    _users = users
    atexit.register(tidy)


def _note_missing() -> None:
    """Write down, whole or not at all, which of the directories that labs share are not there yet."""
    notes = DIRECTORY / ".made"
    if notes.exists():
        return
    write_private(notes, " ".join(netns.missing_directory()).encode())


def tidy() -> None:
    """Remove the directories that labs share, where netlab made them, unless a lab or another command needs them.

    It goes on where it was cut short. What the kernel refuses is left to the next command.
    """
    global _users
    if _users is not None:
        _users.release()
        _users = None
        atexit.unregister(tidy)
    mutex, users = Lock(DIRECTORY / ".mutex"), Lock(DIRECTORY / ".users")
    mutex.release_leftovers()
    # On a full disk there may be the directory and no room for a lock in it: then there is nothing else either.
    with contextlib.suppress(OSError, KernelError):
        try:
            mutex.acquire()
            # Only who holds the mutex makes the other lock: where it is not there, no command holds it.
            if not labs() and not netns.any_left() and (not users.path.exists() or users.acquire(wait=False)):
                _take_away(mutex, users)
        finally:
            users.release()
            mutex.release()
            with contextlib.suppress(OSError):
                DIRECTORY.rmdir()


def _take_away(mutex: Lock, users: Lock) -> None:
    """Remove everything that is shared, what made it known last; nobody else is there."""
    for entry in list(DIRECTORY.iterdir()):
        # A command that was killed leaves its lock's file, or the directory of a record that it never wrote.
        if is_lab(entry.name) and entry.is_dir():
            remove(entry.name)
        elif (is_lab(entry.stem) and entry.suffix in (".lock", ".owner")) or entry.name == ".made.new":
            entry.unlink()
    notes = DIRECTORY / ".made"
    if notes.exists():
        netns.unshare_directory(notes.read_text().split())
    shutil.rmtree(netns.NOTES, ignore_errors=True)
    notes.unlink(missing_ok=True)
    users.remove()
    mutex.remove()
