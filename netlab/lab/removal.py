"""Removing labs: by their record alone, whatever state they are in; with the last, what all of them shared."""

from __future__ import annotations

import contextlib

from netlab.errors import UsageError
from netlab.kernel import privilege, signals
from netlab.kernel.linux import Linux
from netlab.lab import record as records


def remove(name: str) -> None:
    """Remove a lab and end what runs inside; raises UsageError when there is none of that name."""
    if not privilege.enter(start=False) or not records.exists(name):
        running = records.labs()
        known = f" (running: {', '.join(running)})" if running else ""
        raise UsageError(f"no lab {name!r} is running{known}")
    _remove_locked(name)
    records.tidy()


def remove_all() -> list[str]:
    """Remove every lab, and what commands that were killed left behind; return the names of the labs."""
    if not privilege.enter(start=False):
        return []
    found = records.labs()
    for name in found:
        _remove_locked(name)
    records.tidy()
    return found


def sweep() -> None:
    """Clear away the labs of a machine that was started anew since: only their files are left."""
    for name in records.labs():
        with contextlib.suppress(UsageError):
            record = records.load(name)
            if record is not None and record.stale:
                _remove_locked(name)


def _remove_locked(name: str) -> None:
    with records.locked(name):
        remove_everything(name)


def remove_everything(name: str) -> None:
    """Remove a lab of which the caller holds the lock."""
    with signals.held():
        Linux().remove(records.namespaces_of(name))
        records.remove(name)
