"""Temporary labs end with the process that made them: at once where it can, else by the next command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from netlab.lab.record import Records


@contextlib.contextmanager
def hold_owner_lock(records: Records, name: str) -> Iterator[None]:
    """Mark the lab of that name, which is not made yet, as this process's own for the block.

    The mark is a lock: the kernel drops it with the process, however that ends.
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
