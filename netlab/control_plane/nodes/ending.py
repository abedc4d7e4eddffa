"""Pods that have to end: their programs get SIGTERM, and the grace period to end.

Source: Kubernetes, Pod Lifecycle, termination of Pods. Meanwhile the pod stays in the lab, where it is terminating.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netlab.control_plane.nodes.objects import Key, key_of

_DEFAULT = 30.0
Programs = Callable[[list[Key], int], set[Key]]
"""Returns which pods have programs, and sends these a signal unless it is 0."""


class Ending:
    """The pods that have to end and whose programs still run.

    Args:
      programs: asks the machine.
      clock: the time in seconds.
    """

    def __init__(self, programs: Programs, clock: Callable[[], float] = time.monotonic) -> None:
        self._programs, self._clock = programs, clock
        # By pod: its uid, and when its programs are killed.
        self._until: dict[Key, tuple[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def __contains__(self, key: object) -> bool:
        return key in self._until

    def pods(self) -> list[Key]:
        """Return the pods that linger."""
        return list(self._until)

    def begin(self, pods: Iterable[Mapping[str, Any]]) -> set[Key]:
        """Take pods that have to end; return those that linger, as they have programs and a grace period."""
        asked = {key_of(pod): pod for pod in pods if grace_of(pod) > 0}
        found = {key for key in asked if self._known(key, asked[key])}
        new = [key for key in asked if key not in found]
        for key in self._programs(new, signal.SIGTERM) if new else ():
            self._until[key] = asked[key]["metadata"]["uid"], self._clock() + grace_of(asked[key])
            found.add(key)
        return found

    def ended(self) -> list[Key]:
        """Return the pods whose programs have ended, or whose time is over; they linger no more."""
        if not self._until:
            return []
        now = self._clock()
        left = self._programs(list(self._until), 0)
        done = [key for key, (_, until) in self._until.items() if key not in left or now >= until]
        for key in done:
            del self._until[key]
        return done

    def forget(self, key: Key) -> None:
        """A pod is gone, or another one has its name."""
        self._until.pop(key, None)

    def _known(self, key: Key, pod: Mapping[str, Any]) -> bool:
        known = self._until.get(key)
        if known is None or known[0] != pod["metadata"]["uid"]:
            return False
        # A second deletion may shorten the time.
        self._until[key] = known[0], min(known[1], self._clock() + grace_of(pod))
        return True


def grace_of(pod: Mapping[str, Any]) -> float:
    """Return the seconds that a pod's programs have to end."""
    return float(pod["metadata"].get("deletionGracePeriodSeconds", _DEFAULT))
