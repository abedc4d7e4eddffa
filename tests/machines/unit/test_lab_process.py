"""What the process of a lab makes of the events that its agent sends, with a real etcd and without namespaces."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from machines.unit.values import spec

from netlab.machines.lab_in_etcd import Event
from netlab.machines.lab_process import LabProcess
from netlab.machines.spec import encoded_spec

pytestmark = pytest.mark.machines


def _played(etcd, monkeypatch) -> tuple[LabProcess, list[str]]:
    """Return a process that only notes what it would do."""
    process, done = LabProcess(etcd, "m1", "lab", ip_address("192.0.2.1"), 4789), list[str]()
    monkeypatch.setattr(process, "_bring", lambda spec: done.append("bring"))
    monkeypatch.setattr(process, "_remove", lambda: done.append("remove"))
    return process, done


def test_the_end_of_a_proposal_that_was_decided_is_no_removal(connect, tmp_path, monkeypatch):
    """The two events come by two watches. The key of an encrypted lab would be forgotten between them."""
    etcd = connect()
    etcd.store.save("lab", encoded_spec(spec(tmp_path)))
    process, done = _played(etcd, monkeypatch)
    process.look([Event(True, 1, None).to_bytes()])

    assert ["bring"] == done


def test_the_end_of_a_proposal_that_was_dropped_is_a_removal(connect, monkeypatch):
    """Etcd has nothing of the lab."""
    process, done = _played(connect(), monkeypatch)
    process.look([Event(True, 1, None).to_bytes()])

    assert ["remove"] == done
