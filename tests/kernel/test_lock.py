"""Locks end with their process and survive the removal of their file."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from netlab.kernel.lock import FairLock, Lock


def test_a_second_holder_is_refused_until_the_first_releases(tmp_path):
    """An exclusive lock is held by one."""
    first, second = Lock(tmp_path / "l"), Lock(tmp_path / "l")
    first.acquire()
    refused = second.acquire(wait=False)
    first.release()

    assert refused is False
    assert second.acquire(wait=False) is True
    second.release()


def test_shared_holders_stand_side_by_side(tmp_path):
    """Two readers hold the lock at once, a writer does not join them."""
    one, two, writer = (Lock(tmp_path / "l") for _ in range(3))

    assert one.acquire(shared=True, wait=False)
    assert two.acquire(shared=True, wait=False)
    assert not writer.acquire(wait=False)
    for lock in (one, two, writer):
        lock.release()


def test_a_killed_holder_holds_nothing(tmp_path):
    """The kernel releases the lock of a killed process."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        Lock(tmp_path / "l").acquire()
        os.write(write_end, b"!")
        signal.pause()
    os.read(read_end, 1)
    lock = Lock(tmp_path / "l")
    before = lock.acquire(wait=False)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert before is False
    assert lock.acquire(wait=False) is True
    lock.release()
    os.close(read_end)
    os.close(write_end)


def test_a_lock_on_a_removed_file_is_taken_anew(tmp_path):
    """A waiter that opened the old file does not hold a lock that no other process sees."""
    first, second = Lock(tmp_path / "l"), Lock(tmp_path / "l")
    second.acquire(shared=True)
    second.release()
    first.acquire()
    first.remove()
    second.acquire()

    assert (tmp_path / "l").exists()
    assert not Lock(tmp_path / "l").acquire(wait=False)
    second.release()


def test_a_waiting_writer_goes_before_later_readers(tmp_path):
    """A stream of readers does not keep a writer waiting for ever."""
    reader, writer, late = (FairLock(tmp_path / "l") for _ in range(3))
    reader.acquire(shared=True)
    waits = writer._try(False)
    refused = late.acquire(shared=True, wait=False)
    reader.release()

    assert (False, False) == (waits, refused)
    assert writer.acquire(wait=False)
    assert not late.acquire(shared=True, wait=False)
    writer.release()
    assert late.acquire(shared=True, wait=False)
    assert reader.acquire(shared=True, wait=False)
    late.release()
    reader.release()


def test_a_writer_that_gives_up_lets_readers_in(tmp_path):
    """It releases the gate."""
    reader, writer, late = (FairLock(tmp_path / "l") for _ in range(3))
    reader.acquire(shared=True)

    assert not writer.acquire(limit=0.01)
    assert late.acquire(shared=True, wait=False)
    late.release()
    reader.release()


def test_a_fair_lock_is_released_where_a_child_has_the_descriptor(tmp_path):
    """A child that probes may outlive the lock under which it was forked."""
    lock = FairLock(tmp_path / "l")
    lock.acquire(shared=True)
    child = os.fork()
    if child == 0:
        signal.pause()
    lock.release()
    free = FairLock(tmp_path / "l").acquire(wait=False)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert free


def test_a_long_wait_is_reported_once(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """After a second."""
    seconds = iter([0.0, 0.5, 1.5, 2.5, 3.5])
    monkeypatch.setattr("netlab.kernel.lock.time.monotonic", lambda: next(seconds))
    monkeypatch.setattr("netlab.kernel.lock.time.sleep", lambda _: None)
    holder, waiter, calls = FairLock(tmp_path / "l"), FairLock(tmp_path / "l"), []
    monkeypatch.setattr(holder, "_fd", -1)
    assert holder._try(False)
    waiter.acquire(limit=3, waiting=lambda: calls.append(1))
    holder.release()

    assert [1] == calls


def test_a_thread_releases_its_own_leftover_lock(tmp_path: Path) -> None:
    """Another thread's lock stays."""
    left, mine, others = (FairLock(tmp_path / "l") for _ in range(3))
    left.acquire(shared=True)
    mine.release_leftovers()
    free = mine.acquire(wait=False)
    mine.release()
    thread = threading.Thread(target=others.acquire)
    thread.start()
    thread.join()
    mine.release_leftovers()
    taken = not mine.acquire(wait=False)
    others.release()

    assert (False, True, True) == (left.held, free, taken)
