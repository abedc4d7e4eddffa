"""One processor for one run: on it, a packet that is sent after another one arrives after it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def pinned(number: int | None = None) -> Iterator[None]:
    """Keep the calling thread on the processor that it runs on, or on the ``number``-th of those that it may use.

    A veth hands a packet to the receive backlog of the sending processor (net/core/dev.c, netif_rx), a queue. So on one
    processor a control cannot overtake the probe before it; on two, it can.
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
