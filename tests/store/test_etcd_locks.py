"""Locks in etcd outlive restarts, and a lost lock is noticed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from etcd_members import Member, etcd
from store.etcd_stores import keys, opened

from netlab.store.etcd_client import below
from netlab.store.values import ABSENT, LockLost

pytestmark = pytest.mark.machines


def test_a_held_lock_outlives_its_lease(own: Member) -> None:
    """A thread keeps it alive."""
    lock = opened(own).lock("one")
    assert lock.acquire()
    time.sleep(3)

    assert lock.held
    assert not opened(own).lock("one").acquire(wait=False)
    lock.release()
    assert [] == keys(opened(own))


def test_a_lock_outlives_a_restart_of_etcd(own: Member) -> None:
    store = opened(own, lease=5)
    lock = store.lock("one")
    assert lock.acquire()
    own.restart()
    time.sleep(1)
    store.save("one", b"1", lock=lock)

    assert lock.held
    lock.release()


def test_a_lock_outlives_a_member_that_does_not_answer(tmp_path: Path) -> None:
    """Whichever member keeps its lease."""
    with etcd(tmp_path, members=3) as members:
        store = opened(*members, lease=6)
        lock = store.lock("one")
        assert lock.acquire()
        members[0].signal(signal.SIGSTOP)
        time.sleep(8)

        assert lock.held
        store.save("one", b"1", lock=lock)
        members[0].signal(signal.SIGCONT)
        lock.release()


def test_a_lost_lock_is_noticed(own: Member) -> None:
    """Its holder, which was not able to reach etcd, writes nothing; the next one does."""
    store = opened(own)
    lock = store.lock("one")
    assert lock.acquire()
    own.kill()
    time.sleep(2.5)
    assert not lock.held
    own.start()
    own.ready()
    with pytest.raises(LockLost):
        store.save("one", b"1", lock=lock)
    next_ = opened(own).lock("one")
    assert next_.acquire(limit=10)
    store.save("one", b"2", lock=next_)
    lock.release()

    assert next_.held
    next_.release()


def test_etcd_refuses_a_writer_that_does_not_know_that_its_lock_is_lost(own: Member) -> None:
    """The lock is a part of the transaction."""
    store = opened(own, lease=60)
    lock = store.lock("one")
    assert lock.acquire()
    store.client.call("kv/deleterange", below(store.client.key("locks", "")))
    assert lock.held
    with pytest.raises(LockLost):
        store.save("one", b"1", lock=lock)
    with pytest.raises(LockLost):
        store.save("one", b"1", ABSENT, lock)

    assert [] == store.labs()
