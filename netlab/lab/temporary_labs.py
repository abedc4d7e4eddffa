"""Temporary labs end with the process that made them: it removes them, or the next command does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from netlab.lab.record import Records


@contextlib.contextmanager
def hold_owner_lock(records: Records, name: str) -> Iterator[None]:
    """Hold the owner's lock of a lab that is about to be made, for the block.

    The kernel releases the lock when the process ends in any way.
    """
    records.machine.enter()
    records.prepare()
    guard = records.store.owner_lock(name)
    guard.acquire()
    try:
        yield
    finally:
        guard.remove()


def sweep(records: Records, remove: Callable[[str], object]) -> None:
    """Remove the temporary labs whose processes are gone."""
    for name in records.store.labs_with_owner():
        guard = records.store.owner_lock(name)
        with contextlib.suppress(FileNotFoundError):
            if not guard.acquire(wait=False):
                guard.release()
                continue
            if records.exists(name):
                remove(name)
            guard.remove()
