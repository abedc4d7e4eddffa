"""A forked process that makes network namespaces while this process computes.

It only saves time. What it does not make, the caller makes. So an error of a namespace is that of the caller's own
``netns.create``, and is not sent from one process to the other.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Sequence
from typing import NoReturn

from netlab.kernel import libc, netns, signals
from netlab.kernel.child import kill

_CHUNK = 1 << 16


class Maker:
    """Makes namespaces in the order of ``names`` from ``start`` on; ``end`` it in any case."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._made = 0
        self._pid = 0
        self._pipe = -1

    def start(self) -> None:
        """Fork the process, unless this process has other threads, whose locks would stay locked in it.

        The process gets none of the signals that end its caller: the caller decides whether to end it.
        """
        if len(os.listdir("/proc/self/task")) > 1:
            return
        # Otherwise an interrupt between two lines could leave a process that nobody ends.
        with signals.deferred(), contextlib.suppress(OSError):
            self._pipe, write = os.pipe()
            parent = os.getpid()
            try:
                self._pid = os.fork()
                if self._pid == 0:
                    _make(self._names, write, parent)
            finally:
                os.close(write)

    def made(self, name: str) -> bool:
        """Wait until the process has made a namespace; return False if it ended before that, or does not make it."""
        place = self._places.get(name)
        if place is None:
            return False
        while self._made <= place and self._pid:
            if not self._hear() or self._made == len(self._names):
                self.end()
        return place < self._made

    def _hear(self) -> int:
        """Wait for more namespaces; return how many were made, 0 when the process has ended."""
        count = len(os.read(self._pipe, _CHUNK))
        self._made += count
        return count

    def end(self) -> None:
        """Kill the process, if it runs, and remove the namespace that it has begun."""
        if self._pid:
            kill(self._pid)
            self._pid = 0
            while self._hear():
                pass
            for begun in self._names[self._made : self._made + 1]:
                # Its file may be there without its mount. What netlab did not make stays.
                with contextlib.suppress(OSError):
                    netns.remove(begun)
        if self._pipe >= 0:
            pipe, self._pipe = self._pipe, -1
            os.close(pipe)


def _make(names: Sequence[str], report: int, parent: int) -> NoReturn:
    """Make the namespaces and write a byte for each one; end at the first error, and when the parent ends."""
    try:
        libc.end_with_parent(pid=parent)
        # The garbage collector would write to, and so copy, the pages that the process shares with its parent.
        gc.disable()
        for name in names:
            netns.create(name)
            os.write(report, b".")
    finally:
        os._exit(0)
