"""Locks die with their holder and survive the removal of their file."""

from __future__ import annotations

import os
import signal

from netlab.kernel.lock import Lock


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
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
    """The kernel lets go for a process that was killed."""
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
    """Who opened the file before it was removed does not end up with a lock that nobody else sees."""
    first, second = Lock(tmp_path / "l"), Lock(tmp_path / "l")
    second.acquire(shared=True)
    second.release()
    first.acquire()
    first.remove()
    second.acquire()

    assert (tmp_path / "l").exists()
    assert not Lock(tmp_path / "l").acquire(wait=False)
    second.release()
