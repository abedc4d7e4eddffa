"""The signals that end a process, deferred while it does what must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def reset() -> None:
    """Give the signals that end a process, and SIGPIPE, their default action: for a forked process."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    for number in (*ENDS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Block the signals that end the process while a block runs; they arrive after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # This call raises for a signal that arrived just before it.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
