"""Calls functions when descriptors can be read, in a thread of its own."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

_PAUSE = 0.01


class Poller:
    """Descriptors, and what is called when one can be read or its other end is closed. A function must not block.

    After each turn there is a pause: a program that prints without an end waits for its pipe, and not netlab for it.
    """

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._calls: dict[int, tuple[Callable[[], bool], Callable[[], object]]] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def watch(self, fd: int, read: Callable[[], bool], close: Callable[[], object]) -> None:
        """Call ``read`` until it returns False, and then ``close``, which closes the descriptor."""
        self._calls[fd] = read, close
        self._poll.register(fd, select.EPOLLIN | select.EPOLLHUP)

    def _run(self) -> None:
        while True:
            for fd, _ in self._poll.poll():
                read, close = self._calls[fd]
                if not read():
                    # In this order: the number may be given again once it is closed.
                    self._poll.unregister(fd)
                    del self._calls[fd]
                    close()
            time.sleep(_PAUSE)
