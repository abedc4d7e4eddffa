"""The signals that end a process, deferred while it does what must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Deferral:
    """Holds the signals of ``ENDS`` back between ``begin`` and ``end``.

    The main thread blocks them, and so do the programs that it starts. Another thread may take a signal of the process
    all the same, and Python would call its handler in the main thread: so the handlers only note it.
    """

    def __init__(self) -> None:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        handlers = {number: signal.getsignal(number) for number in ENDS}
        self._handlers = {number: one for number, one in handlers.items() if one not in (signal.SIG_IGN, None)}
        self._came: list[int] = []
        self._holds = False

    def begin(self) -> None:
        # This call raises for a signal that arrived just before it.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        self._holds = True
        for number in self._handlers:
            signal.signal(number, self._note)

    def end(self) -> None:
        # A signal that waited is noted by this call, so nothing is raised before the handlers are back.
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._holds = False
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        came, self._came = self._came, []
        for noted in came:
            signal.raise_signal(noted)

    def _note(self, number: int, frame: object) -> None:
        if self._holds:
            self._came.append(number)
        else:
            # A signal came while `end` gave the handlers back, and ended it.
            signal.signal(number, self._handlers[signal.Signals(number)])
            signal.raise_signal(number)


_running: _Deferral | None = None


def reset() -> None:
    """Give the signals that end a process, and SIGPIPE, their default action: for a forked process."""
    global _running
    _running = None
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    for number in (*ENDS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Defer the signals that end the process while a block runs; they arrive after it, or in an ``allowed`` block.

    Elsewhere than in the main thread it does nothing: signals interrupt the main thread only.
    """
    global _running
    if _running is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    deferral = _Deferral()
    try:
        deferral.begin()
        _running = deferral
        yield
    finally:
        _running = None
        deferral.end()


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Let the signals that ``deferred`` holds back arrive while a block runs: where it waits, and holds nothing."""
    global _running
    if _running is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    deferral, _running = _running, None
    try:
        deferral.end()
        yield
    finally:
        deferral.begin()
        _running = deferral
