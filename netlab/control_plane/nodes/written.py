"""What netlab wrote in each object of the API server: what is under way is not repeated, what others undo is.

The watch brings a write back a moment later, and until then the object looks as before. If others write there too, the
watch may bring what they wrote in the same moment: then the object lacks the write again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from netlab.control_plane.api import Object
from netlab.control_plane.nodes.objects import Key, key_of
from netlab.frozen import NamedTuple

# Seconds between two writes of the same, so that netlab and another writer do not keep the API server busy.
_PAUSE = 1.0


class _Write(NamedTuple):
    """A write, and the version and the time at which the object lacked it."""

    wanted: Any
    version: str | None
    time: float


class Written:
    """The last write of each object.

    Args:
      same: whether a write has all that another one has.
      clock: the time in seconds.
    """

    def __init__(self, same: Callable[[Any, Any], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._same, self._clock = same, clock
        self._last: dict[str, _Write] = {}
        self._late: set[Key] = set()

    def __len__(self) -> int:
        return len(self._last)

    def is_due(self, one: Object, wanted: Any) -> bool:
        """Return whether to write this in an object that lacks it, and note that it was written.

        It is not due while the object is as it was at the last write of the same. Where the object has changed since,
        it is not due for a moment; then ``take_late`` returns the object.
        """
        uid, version, now = one["metadata"]["uid"], one["metadata"].get("resourceVersion"), self._clock()
        last = self._last.get(uid)
        if last is not None and self._same(last.wanted, wanted):
            if last.version == version:
                return False
            if now < last.time + _PAUSE:
                self._late.add(key_of(one))
                return False
        self._last[uid] = _Write(wanted, version, now)
        return True

    @property
    def any_late(self) -> bool:
        """Whether ``take_late`` returns an object."""
        return bool(self._late)

    def take_late(self) -> set[Key]:
        """Return the objects to ask for again, as their writes were not due yet."""
        found, self._late = self._late, set()
        return found

    def forget(self, uid: str) -> None:
        """Note that the last write of an object did not come there."""
        self._last.pop(uid, None)

    def keep(self, uids: Collection[str]) -> None:
        """Forget all other objects."""
        self._last = {uid: one for uid, one in self._last.items() if uid in uids}
