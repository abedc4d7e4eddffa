"""Records in etcd: their keys and parts, damage, a full database, and lost answers."""

from __future__ import annotations

import base64
import os
import threading
import time
import zlib
from pathlib import Path

import pytest
from etcd_members import Member, etcd, free_ports
from store.etcd_stores import keys, opened
from waiting import eventually

from netlab.errors import DamagedRecord, HostError
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import Refused, _Try, b64
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import settings
from netlab.store.values import ABSENT

pytestmark = pytest.mark.machines


def test_only_the_last_record_and_its_parts_are_kept(own: Member) -> None:
    """Of a large record its parts, of a small one only a head, of none nothing; and no history."""
    store = opened(own)
    large = bytes(reversed(base64.b64encode(bytes(range(256)) * 9000)))
    store.save("one", b"1")
    store.save("one", os.urandom(3 << 20) + large)
    assert ["labs/one", *(f"parts/one/{n:03}" for n in range(4))] == [
        "/".join(part for part in key.removeprefix("/netlab/").split("/") if len(part) != 16) for key in keys(store)
    ]
    first = int(store.save("one", b"2"))
    for _ in range(40):
        store.save("one", b"3")
    assert ["/netlab/labs/one"] == keys(store)
    with pytest.raises(Refused, match="compacted"):
        store.client.call("kv/range", {"key": b64("/netlab/labs/one"), "revision": str(first)})
    store.remove("one")

    assert [] == keys(store)


def test_a_writer_that_is_killed_between_parts_leaves_nothing(own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts belong to a lease until the transaction."""
    store = opened(own, lease=2)

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(EtcdStore, "_decide", killed)
    monkeypatch.setattr(Lease, "revoke", lambda lease: lease._stop.set())
    with pytest.raises(SystemExit):
        store.save("one", os.urandom(3 << 20))
    assert 4 == len(keys(store))

    assert eventually(lambda: not keys(store))


ID = b'"id":"0123456789abcdef"'
DAMAGED = (
    b"",
    b"\n",
    b"{}\n",
    b"[" * 100_000,
    b"\xff\xfe\n",
    b'{"format":2}\n',
    b'{"format":1,"id":"../../../../xyz!","size":1,"parts":0}\n',
    b'{"format":1,' + ID + b',"size":9,"parts":0}\nxyz',
    b'{"format":1,' + ID + b',"size":9,"parts":3}\n',
    b'{"format":1,' + ID + b',"size":99999999999,"parts":0}\n',
)


@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_record_is_said(member: Member, value: bytes) -> None:
    """Of any writer."""
    store = opened(member, patience=0.3, prefix="/damaged/")
    store.client.call("kv/put", {"key": b64("/damaged/labs/one"), "value": b64(value)})

    with pytest.raises(DamagedRecord, match="/damaged/labs/one of etcd"):
        store.load("one")


def test_a_small_text_that_grows_is_damaged(member: Member) -> None:
    """No more than the stated size is decompressed."""
    store = opened(member, prefix="/bomb/")
    head = b'{"format":1,"id":"0123456789abcdef","size":10,"parts":0}\n'
    store.client.call("kv/put", {"key": b64("/bomb/labs/one"), "value": b64(head + zlib.compress(bytes(100 << 20)))})

    with pytest.raises(DamagedRecord):
        store.load("one")


def test_keys_of_others_are_left_alone(member: Member) -> None:
    """Also where they look like a lab's."""
    store = opened(member, prefix="/left/")
    for key in ("/left/labs/A", "/left/labs/a/b", "/left/other", "/left/labs/"):
        store.client.call("kv/put", {"key": b64(key), "value": b64("x")})
    store.save("a", b"1")
    assert ["a"] == store.labs()
    store.remove("a")

    assert 4 == len(keys(store))


def test_a_full_database_is_one_line(tmp_path: Path) -> None:
    """The old record stays, and is read."""
    with etcd(tmp_path, more=("--quota-backend-bytes=6000000",)) as members:
        store = opened(members[0])
        store.save("one", b"1")
        with pytest.raises(HostError, match="its database is full") as error:
            [store.save("one", os.urandom(3 << 20)) for _ in range(10)]
        assert 3 == error.value.exit_code
        assert store.load("one") is not None


def test_an_answer_that_is_lost_is_no_conflict(own: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose answer is lost is sent again, and finds its own effect."""
    store = opened(own)
    revision = store.save("one", b"1")
    real = store.client._post
    lost: list[int] = []

    def post(client: object, path: str, body: object) -> object:
        answer = real(client, path, body)  # type: ignore[arg-type]
        if path == "kv/txn" and not lost:
            lost.append(1)
            raise _Try("lost")
        return answer

    monkeypatch.setattr(store.client, "_post", post)
    found = store.save("one", b"2", revision)

    assert (b"2", found) == (getattr(store.load("one"), "data", None), getattr(store.load("one"), "revision", None))


def test_each_save_counts_once_while_etcd_is_killed(own: Member) -> None:
    """A writer adds to a number from the revision that it read; a save either happened or is said not to have."""
    store = opened(own, patience=20)
    store.save("one", b"0", ABSENT)
    done = threading.Event()

    def kill() -> None:
        for _ in range(4):
            time.sleep(0.2)
            own.restart()
        done.set()

    killer = threading.Thread(target=kill)
    killer.start()
    saved = 0
    while not done.is_set() or saved < 50:
        found = store.load("one")
        assert found is not None
        store.save("one", str(int(found.data) + 1).encode(), found.revision)
        saved += 1
    killer.join()

    assert str(saved).encode() == getattr(store.load("one"), "data", None)


def test_a_save_waits_for_no_dead_endpoint(own: Member) -> None:
    """After the first request, the endpoint that answers is known."""
    store = EtcdStore(settings([f"http://127.0.0.1:{free_ports(1)[0]}", own.url]))
    store.save("one", b"1")

    assert own.url == store.client.settings.endpoints[store.client._at]
