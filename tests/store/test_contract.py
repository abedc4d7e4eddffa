"""What every store promises; the same tests for the files of this machine and for a real etcd."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from itertools import islice

import pytest
from store.conftest import Open

from netlab.errors import NetlabError, UsageError
from netlab.store.protocol import Store
from netlab.store.values import ABSENT, Changed, Conflict

HOSTILE = ("", ".", "..", "../etc", "a/b", "A", "a b", "a\n", "a\0", "-a", "é", "a" * 64, "labs/a", "\ud800", "a.b")


def test_a_record_is_as_it_was_saved(store: Store) -> None:
    """Also where it is empty, or has every byte."""
    for data in (b"", bytes(range(256)), b'{"a": 1}\n'):
        revision = store.save("one", data)
        found = store.load("one")

        assert found is not None
        assert (data, revision) == (found.data, found.revision)


def test_a_lab_without_a_record_is_none(store: Store) -> None:
    """To remove it does nothing."""
    store.remove("one")

    assert (None, []) == (store.load("one"), store.labs())


@pytest.mark.parametrize("compressible", [True, False])
def test_a_value_of_five_megabytes(store: Store, compressible: bool) -> None:
    """Larger than a request of etcd, and replaced by a small one and by another large one."""
    source = _random(7)
    large = b"abcdefghij" * 500_000 if compressible else source.randbytes(5_000_000)
    other = source.randbytes(3_000_000)
    first = store.save("one", large)
    loaded = store.load("one")
    second = store.save("one", other, first)
    third = store.save("one", b"small", second)

    assert loaded is not None
    assert zlib.crc32(large) == zlib.crc32(loaded.data)
    assert 3 == len({first, second, third})
    assert b"small" == getattr(store.load("one"), "data", None)


def test_a_save_needs_the_revision_that_it_replaces(store: Store) -> None:
    """An old one, and none, are a conflict; the record stays."""
    first = store.save("one", b"1", ABSENT)
    second = store.save("one", b"2", first)
    for wrong in (ABSENT, first, "nonsense", "9" * 30, "-1"):
        with pytest.raises(Conflict):
            store.save("one", b"3", wrong)
    with pytest.raises(Conflict):
        store.save("two", b"3", second)

    assert b"2" == getattr(store.load("one"), "data", None)
    assert ["one"] == store.labs()


def test_a_removal_needs_the_revision_that_it_removes(store: Store) -> None:
    """Without one it removes any."""
    first = store.save("one", b"1")
    store.save("one", b"2")
    with pytest.raises(Conflict):
        store.remove("one", first)
    store.remove("one")

    assert [] == store.labs()


def test_of_writers_at_once_each_change_counts_once(open_store: Open) -> None:
    """Two writers add to a number, each from the revision that it read."""
    open_store().save("one", b"0", ABSENT)
    failed: list[BaseException] = []

    def write() -> None:
        store, left = open_store(), 20
        try:
            while left:
                found = store.load("one")
                assert found is not None
                with contextlib.suppress(Conflict):
                    store.save("one", str(int(found.data) + 1).encode(), found.revision)
                    left -= 1
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)

    assert [] == failed
    assert b"40" == getattr(open_store().load("one"), "data", None)


def test_large_records_of_writers_at_once_are_whole(open_store: Open) -> None:
    """A reader beside two writers sees a record of one of them, never a mixture."""
    written = [bytes((number,)) * 10 + _random(number).randbytes(2_000_000) for number in (1, 2)]
    sums, done = {zlib.crc32(one) for one in written}, threading.Event()
    failed: list[BaseException] = []
    open_store().save("one", written[0])

    def write(data: bytes) -> None:
        store = open_store()
        try:
            for _ in range(5):
                found = store.load("one")
                assert found is not None
                with contextlib.suppress(Conflict):
                    store.save("one", data, found.revision)
        except BaseException as error:
            failed.append(error)

    def read() -> None:
        store = open_store()
        try:
            while not done.is_set():
                found = store.load("one")
                assert found is not None
                assert zlib.crc32(found.data) in sums
        except BaseException as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(data,)) for data in written]
    for one in (reader, *writers):
        one.start()
    for one in writers:
        one.join(60)
    done.set()
    reader.join(60)

    assert [] == failed


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wrong_name_is_refused_everywhere(store: Store, name: str) -> None:
    """A name is a part of a path and of a key."""
    for call in (store.load, store.lock, store.remove, lambda lab: store.save(lab, b"x")):
        with pytest.raises(UsageError):
            call(name)

    assert [] == store.labs()


def test_a_lock_is_held_by_one(open_store: Open) -> None:
    """Another waits, no longer than it wants, and says so after a second."""
    held, other, said = open_store().lock("one"), open_store().lock("one"), []

    assert held.acquire()
    assert not other.acquire(wait=False)
    assert not other.acquire(limit=1.2, waiting=lambda: said.append(1))
    assert (True, False, [1]) == (held.held, other.held, said)
    held.release()
    assert other.acquire(limit=5)
    other.release()


def test_sharers_hold_a_lock_together(open_store: Open) -> None:
    """One that wants it alone waits for all of them, and later sharers wait for it."""
    first, second, alone, late = (open_store().lock("one") for _ in range(4))

    assert first.acquire(shared=True)
    assert second.acquire(shared=True, wait=False)
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(alone.acquire(limit=10)))
    waiting.start()
    time.sleep(0.5)
    assert not late.acquire(shared=True, wait=False)
    first.release()
    second.release()
    waiting.join(15)
    assert [True] == got
    alone.release()
    assert late.acquire(shared=True, limit=5)
    late.release()


def test_locks_of_two_labs_are_two(open_store: Open) -> None:
    one, two = open_store().lock("one"), open_store().lock("two")

    assert one.acquire()
    assert two.acquire(wait=False)
    one.release()
    two.release()


def test_the_lock_of_a_killed_process_is_free_again(open_store: Open) -> None:
    """The kernel releases it at once, etcd after the lease."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            open_store().lock("one").acquire()
            os.write(write, b"x")
            time.sleep(60)
        finally:
            os._exit(1)
    assert b"x" == os.read(read, 1)
    os.close(read)
    os.close(write)
    lock = open_store().lock("one")
    taken_before = lock.acquire(wait=False)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert not taken_before
    assert lock.acquire(limit=10)
    lock.release()


def test_a_fork_does_not_release_the_lock(open_store: Open) -> None:
    """Probing processes are forked while a lock is held."""
    lock = open_store().lock("one")
    assert lock.acquire()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

    assert not open_store().lock("one").acquire(wait=False)
    lock.release()


def test_a_watch_tells_what_is_there_and_what_changes(open_store: Open) -> None:
    """Each record that exists, then saves and removals; in between, a pulse."""
    writer, watcher = open_store(), open_store()
    first = writer.save("one", b"1")
    seen = watcher.watch(pulse=0.1)

    assert Changed("one", first) == next_change(seen)
    second = writer.save("two", b"2")
    assert Changed("two", second) == next_change(seen)
    writer.remove("one")
    assert Changed("one", ABSENT) == next_change(seen)
    assert None in list(islice(seen, 2))


def _random(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def next_change(seen: Iterator[Changed | None], seconds: float = 10.0) -> Changed | None:
    until = time.monotonic() + seconds
    for one in seen:
        if one is not None or time.monotonic() > until:
            return one
    return None


def test_a_too_large_record_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written."""
    for module in ("netlab.store.etcd", "netlab.store.local"):
        monkeypatch.setattr(f"{module}.MOST", 10)
    with pytest.raises(NetlabError, match="too large"):
        store.save("one", b"12345678901")

    assert [] == store.labs()
