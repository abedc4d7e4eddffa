"""Values of etcd that no netlab wrote: a command goes on, or says in a line what is wrong."""

from __future__ import annotations

import pytest

from netlab.machines.etcd import probe_ports
from netlab.machines.probing import _source_ports
from netlab.store.etcd_client import b64

pytestmark = pytest.mark.machines


@pytest.mark.parametrize("value", [b"x", b"", b"-5", b"\xff\xfe", b"9" * 1000, b"1e9", b" 7 "])
def test_source_ports_that_are_no_place_are_chosen_anew(connect, value):
    """A run has valid ports, and the next run others."""
    client = connect().client
    client.call("kv/put", {"key": b64(probe_ports(client, "lab")), "value": b64(value)})
    first, second = _source_ports(client, "lab", 0), _source_ports(client, "lab", 0)

    assert all(1024 < port < 65536 for found in (first, second) for port in (found.start, found.stop - 1))
    assert first != second


def test_a_key_of_a_lock_that_is_no_text_is_a_lock(connect):
    """It is in the way as any key of a lock is, and no error."""
    etcd = connect()
    key = b64(etcd.client.key("locks", "lab", "").encode() + b"\xff\xfe")
    etcd.client.call("kv/put", {"key": key})
    lock = etcd.store.lock("lab")

    assert not lock.acquire(wait=False)
    etcd.client.call("kv/deleterange", {"key": key})
    assert lock.acquire(wait=False)
    lock.release()
