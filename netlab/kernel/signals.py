"""The signals that end a process, deferred while it does what must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


# The mask outside of the outermost `deferred` block of the main thread, None outside of one.
_outside: set[signal.Signals | int] | None = None


def reset() -> None:
    """Give the signals that end a process, and SIGPIPE, their default action: for a forked process."""
    global _outside
    _outside = None
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    for number in (*ENDS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Block the signals that end the process while a block runs; they arrive after it, or in an ``allowed`` block."""
    global _outside
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    outermost = _outside is None
    try:
        # This call raises for a signal that arrived just before it.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        if outermost:
            _outside = before
        yield
    finally:
        if outermost:
            _outside = None
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Let the signals that ``deferred`` holds back arrive while a block runs: where it waits, and holds nothing."""
    if _outside is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    outside, before = _outside, signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # This call raises for a signal that waited.
        signal.pthread_sigmask(signal.SIG_SETMASK, outside)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
