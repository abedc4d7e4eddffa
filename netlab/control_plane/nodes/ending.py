"""Pods that have to end: first their hooks run, then their programs get SIGTERM, all in the grace period.

Source: Kubernetes, Pod Lifecycle, termination of Pods. Meanwhile the pod stays in the lab, where it is terminating.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from netlab.control_plane.nodes.containers import LAST_SECONDS
from netlab.control_plane.nodes.objects import Key, key_of

_DEFAULT = 30.0
Programs = Callable[[list[Key], int], set[Key]]
"""Returns which pods have programs, and sends these a signal unless it is 0."""


class WithHooks(Protocol):
    """Pods by their uids; ``Containers`` are those of a lab."""

    def end(self, uid: str, grace: float) -> bool:
        """End a pod with hooks and return True; do nothing and return False for another pod."""

    def ends(self, uid: str) -> bool:
        """Return whether a hook or a program of a container still runs."""


class Ending:
    """The pods that have to end and whose programs and hooks still run.

    Args:
      programs: asks the machine.
      hooks: the pods with hooks.
      clock: the time in seconds.
    """

    def __init__(self, programs: Programs, hooks: WithHooks, clock: Callable[[], float] = time.monotonic) -> None:
        self._programs, self._hooks, self._clock = programs, hooks, clock
        # By pod: its uid, and when its programs are killed.
        self._until: dict[Key, tuple[str, float]] = {}
        # Pods whose containers ``hooks`` ends. Other programs in these pods get SIGTERM after that.
        self._hooked: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._until)

    def __contains__(self, key: object) -> bool:
        return key in self._until

    def pods(self) -> list[Key]:
        """Return the pods that linger."""
        return list(self._until)

    def begin(self, pods: Iterable[Mapping[str, Any]]) -> set[Key]:
        """Take pods that have to end; return those that linger, as they have programs or hooks, and a grace period."""
        asked = {key_of(pod): pod for pod in pods if grace_of(pod) > 0}
        found = {key for key in asked if self._known(key, asked[key])}
        new = [key for key in asked if key not in found]
        hooked = {key for key in new if self._hooks.end(asked[key]["metadata"]["uid"], grace_of(asked[key]))}
        others = [key for key in new if key not in hooked]
        for key in hooked | (self._programs(others, signal.SIGTERM) if others else set()):
            seconds = grace_of(asked[key]) + (LAST_SECONDS if key in hooked else 0.0)
            self._until[key] = asked[key]["metadata"]["uid"], self._clock() + seconds
            found.add(key)
        self._hooked = self._hooked.difference(new) | hooked
        return found

    def ended(self) -> list[Key]:
        """Return the pods whose programs have ended, or whose time is over; they linger no more."""
        if not self._until:
            return []
        now = self._clock()
        left = self._programs(list(self._until), 0)
        for key in list(self._hooked):
            if self._hooks.ends(self._until[key][0]):
                left.add(key)
            else:
                self._hooked.discard(key)
                if key in left:
                    self._programs([key], signal.SIGTERM)
        done = [key for key, (_, until) in self._until.items() if key not in left or now >= until]
        for key in done:
            self.forget(key)
        return done

    def forget(self, key: Key) -> None:
        """A pod is gone, or another one has its name."""
        self._until.pop(key, None)
        self._hooked.discard(key)

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
