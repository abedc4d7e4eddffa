"""What a process knows of a lab in etcd: read at one moment, or told by the events of a watch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from etcd_members import Member

from netlab.cluster import Placement
from netlab.errors import DamagedRecord
from netlab.lab.record_text import Record
from netlab.machines.etcd import Etcd
from netlab.machines.lab_in_etcd import Event, LabInEtcd
from netlab.machines.spec import Spec, decoded_spec, encoded_spec
from netlab.objects.documents import read
from netlab.store import etcd_values
from netlab.store.etcd_client import b64
from netlab.store.etcd_lock import EtcdLock
from netlab.store.etcd_settings import settings

pytestmark = pytest.mark.machines

_numbers = itertools.count()
SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def etcd(member: Member) -> Iterator[Etcd]:
    """Return connections to an etcd without labs."""
    one = Etcd(settings([member.url], prefix=f"/lab{next(_numbers)}/", lease=2))
    yield one
    one.close()


@pytest.fixture
def lock(etcd: Etcd) -> Iterator[EtcdLock]:
    """Return the lock of the lab, which is held."""
    one = etcd.store.lock("shop")
    one.acquire()
    yield one
    one.release()


def spec(change: str) -> Spec:
    documents = tuple(read([str(SHOP)])[0])
    record = Record("shop", documents, {"shop/web-0": Placement("n1", (ip_address("10.1.0.2"),))}, ready=True)
    return Spec(record, 7, {"m1": ip_address("192.0.2.1")}, {"node:n1": "m1"}, change=change)


def changes(known: LabInEtcd) -> tuple[str, str]:
    return tuple(one.spec.change if one else "" for one in (known.decided, known.proposed))  # type: ignore[return-value]


def test_a_decision_replaces_the_proposal_at_one_moment(etcd: Etcd, lock: EtcdLock) -> None:
    """A reader sees the lab proposed, and then decided; it never sees neither, which would be a removed lab."""
    known, packed = LabInEtcd(etcd, "shop"), etcd_values.packed(encoded_spec(spec("a")))
    known.read()
    assert ("", "") == changes(known)
    etcd.propose("shop", packed, lock)
    known.read()
    assert ("", "a") == changes(known)
    proposed = known.proposed
    etcd.decide("shop", packed, "", lock)
    known.read()

    assert ("a", "") == changes(known)
    assert proposed is not None
    assert known.decided is not None
    assert known.decided.spec is proposed.spec, "it is not decoded again"
    etcd.remove_both("shop", lock)
    known.read()
    assert ("", "") == changes(known)


def test_an_event_tells_what_reading_would_find(etcd: Etcd, lock: EtcdLock) -> None:
    """The value of a watch is enough, through the message that a process gets; older events change nothing."""
    watch = etcd.proposals.watch(0.1)
    assert next(watch) is None, "it watches from now on"
    told, found = LabInEtcd(etcd, "shop"), LabInEtcd(etcd, "shop")
    for change in "ab":
        etcd.propose("shop", etcd_values.packed(encoded_spec(spec(change))), lock)
    etcd.proposals.remove("shop")
    changed = list(itertools.islice((one for one in watch if one is not None), 3))
    events = [Event(True, one.at, one.value if one.revision else None) for one in changed]
    seen = []
    for event in events:
        told.note(Event.from_bytes(event.to_bytes()))
        seen.append(changes(told)[1])
    found.read()
    told.note(events[0])
    found.note(events[1])

    assert ["a", "b", ""] == seen
    assert ("", "") == changes(told) == changes(found)


def test_a_large_record_is_read_once_for_both_phases(
    etcd: Etcd, lock: EtcdLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decided head that is the proposed one has the same parts, so these are not read again."""
    monkeypatch.setattr(etcd_values, "INLINE", 100)
    known, packed = LabInEtcd(etcd, "shop"), etcd_values.packed(encoded_spec(spec("a")))
    assert packed.parts
    etcd.propose("shop", packed, lock)
    known.read()
    etcd.decide("shop", packed, "", lock)
    monkeypatch.setattr(etcd.store, "data", None)
    known.read()

    assert ("a", "") == changes(known)
    other = LabInEtcd(etcd, "shop")
    monkeypatch.undo()
    other.read()
    assert known.decided is not None
    assert other.decided is not None
    assert known.decided.spec == other.decided.spec


def test_what_did_not_change_is_the_same_value(etcd: Etcd, lock: EtcdLock) -> None:
    """A change of one object decodes that object only."""
    first = spec("a")
    documents = first.record.documents
    less = replace(first, record=replace(first.record, documents=documents[:-1]), change="b")
    known = LabInEtcd(etcd, "shop")
    found = []
    for one in (first, less, first):
        etcd.decide(
            "shop", etcd_values.packed(encoded_spec(one)), known.decided.revision if known.decided else "", lock
        )
        known.read()
        assert known.decided is not None
        assert known.decided.spec == decoded_spec("shop", encoded_spec(one))
        found.append(known.decided.spec.record)

    assert all(a is b for a, b in zip(found[0].documents, found[1].documents, strict=False))
    assert found[0].placement is found[1].placement
    assert found[2].documents[-1] is not found[0].documents[-1], "nothing is kept of what is gone"


def test_a_damaged_record_is_an_error_and_a_damaged_proposal_is_none(etcd: Etcd) -> None:
    """No machine prepares a proposal that cannot be read."""
    known = LabInEtcd(etcd, "shop")
    etcd.client.call("kv/put", {"key": b64(etcd.proposals.head("shop")), "value": b64("x")})
    known.read()
    assert ("", "") == changes(known)
    etcd.client.call("kv/put", {"key": b64(etcd.store.head("shop")), "value": b64("x")})
    with pytest.raises(DamagedRecord):
        known.read()
    with pytest.raises(DamagedRecord):
        known.note(Event(False, 1 << 60, b"y"))


def test_a_lock_reads_at_the_moment_at_which_it_is_taken(etcd: Etcd, lock: EtcdLock) -> None:
    """What the holder before wrote is there."""
    key = b64(etcd.store.head("shop"))
    other = EtcdLock(etcd.client, "shop", ({"key": key}, {"key": b64("/none")}))
    assert not other.acquire(wait=False)
    etcd.store.save("shop", b"text", lock=lock)
    lock.release()
    assert other.acquire()
    other.release()

    assert [1, 0] == [len(one) for one in other.found]
    assert key == other.found[0][0]["key"]


def test_a_look_without_a_change_reads_no_value(etcd: Etcd, lock: EtcdLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value can have half a megabyte, and every machine looks every few seconds."""
    known = LabInEtcd(etcd, "shop")
    etcd.decide("shop", etcd_values.packed(encoded_spec(spec("a"))), "", lock)
    known.read()
    answers: list[Any] = []
    call = etcd.client.call

    def recorded(*asked: Any) -> Any:
        answers.append(call(*asked))
        return answers[-1]

    monkeypatch.setattr(etcd.client, "call", recorded)
    known.read()

    assert ("a", "") == changes(known)
    (answer,) = answers
    assert "value" not in answer["responses"][0]["response_range"]["kvs"][0]
    monkeypatch.undo()
    etcd.propose("shop", etcd_values.packed(encoded_spec(spec("b"))), lock)
    known.read()
    assert ("a", "b") == changes(known)
