"""The record of a running lab: what it was made from, kept under /run/netlab so that it survives the process.

It is written before anything is built and removed after everything is gone, always whole (written aside, then
renamed), so that whatever a crash leaves is named by a record that ``netlab down`` finds.
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
from typing import Any

from netlab.cluster import Placement
from netlab.errors import HostError, KernelError, UsageError
from netlab.kernel import netns
from netlab.kernel.lock import Lock
from netlab.kernel.privilege import boot_id
from netlab.objects import Document
from netlab.objects.documents import from_record, to_record

DIRECTORY = Path("/run/netlab")
_VERSION = 1


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

    @property
    def stale(self) -> bool:
        """Whether the machine was started anew since: then nothing of the lab exists but its files."""
        return self.boot != boot_id()


def path(lab: str) -> Path:
    return DIRECTORY / lab / "record.json"


def labs() -> list[str]:
    """Return the names of the labs that have a record, sorted."""
    return sorted(p.parent.name for p in DIRECTORY.glob("*/record.json"))


def exists(lab: str) -> bool:
    """Say whether a lab has a record."""
    return path(lab).exists()


def load(lab: str) -> Record | None:
    """Return a lab's record, None when it has none.

    Raises:
      UsageError: when another version of netlab wrote it.
    """
    try:
        return _read(lab, path(lab))
    except FileNotFoundError:
        return None


def _read(lab: str, file: Path) -> Record:
    data: dict[str, Any] = json.loads(file.read_bytes())
    if data.get("version") != _VERSION:
        raise UsageError(f"lab {lab}: its record is of another netlab version; remove it with: netlab down {lab}")
    placement = {
        ref: Placement(node, tuple(map(ip_address, addresses))) for ref, (node, addresses) in data["placement"].items()
    }
    return Record(
        data["lab"],
        tuple(from_record(data["documents"])),
        placement,
        tuple(data["namespaces"]),
        data["ready"],
        data["boot"],
    )


def namespaces_of(lab: str) -> tuple[str, ...]:
    """Return the namespaces that a lab's record names, whatever version wrote it."""
    try:
        return tuple(json.loads(path(lab).read_bytes())["namespaces"])
    except FileNotFoundError:
        return ()


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
        "documents": to_record(record.documents),
    }
    draft = target.with_suffix(".new")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft.write_text(json.dumps(data, separators=(",", ":")))
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if not target.exists() and target.parent.is_dir():
            target.parent.rmdir()
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
    """Return the records that were kept: what a lab was before changes that broke off."""
    return [_read(lab, file) for file in sorted(path(lab).parent.glob("earlier-*.json"))]


def forget(lab: str) -> None:
    """Remove the records that were kept: a change is through."""
    for file in path(lab).parent.glob("earlier-*.json"):
        file.unlink()


def remove(lab: str) -> None:
    """Remove a lab's record: the last act of its removal."""
    shutil.rmtree(DIRECTORY / lab, ignore_errors=True)


def lock(lab: str) -> Lock:
    """Return the lock under which a lab is changed."""
    prepare()
    return Lock(DIRECTORY / f"{lab}.lock")


@contextlib.contextmanager
def locked(lab: str) -> Iterator[None]:
    """Hold the lab's lock for the block; its file goes where there is no lab of that name afterwards."""
    guard = lock(lab)
    guard.acquire()
    try:
        yield
    finally:
        if exists(lab):
            guard.release()
        else:
            guard.remove()


# Held shared by every command that may make something, so that nobody takes the shared directories away from under it;
# the mutex beside it is held for moments only, while they are made or taken away.
_users: Lock | None = None
_FURNITURE = (".mutex", ".users", ".made", netns.NOTES.name)


def prepare() -> None:
    """Make the directories that labs share, and note which of them were not there before; ``tidy`` undoes it.

    Raises:
      HostError, KernelError: when the host has no room for them; nothing of them is left then.
    """
    global _users
    if _users is not None:
        return
    mutex, users = Lock(DIRECTORY / ".mutex"), Lock(DIRECTORY / ".users")
    try:
        while True:
            # The last lab may go between any two lines here, and the directory with it. (So may it within pathlib's
            # exist_ok, which looks for the directory again and then raises that it exists.)
            with contextlib.suppress(FileExistsError):
                DIRECTORY.mkdir(mode=0o755, parents=True)
            with contextlib.suppress(FileNotFoundError):
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
    draft = notes.with_suffix(".new")
    draft.write_text(" ".join(netns.missing_directory()))
    draft.replace(notes)


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
    # On a full disk there may be the directory and no room for a lock in it: then there is nothing else either.
    with contextlib.suppress(OSError, KernelError):
        try:
            mutex.acquire()
            # Only who holds the mutex makes the other lock: where it is not there, no command holds it.
            if not labs() and (not users.path.exists() or users.acquire(wait=False)):
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
        if entry.name not in _FURNITURE:
            remove(entry.name) if entry.is_dir() else entry.unlink()
    notes = DIRECTORY / ".made"
    if notes.exists():
        netns.unshare_directory(notes.read_text().split())
    shutil.rmtree(netns.NOTES, ignore_errors=True)
    notes.unlink(missing_ok=True)
    users.remove()
    mutex.remove()
