"""Removing labs: by their record alone, whatever state they are in; with the last, what all of them shared."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from netlab.errors import NetlabError, UsageError
from netlab.kernel import netns, privilege, signals
from netlab.kernel.linux import Linux
from netlab.lab import owned, owners
from netlab.lab import record as records
from netlab.objects.names import LabName


def remove(name: str) -> list[str]:
    """Remove a lab and end what runs inside; return the namespaces of its name that nothing says are its.

    They stay: ``remove_everything`` says when there are any.

    Raises:
      UsageError: when there is no lab of that name.
    """
    name = LabName(name)
    if not privilege.enter(start=False) or not records.exists(name):
        running = records.labs()
        known = f" (running: {', '.join(running)})" if running else ""
        raise UsageError(f"no lab {name!r} is running{known}")
    left = _remove_locked(name)
    records.tidy()
    return left


def remove_all() -> Iterator[tuple[str, list[str]]]:
    """Remove every lab, and what commands that were killed left behind; yield each with what ``remove`` returns.

    Raises:
      NetlabError: after all others were removed, when one cannot be.
    """
    if not privilege.enter(start=False):
        return
    failures: list[NetlabError] = []
    for name in records.labs():
        try:
            yield name, _remove_locked(name)
        except NetlabError as error:
            failures.append(error)
    records.tidy()
    if failures:
        raise failures[0]


def sweep() -> None:
    """Clear away what commands that are no more left: temporary labs, and all labs of an earlier boot."""
    for name in records.labs():
        if records.stale(name):
            # What cannot be cleared away stands in no other lab's way.
            with contextlib.suppress(NetlabError), records.locked(name):
                if records.stale(name):
                    records.remove(name)
    owners.sweep(_remove_locked)


def _remove_locked(name: str) -> list[str]:
    with records.locked(name):
        return remove_everything(name)


def remove_everything(name: str) -> list[str]:
    """Remove a lab of which the caller holds the lock; return the namespaces of its name that nothing says are its.

    There are such only where neither the lab's record nor its list of namespaces can be read: a name proves nothing.
    """
    spaces = records.namespaces_of(name)
    with signals.held():
        if not records.stale(name):
            Linux().remove(spaces.names)
        records.remove(name)
    if spaces.known:
        return []
    with contextlib.suppress(FileNotFoundError):
        return sorted(space for space in os.listdir(netns.DIRECTORY) if space.startswith(owned.prefix(name)))
    return []
