"""What etcd keeps of a lab: it is read as it was written, or it is damaged."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machines.unit.values import ADDRESSES, spec

from netlab.cluster import resolve
from netlab.dataplane.part import parts
from netlab.errors import DamagedRecord
from netlab.lab.state import State
from netlab.machines.spec import decoded_spec, encoded_spec


def test_a_lab_is_read_as_it_was_written(tmp_path):
    """All values come back, with the objects."""
    one = spec(tmp_path, nodes=3, repair=True, owner="12", port=4790, machine_mtu=9000, encrypted=True)
    found = decoded_spec("lab", encoded_spec(one))

    assert one.record.documents == found.record.documents
    assert one.record.placement == found.record.placement
    assert (one.number, one.machines, one.placed) == (found.number, found.machines, found.placed)
    assert found.encrypted
    assert (4790, 9000, one.change, True, "12") == (
        found.port,
        found.machine_mtu,
        found.change,
        found.repair,
        found.owner,
    )


def test_a_machine_finds_its_part(tmp_path):
    """It is the part that ``parts`` gives to all machines; a machine without a node has none."""
    one = spec(tmp_path, nodes=3, encrypted=True)
    cluster = State.of_record(one.record).cluster
    every = parts(cluster, ADDRESSES, 77, placed=one.placed, encrypted=True)

    assert every == {name: one.part_of(name) for name in ADDRESSES}
    assert one.part_of("m3") is None
    every["m1"].check(cluster)


def test_a_change_has_another_id(tmp_path):
    """So that a machine knows whether it has a change in force."""
    one = spec(tmp_path)

    assert 3 == len({one.change, one.changed().change, one.changed().change})
    assert one.changed(repair=True).repair


HEADS = {
    "no JSON": lambda head: "x",
    "a list": lambda head: "[]",
    "null": lambda head: "null",
    "deep": lambda head: "[" * 100_000,
    "another format": lambda head: head | {"format": 2},
    "no format": lambda head: {name: value for name, value in head.items() if name != "format"},
    "a number that is a text": lambda head: head | {"number": "77"},
    "a number that is none": lambda head: head | {"port": float("nan")},
    "a number that is true": lambda head: head | {"machineMTU": True},
    "a machine with a wrong name": lambda head: head | {"machines": {"../x": "192.0.2.1"}},
    "a machine with a wrong address": lambda head: head | {"machines": {"m1": "x", "m2": "192.0.2.2"}},
    "an address with a zone": lambda head: head | {"machines": {"m1": "fe80::1%eth0", "m2": "fe80::2"}},
    "a node on no machine of the lab": lambda head: head | {"placed": {"node:n1": "m9"}},
    "placed as a list": lambda head: head | {"placed": ["node:n1"]},
    "a change that is no text": lambda head: head | {"change": 5},
    "an owner that is no text": lambda head: head | {"owner": {}},
    "encryption that is no truth": lambda head: head | {"encrypted": "no"},
}


@pytest.mark.parametrize("wrong", HEADS)
def test_a_wrong_head_is_damaged(tmp_path, wrong):
    """Nothing else than DamagedRecord is raised for a value of etcd, and it says how to remove the lab."""
    head, _, text = encoded_spec(spec(tmp_path)).partition(b"\n")
    found = HEADS[wrong](json.loads(head))
    line = found if isinstance(found, str) else json.dumps(found)

    with pytest.raises(DamagedRecord, match="etcd"):
        decoded_spec("lab", line.encode() + b"\n" + text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_other_bytes_are_damaged_or_a_lab(tmp_path, data):
    """A value with bytes that were changed raises DamagedRecord, or is another lab."""
    value = bytearray(encoded_spec(spec(tmp_path)))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decoded_spec("lab", bytes(value[: data.draw(st.integers(0, len(value)))]))
    except DamagedRecord:
        return

    assert "lab" == found.record.lab
    assert set(found.placed.values()) <= found.machines.keys()


@pytest.mark.parametrize("placed", [{}, {"node:n1": "m1"}, {"node:n1": "m1", "node:n2": "m2", "node:n3": "m1"}])
def test_nodes_that_are_not_those_of_the_lab_are_damaged(tmp_path, placed):
    """A node without a machine, or a machine with a node that is none, is said at the first use of the objects."""
    one = decoded_spec("lab", encoded_spec(spec(tmp_path, placed=placed)))

    with pytest.raises(DamagedRecord, match="not all nodes and outside hosts have a machine, or others have: node:n"):
        _ = one.state().cluster
    assert 2 == len(spec(tmp_path).state().cluster.nodes)


def test_every_machine_finds_the_same_cluster(tmp_path):
    """Resolving the record again gives the same pods with the same addresses."""
    one = decoded_spec("lab", encoded_spec(spec(tmp_path, nodes=4)))
    again = State.of_record(one.record)

    assert resolve(again.objects).pods == again.cluster.pods
