"""Watches of an etcd go on after restarts, compactions and silence."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from etcd_members import Member
from store.etcd_stores import compact, opened
from store.test_contract import next_change
from waiting import eventually

from netlab.store.etcd_client import Unreachable
from netlab.store.etcd_watch import Ended, Stream
from netlab.store.values import ABSENT, Changed

pytestmark = pytest.mark.machines


def _ends(stream: Stream) -> bool:
    with contextlib.suppress(Ended):
        for _ in range(10):
            stream.next(1)
        return False
    return True


def test_a_watch_goes_on_after_a_restart(own: Member) -> None:
    """Changes of before, while it was away and after; nothing twice."""
    watcher, writer = opened(own), opened(own)
    seen = watcher.watch(pulse=0.1)
    first = writer.save("one", b"1")
    assert Changed("one", first) == next_change(seen)
    own.kill()
    assert next(seen) is None
    own.start()
    own.ready()
    second = writer.save("two", b"2")
    assert Changed("two", second) == next_change(seen, 20)
    writer.remove("one")

    assert Changed("one", ABSENT) == next_change(seen, 20)


def test_a_watch_goes_on_after_a_compaction(own: Member) -> None:
    """A stream from a revision that is gone ends; the watch reads all anew."""
    watcher, writer = opened(own), opened(own)
    seen = watcher.watch(pulse=0.1)
    writer.save("one", b"1")
    assert next_change(seen) is not None
    own.kill()
    assert next(seen) is None
    own.start()
    own.ready()
    writer.save("one", b"2")
    last = writer.save("one", b"3")
    compact(writer)

    assert Changed("one", last) == next_change(seen, 20)


def test_a_stream_from_a_compacted_revision_ends(own: Member) -> None:
    store = opened(own)
    for number in range(5):
        store.save("one", str(number).encode())
    compact(store)
    stream = Stream(store.client, "/netlab/", 1)

    assert _ends(stream)


def test_a_silent_stream_ends(own: Member) -> None:
    """A member that lost the others says nothing."""
    store = opened(own)
    stream = Stream(store.client, "/netlab/", 1, idle=0.3)

    assert _ends(stream)


def test_a_watch_gives_up_after_its_patience(own: Member) -> None:
    seen = opened(own).watch(pulse=0.1, patience=1)
    assert next(seen) is None
    own.kill()
    began = time.monotonic()

    with pytest.raises(Unreachable):
        list(seen)
    assert time.monotonic() - began < 10


def test_a_watch_that_is_closed_leaves_no_thread(own: Member) -> None:
    seen = opened(own).watch(pulse=0.1)
    next(seen)
    seen.close()  # type: ignore[attr-defined]

    assert eventually(lambda: not any(one.name == "netlab-watch" for one in threading.enumerate()))
