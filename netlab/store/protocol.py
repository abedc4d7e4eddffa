"""The contract of a store; ``tests/store/test_contract.py`` checks it for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from netlab.store.values import Changed, Kept


class StoreLock(Protocol):
    """A lock of a lab: held by one process alone, or shared by several.

    A process that waits for it alone comes before later sharers. The end of a process releases it, in etcd some seconds
    later.
    """

    @property
    def held(self) -> bool:
        """Whether this value holds the lock; false as soon as it is known to be lost."""
        ...

    def acquire(
        self,
        *,
        shared: bool = False,
        wait: bool = True,
        limit: float = float("inf"),
        waiting: Callable[[], None] | None = None,
    ) -> bool:
        """Take the lock; False when it stays held: at once with ``wait`` off, else after ``limit`` seconds.

        ``waiting`` is called once, after a second.

        Raises:
          HostError: if the store is not reached.
        """
        ...

    def release(self) -> None:
        """Release the lock; without effect where it is not held."""
        ...


class Store(Protocol):
    """The records of labs. Every method raises UsageError for a wrong name, and HostError if it is not reached."""

    def labs(self) -> list[str]:
        """Return the names of the labs with a record, sorted."""
        ...

    def load(self, lab: str) -> Kept | None:
        """Return a record, whole and as it was saved; None where there is none. Raises DamagedRecord."""
        ...

    def save(self, lab: str, data: bytes, revision: str | None = None, lock: StoreLock | None = None) -> str:
        """Write a record, whole or not at all, and return its new revision.

        Args:
          lab: the lab.
          data: the record, of at most ``MOST`` bytes.
          revision: the revision that is replaced, ``ABSENT`` for none; None replaces any, for a holder of the lock.
          lock: the lock that the caller holds.

        Raises:
          Conflict: if the record has another revision.
          LockLost: if the lock was lost.
          HostError: if it cannot be written, as on a full disk; the old record stays.
        """
        ...

    def remove(self, lab: str, revision: str | None = None, lock: StoreLock | None = None) -> None:
        """Remove a record, if there is one; raises as ``save`` does."""
        ...

    def lock(self, lab: str) -> StoreLock:
        """Return the lock of a lab, not yet taken."""
        ...

    def watch(self, pulse: float = 1.0, patience: float = 60.0) -> Iterator[Changed | None]:
        """Yield each lab that has a record, then each change, and None at least every ``pulse`` seconds.

        Of several changes of a lab in a short time it may yield only the last.

        Raises:
          HostError: if the store is not reached for ``patience`` seconds.
        """
        ...

    def close(self) -> None:
        """Close connections; locks are released before."""
        ...
