"""Signals that end a process, while it does what must not be interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from netlab.kernel import signals


@pytest.fixture(autouse=True, params=[False, True], ids=["one thread", "another thread"])
def thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test with a thread that blocks no signal: it takes those of the process."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    if request.param:
        other.start()
    yield
    over.set()
    if request.param:
        other.join()


def test_a_signal_arrives_after_the_block() -> None:
    """The block runs to its end."""
    done = []

    def block() -> None:
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert [1] == done
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_signal_arrives_in_the_outermost_block_where_it_is_allowed() -> None:
    """In a block within a block too; afterwards signals are deferred again, and after all blocks they are not."""
    done = []
    with signals.deferred():
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)
            with pytest.raises(KeyboardInterrupt), signals.allowed():
                done.append(2)
        os.kill(os.getpid(), signal.SIGINT)
        done.append(3)
        with pytest.raises(KeyboardInterrupt), signals.allowed():
            done.append(2)
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert [1, 3] == done
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_the_caller_blocked_stays_blocked() -> None:
    """Nothing is allowed that was not allowed before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with signals.allowed():
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        with signals.deferred(), signals.allowed():
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
            assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, lambda number, frame: None])
def test_the_handlers_are_as_before(handler: Any) -> None:
    """Also those of the programs that use netlab as a library; a signal that was ignored stays ignored."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        with signals.deferred():
            if handler is signal.SIG_IGN:
                os.kill(os.getpid(), signal.SIGHUP)
            with signals.allowed():
                assert handler is signal.getsignal(signal.SIGHUP)
        assert handler is signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_defers_nothing() -> None:
    """Signals arrive in the main thread."""
    found = []

    def look() -> None:
        with signals.deferred(), signals.allowed():
            found.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert [signal.pthread_sigmask(signal.SIG_BLOCK, ())] == found
