"""The lock by which a lab has at most one mirror: two would undo each other's changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.errors import UsageError
from netlab.kernel.lock import Lock

if TYPE_CHECKING:
    from netlab.kernel.machine import Machine

# A file in the lab's folder.
_LOCK = "mirror.lock"


class Claim:
    """A lab that one mirror has, until ``release`` or the end of the process."""

    def __init__(self) -> None:
        self._lock: Lock | None = None

    def take(self, machine: Machine, name: str) -> None:
        """Take a lab, unless it is taken already; nothing if there is no such lab.

        Raises:
          UsageError: when another mirror has the lab.
        """
        if self._lock is not None:
            return
        lock = Lock(machine.store.folder(name) / _LOCK)
        try:
            taken = lock.acquire(wait=False)
        except FileNotFoundError:
            return
        if not taken:
            lock.release()
            raise UsageError(f"lab {name}: another netlab mirror has it; end that one, or name another lab with --lab")
        self._lock = lock

    def release(self) -> None:
        """Leave the lab to other mirrors."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
