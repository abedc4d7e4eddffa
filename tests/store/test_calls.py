"""Calls to machines through etcd: which machine is called, which process takes the call, and what it answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from etcd_members import Member

from netlab.cluster import Placement
from netlab.errors import HostError, UsageError
from netlab.lab.record_text import Record
from netlab.machines import call_process, calls, overview, own_machine, registry, reports
from netlab.machines.calls import Call
from netlab.machines.etcd import Etcd
from netlab.machines.incoming_calls import IncomingCalls
from netlab.machines.registry import Machine, Registration
from netlab.machines.reports import Report
from netlab.machines.spec import Spec, encoded_spec
from netlab.objects.documents import read
from netlab.store.etcd_client import b64, plain
from netlab.store.etcd_settings import settings

pytestmark = pytest.mark.machines

_numbers = itertools.count()
SHOP = Path(__file__).parents[2] / "examples" / "shop"
PLACED = {"node:n1": "m1", "node:n2": "m2"}


class _NoSpawner:
    """Notes what it would start."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []

    def start(self, target: str, **arguments: Any) -> Any:
        self.started.append(arguments)


@pytest.fixture
def etcd(member: Member) -> Iterator[Etcd]:
    """Return connections to an etcd without labs."""
    one = Etcd(settings([member.url], prefix=f"/calls{next(_numbers)}/", lease=2))
    yield one
    one.close()


@pytest.fixture
def machine(etcd: Etcd) -> Iterator[Registration]:
    """Register a machine m1, without an agent."""
    one = Registration(etcd.client, _machine("m1"))
    yield one
    one.end()


def _machine(name: str) -> Machine:
    return Machine(name, ip_address("192.0.2.1"), own_machine.version(), f"identity of {name}", 4789, 1500)


def _put(etcd: Etcd, key: str, value: str | bytes) -> None:
    etcd.client.call("kv/put", {"key": b64(f"{etcd.settings.prefix}{key}"), "value": b64(value)})


def _keys(etcd: Etcd, directory: str) -> list[str]:
    body = {"key": b64(f"{etcd.settings.prefix}{directory}/"), "range_end": b64(f"{etcd.settings.prefix}{directory}0")}
    return [plain(kv["key"]).decode() for kv in etcd.client.call("kv/range", body).get("kvs", ())]


def _spec() -> Spec:
    record = Record("shop", tuple(read([str(SHOP)])[0]), {"shop/web": Placement("n1", ())}, ready=True)
    addresses = {name: ip_address(f"192.0.2.{name[1]}") for name in ("m1", "m2")}
    return Spec(record, 7, addresses, PLACED, change="now")


def test_a_machine_without_an_agent_is_away(etcd):
    """A machine that is not registered is not called, and the error names it."""
    with pytest.raises(HostError, match=r"^machine m9 is away$"):
        Call(etcd.client, "m9", "shop", "drift", {})


def test_a_machine_of_another_version_is_not_called(etcd, machine, monkeypatch):
    """Both sides have one version, as the arguments of calls are not a promise."""
    monkeypatch.setattr(own_machine, "version", lambda: "0.0.1")

    with pytest.raises(HostError, match=r"this is netlab 0\.0\.1, and m1 has netlab "):
        Call(etcd.client, "m1", "shop", "drift", {})


def test_arguments_have_a_limit(etcd, machine):
    """A request fits into a value of etcd."""
    with pytest.raises(UsageError, match="bytes are too many for another machine"):
        Call(etcd.client, "m1", "shop", "exec", {"argv": ["x" * calls.MOST_REQUEST]})

    assert [] == _keys(etcd, "calls")


def test_a_call_is_taken_once(etcd, machine):
    """Of two processes one gets the request; after the call nothing of it is in etcd."""
    with Call(etcd.client, "m1", "shop", "drift", {"a": 1}):
        (key,) = _keys(etcd, "calls")
        id_ = key.rpartition("/")[2]
        first, second = (call_process._taken(etcd.client, "m1", id_) for _ in range(2))

        assert {"what": "drift", "lab": "shop", "arguments": {"a": 1}} == json.loads(first or b"")
        assert second is None
    assert [] == [*_keys(etcd, "calls"), *_keys(etcd, "inputs")]
    assert call_process._taken(etcd.client, "m1", id_) is None


def test_a_caller_learns_that_a_machine_went_away_before_it_took_the_call(etcd, machine):
    """The registration says it, as there is no answer."""
    with Call(etcd.client, "m1", "shop", "drift", {}) as call:
        machine.end()
        with pytest.raises(HostError, match=r"^machine m1 is away$"):
            call.answer()


def test_an_agent_starts_no_process_for_foreign_keys_and_taken_calls(etcd, machine):
    """Keys that no caller makes are left alone; a waiting call is started once, a taken one never."""
    spawner = _NoSpawner()
    incoming = IncomingCalls(etcd.client, "m1", "nobody", spawner, lambda: None)  # type: ignore[arg-type]
    for name in ("../x", "0123456789ABCDEF", "", "0" * 17):
        _put(etcd, f"calls/m1/{name}", "{}")
    _put(etcd, f"calls/m1/{'a' * 16}", "taken by another")
    _put(etcd, f"calls/m1/{'b' * 16}", "{}")
    _put(etcd, f"calls/m2/{'c' * 16}", "{}")

    assert "b" * 16 == next(incoming._waiting())
    incoming._new.put("b" * 16)
    incoming._new.put("b" * 16)
    incoming.serve([])
    assert ["b" * 16] == [one["id"] for one in spawner.started]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"what": "drift", "lab": 7, "arguments": {}}',
        b'{"what": [], "lab": "", "arguments": 1}',
    ],
)
def test_a_request_that_no_caller_writes_is_refused(etcd, data):
    """It is an error of the call, and no fault of the agent."""
    with pytest.raises(UsageError, match="a call that cannot be read"):
        call_process._request(data, "m1", "nobody", etcd.settings)


def test_a_request_names_a_lab_by_a_valid_name(etcd):
    """The name becomes a path."""
    data = json.dumps({"what": "drift", "lab": "../etc", "arguments": {}}).encode()
    with pytest.raises(UsageError, match=r"\.\./etc"):
        call_process._request(data, "m1", "nobody", etcd.settings)


# --- what etcd says of labs -----------------------------------------------------------------------------------------


def _phase(etcd: Etcd, registered: tuple[str, ...], proposed: bool = False) -> tuple[str, str]:
    found = overview.lab_of(etcd, "shop", {name: _machine(name) for name in registered}, proposed)
    assert found is not None
    return found.phase, found.why


def _report(etcd: Etcd, machine: str, change: str, phase: str = "ready", *error: str) -> None:
    found = Report(machine, change, phase, error)  # type: ignore[arg-type]
    _put(etcd, f"{reports.DIRECTORY}/shop/{machine}", found.to_json())


def test_a_lab_is_ready_when_every_machine_says_so(etcd):
    """Until then it is changing; a machine that is away or failed makes it degraded, and the reason names it."""
    assert overview.lab_of(etcd, "shop", {}, False) is None
    etcd.store.save("shop", encoded_spec(_spec()))

    assert ("Changing", "") == _phase(etcd, ("m1", "m2"))
    _report(etcd, "m1", "now")
    _report(etcd, "m2", "before")
    assert ("Changing", "") == _phase(etcd, ("m1", "m2"))
    _report(etcd, "m2", "now")
    assert ("Ready", "") == _phase(etcd, ("m1", "m2"))
    assert ("Degraded", "lab shop: machine m2 is away") == _phase(etcd, ("m1",))
    assert ("Degraded", "lab shop: machines m1, m2 are away") == _phase(etcd, ())
    _report(etcd, "m2", "now", "failed", "no memory")
    assert ("Degraded", "lab shop: machine m2: no memory") == _phase(etcd, ("m1", "m2"))


def test_a_lab_changes_while_the_command_of_a_proposal_runs(etcd):
    """What a killed command has proposed is no change."""
    etcd.store.save("shop", encoded_spec(_spec()))
    _report(etcd, "m1", "now")
    _report(etcd, "m2", "now")
    lock = etcd.store.lock("shop")
    lock.acquire()

    assert ("Changing", "") == _phase(etcd, ("m1", "m2"), proposed=True)
    lock.release()
    assert ("Ready", "") == _phase(etcd, ("m1", "m2"), proposed=True)


def test_a_damaged_record_is_listed(etcd):
    """Users have to know the lab's name to remove it."""
    _put(etcd, "labs/shop", "no record")

    (found,) = overview.labs(etcd)
    assert ("shop", "Damaged", 0) == (found.name, found.phase, found.nodes)
    assert "netlab down shop" in found.why


def test_machines_are_those_of_agents_and_of_labs(etcd, machine):
    """A machine that only a lab knows has the address of the lab's record, and no version."""
    etcd.store.save("shop", encoded_spec(_spec()))
    idle = Registration(etcd.client, replace(_machine("m3"), address=ip_address("192.0.2.3")))
    found = [(one.name, one.ready, one.address, one.labs, one.nodes) for one in overview.machines(etcd)]
    idle.end()

    assert [
        ("m1", True, "192.0.2.1", ("shop",), 1),
        ("m2", False, "192.0.2.2", ("shop",), 1),
        ("m3", True, "192.0.2.3", (), 0),
    ] == found
    assert ["m1"] == sorted(registry.machines(etcd.client))
