"""What every store returns and raises."""

from __future__ import annotations

from dataclasses import field

from netlab.errors import HostError
from netlab.frozen import frozen

# Bytes of a record; no lab comes near. A host carries some thousand pods, and a record has some hundred bytes for each.
MOST = 256 << 20
# The revision of a record that does not exist.
ABSENT = ""


@frozen
class Kept:
    """The bytes of a record, and its revision, which differs after every save."""

    data: bytes
    revision: str


@frozen
class Changed:
    """A lab whose record has another revision than before; ``ABSENT`` after its removal.

    ``at`` is the store's revision of that event, and ``value`` the value that the store keeps there, where the watch
    knows them.
    """

    lab: str
    revision: str
    at: int = field(default=0, compare=False)
    value: bytes | None = field(default=None, compare=False, repr=False)


class Conflict(HostError):
    """The record has another revision than the caller expected, so nothing was written."""

    def __init__(self, lab: str) -> None:
        super().__init__(f"another command changed lab {lab} at the same moment", "try again")


class LockLost(HostError):
    """The lock of a lab expired while it was held, as its store was not reached; nothing was written."""

    def __init__(self, lab: str) -> None:
        super().__init__(f"the lock of lab {lab} expired, as etcd was not reached in time", "try again")
