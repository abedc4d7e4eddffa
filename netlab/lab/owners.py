"""Temporary labs end with the process that made them: at once where it can, else by the next command."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from netlab.kernel import privilege
from netlab.kernel.lock import Lock
from netlab.lab import record as records
from netlab.objects.names import is_lab

_SUFFIX = ".owner"


@contextlib.contextmanager
def owned(name: str) -> Iterator[None]:
    """Mark the lab of that name, which is not made yet, as this process's own for the block.

    The mark is a lock: the kernel drops it with the process, however that ends.
    """
    privilege.enter()
    records.prepare()
    guard = Lock(records.DIRECTORY / f"{name}{_SUFFIX}")
    guard.acquire()
    try:
        yield
    finally:
        guard.remove()


def sweep(remove: Callable[[str], object]) -> None:
    """Remove the temporary labs whose processes are gone."""
    for file in records.DIRECTORY.glob(f"*{_SUFFIX}"):
        guard = Lock(file)
        with contextlib.suppress(FileNotFoundError):
            if not guard.acquire(wait=False):
                guard.release()
                continue
            name = file.name.removesuffix(_SUFFIX)
            if is_lab(name) and records.exists(name):
                remove(name)
            guard.remove()
