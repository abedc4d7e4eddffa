"""Threads that are shared out by pods, so that no pod waits for what those of strangers ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

# At a time for one pod. The pods of a lab bound the threads.
_OF_ONE = 4

Work = Callable[[], None]


class PerPod:
    """Does work in threads, a few at a time for each pod; all else of that pod waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By the uid of a pod: its threads that work now, and what waits for one of them.
        self._of: dict[str, tuple[int, deque[Work]]] = {}

    def later(self, uid: str, work: Work) -> None:
        """Do work for a pod in another thread; it must not raise. Do it at once where this host has no more threads."""
        with self._lock:
            threads, waiting = self._of.get(uid, (0, deque()))
            if threads >= _OF_ONE:
                waiting.append(work)
                return
            self._of[uid] = threads + 1, waiting
        try:
            threading.Thread(target=self._work, args=(uid, work), daemon=True).start()
        except RuntimeError:
            self._work(uid, work)

    def forget(self, uid: str) -> None:
        """Drop what waits for a thread of a pod."""
        with self._lock:
            if uid in self._of:
                self._of[uid][1].clear()

    def _work(self, uid: str, work: Work | None) -> None:
        while work is not None:
            work()
            with self._lock:
                threads, waiting = self._of[uid]
                work = waiting.popleft() if waiting else None
                if work is None and threads > 1:
                    self._of[uid] = threads - 1, waiting
                elif work is None:
                    del self._of[uid]
