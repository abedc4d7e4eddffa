"""A pipe through a real etcd: chunks come in order, and are deleted when they are taken, also after a break."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from etcd_members import Member, etcd

from netlab.errors import HostError
from netlab.machines.pipe import PIECE, Reader, Writer
from netlab.store.etcd_client import EtcdClient, below
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import settings

pytestmark = pytest.mark.machines

_numbers = itertools.count()
_SECONDS = 20.0


class _Pipe:
    """Both ends of a pipe, with the lease of the writer."""

    def __init__(self, url: str) -> None:
        self.client = EtcdClient(settings([url], prefix=f"/pipe{next(_numbers)}/", lease=2))
        self.prefix = self.client.key("answers", "id", "")
        self.lease = Lease(self.client, 2)
        self.writer = Writer(self.client, self.prefix, self.lease)
        self.client.call("kv/txn", {"success": [self.writer.opening()]})
        self.reader = Reader(self.client, self.prefix)

    def read(self, size: int) -> bytes:
        """Read bytes of the kind ``b"1"`` until there are so many."""
        data, until = b"", time.monotonic() + _SECONDS
        while len(data) < size and time.monotonic() < until:
            for kind, part in self.reader.read(0.1):
                assert b"1" == kind
                data += part
        return data

    def count(self) -> int:
        return int(self.client.call("kv/range", {**below(self.prefix), "count_only": True}).get("count", 0))

    def close(self) -> None:
        self.reader.close()
        self.lease.revoke()
        self.client.close()


@pytest.fixture
def pipe(member: Member) -> Iterator[_Pipe]:
    """Return a pipe that is open."""
    one = _Pipe(member.url)
    yield one
    one.close()


def nothing() -> None:
    """The reader is there."""


def test_chunks_come_in_order_and_leave_etcd(pipe):
    """Data longer than a chunk is one text again, and only the key ``open`` stays."""
    text = bytes(range(256)) * (3 * PIECE // 256) + b"end"
    pipe.writer.write(b"1", text, nothing)

    assert text == pipe.read(len(text))
    assert (True, False) == (pipe.reader.opened, pipe.reader.gone)
    assert 1 == pipe.count()


def test_kinds_are_kept_and_an_empty_chunk_is_one(pipe):
    """A chunk has its kind, also without data."""
    pipe.writer.write(b"1", b"out", nothing)
    pipe.writer.write(b"e", b"", nothing)
    found = [*pipe.reader.read(_SECONDS)]
    while len(found) < 2:
        found += pipe.reader.read(_SECONDS)

    assert [(b"1", b"out"), (b"e", b"")] == found


def test_a_writer_waits_for_its_reader_and_asks_meanwhile_whether_to_go_on(pipe):
    """At most eight chunks are in etcd; a reader that is gone ends the wait by what ``check`` raises."""
    asked = []

    def check() -> None:
        asked.append(pipe.count())
        if len(asked) == 5:
            raise HostError("gone")

    with pytest.raises(HostError, match="gone"):
        pipe.writer.write(b"1", b"x" * (20 * PIECE), check)

    assert [9] * 5 == asked
    # With a reader the same text passes.
    done = threading.Thread(target=pipe.writer.write, args=(b"1", b"y" * (20 * PIECE), nothing))
    done.start()
    assert b"x" * (8 * PIECE) + b"y" * (20 * PIECE) == pipe.read(28 * PIECE)
    done.join(_SECONDS)


def test_a_reader_learns_that_the_writer_is_gone_after_all_that_it_wrote(pipe):
    """What came before the end is returned first; then the writer is gone."""
    pipe.writer.write(b"1", b"last words", nothing)
    assert b"last words" == pipe.read(10)
    pipe.lease.revoke()
    until = time.monotonic() + _SECONDS
    while not pipe.reader.gone and time.monotonic() < until:
        assert [] == pipe.reader.read(0.1)

    assert pipe.reader.gone
    with pytest.raises(HostError, match="etcd was not reached for too long"):
        pipe.writer.write(b"1", b"too late", nothing)


def test_a_pipe_outlives_a_restart_of_etcd(tmp_path):
    """No chunk is lost or comes twice while etcd starts again."""
    with etcd(tmp_path) as members:
        pipe = _Pipe(members[0].url)
        pipe.writer.write(b"1", b"before ", nothing)
        assert b"before " == pipe.read(7)
        pipe.writer.write(b"1", b"while ", nothing)
        members[0].restart()
        pipe.writer.write(b"1", b"after", nothing)

        assert b"while after" == pipe.read(11)
        pipe.close()


def test_foreign_keys_below_a_pipe_change_nothing(pipe):
    """A key that no writer puts is no chunk."""
    for name in ("x", "-1", "²", "00000001"):
        pipe.client.call("kv/put", {"key": _b64(f"{pipe.prefix}{name}"), "value": _b64("1odd")})
    pipe.writer.write(b"1", b"good", nothing)

    assert b"good" == pipe.read(4)[:4]


def _b64(text: str) -> str:
    from netlab.store.etcd_client import b64

    return b64(text)
