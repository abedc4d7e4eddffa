"""One processor for a run: on it, packets arrive in the order in which they were sent."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def pinned(number: int | None = None) -> Iterator[None]:
    """Keep the calling thread on its present processor, or on the ``number``-th that it may use, during a block.

    A veth puts a packet into the receive backlog of the sending processor, a queue (net/core/dev.c, netif_rx). So on
    one processor a control cannot overtake its probe; on two it can.
    """
    allowed = os.sched_getaffinity(0)
    here = _libc.sched_getcpu() if number is None else sorted(allowed)[number % len(allowed)]
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {here if here in allowed else min(allowed)})
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, allowed)
