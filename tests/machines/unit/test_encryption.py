"""The key of an encrypted lab on a machine, and what the machine knows of others: on a kernel in memory."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, cast

import pytest

from netlab.dataplane import names
from netlab.dataplane.part import Part, Peer
from netlab.errors import HostError, KernelError
from netlab.kernel import wireguard_state
from netlab.kernel.state import Change, Link
from netlab.kernel.wireguard_state import Device, Key
from netlab.machines import encryption as encryption_module
from netlab.machines import reports
from netlab.machines.encryption import Encryption, change_of
from netlab.machines.reports import PublicKey, Report
from netlab.store.etcd_client import EtcdClient, b64
from netlab.testing import FakeKernel

PLACE = names.underlay_namespace("lab")
OWN, TWO, THREE = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))
PART = Part(
    7,
    OWN,
    frozenset({"node:a"}),
    (Peer("two", TWO, frozenset({"node:b"})), Peer("three", THREE, frozenset({"node:c"}))),
    encrypted=True,
)


def key_of(letter: str) -> str:
    return letter * 42 + "A="


KEY = Key(key_of("P"), key_of("K"))


class Said:
    """An etcd that has the reports about a lab, and nothing else."""

    def __init__(self) -> None:
        self.of: dict[str, PublicKey | None] = {}

    def key(self, *parts: str) -> str:
        return "/".join(parts)

    def call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert "kv/range" == path
        values = {name: Report(name, "c", "prepared", public=public).to_json() for name, public in self.of.items()}
        return {"kvs": [{"key": b64(f"{reports.DIRECTORY}/lab/{n}"), "value": b64(v)} for n, v in values.items()]}


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def machine() -> FakeKernel:
    return FakeKernel()


def encryption(machine: FakeKernel, said: Said) -> Encryption:
    return Encryption(machine, cast(EtcdClient, said), "lab")


def built(machine: FakeKernel) -> None:
    """Make the device, as the lab's wanted state has it."""
    if not machine.exists(PLACE):
        machine.create([PLACE])
    machine.apply([Change("add", PLACE, Link(names.WIREGUARD, "wireguard"))])


def device(machine: FakeKernel) -> Device:
    return machine.read_wireguard(PLACE, names.WIREGUARD)


def test_the_key_is_known_before_anything_is_built(machine, said):
    """Other machines get the public half and the port; no namespace exists, and the private half is not shown."""
    one = encryption(machine, said)
    one.prepare(PART)
    assert one.public is not None

    assert wireguard_state.is_key(one.public.key)
    assert one.public.port >= 51820
    assert {} == dict(machine.spaces)
    assert one._key is not None
    private = one._key.private
    assert private not in repr(one._key)
    assert private not in Report("m1", "c", "prepared", public=one.public).to_json()
    one.forget()


def test_two_labs_of_a_machine_prepare_different_ports(machine, said):
    """A device has its UDP port for itself, and a port is reserved from the first phase on."""
    one, other = encryption(machine, said), encryption(machine, said)
    one.prepare(PART)
    other.prepare(PART)
    assert one.public is not None
    assert other.public is not None

    assert one.public.port != other.public.port
    assert one.public.key != other.public.key
    one.forget()
    other.forget()


def test_a_device_gets_its_key_and_those_that_were_reported(machine, said):
    """Each machine may use its own address only inside of the tunnel."""
    one = encryption(machine, said)
    one.prepare(PART)
    public = one.public
    said.of = {"two": PublicKey(key_of("B"), 51820), "three": PublicKey(key_of("C"), 51821), "m1": public}
    built(machine)
    one.join(PART)
    found = device(machine)
    assert found.key is not None

    assert public == PublicKey(found.key.public, found.port)
    assert {(key_of("B"), TWO, 51820), (key_of("C"), THREE, 51821)} == {(p.key, p.address, p.port) for p in found.peers}


def test_a_lab_process_that_starts_again_takes_the_key_of_the_device(machine, said):
    """Sessions with other machines go on, and the reports have the same public key."""
    before = encryption(machine, said)
    before.prepare(PART)
    built(machine)
    before.join(PART)
    after = encryption(machine, said)
    after.join(PART)

    assert before.public == after.public
    assert after._key == device(machine).key


def test_a_device_that_was_made_again_gets_the_same_key(machine, said):
    """Someone deleted the device, and ``up`` repaired it: other machines need not learn anything."""
    one = encryption(machine, said)
    said.of = {"two": PublicKey(key_of("B"), 51820)}
    one.prepare(PART)
    built(machine)
    one.join(PART)
    before = device(machine)
    machine.apply([Change("delete", PLACE, Link(names.WIREGUARD, "wireguard"))])
    built(machine)
    one.join(PART)

    assert before == device(machine)


def test_a_machine_that_booted_has_another_key(machine, said):
    """Its peers replace the old key when its report has the new one, and read nothing while no report differs."""
    one = encryption(machine, said)
    said.of = {"two": PublicKey(key_of("B"), 51820), "three": PublicKey(key_of("C"), 51820)}
    built(machine)
    one.join(PART)
    said.of["two"] = PublicKey(key_of("D"), 51822)
    one.join(PART, anew=False)
    follows = {(peer.key, peer.address) for peer in device(machine).peers}
    machine.spaces.clear()
    one.join(PART, anew=False)

    assert {(key_of("D"), TWO), (key_of("C"), THREE)} == follows


def test_the_key_of_a_machine_that_is_away_is_kept(machine, said):
    """Its report went with its lease, but its part of the lab goes on running; one that left the lab is removed."""
    one = encryption(machine, said)
    said.of = {"two": PublicKey(key_of("B"), 51820), "three": PublicKey(key_of("C"), 51820)}
    built(machine)
    one.join(PART)
    said.of = {"three": None}
    one.join(PART)
    kept = {peer.key for peer in device(machine).peers}
    one.join(replace(PART, peers=PART.peers[1:]))

    assert {key_of("B"), key_of("C")} == kept
    assert {key_of("C")} == {peer.key for peer in device(machine).peers}


@pytest.mark.parametrize("part", [replace(PART, encrypted=False), replace(PART, peers=())], ids=["plain", "alone"])
def test_a_lab_without_encrypted_tunnels_needs_no_key(said, part):
    """A kernel without WireGuard has such a lab as ever."""
    one = encryption(Without(), said)
    one.prepare(part)
    one.join(part)

    assert one.public is None


class Without(FakeKernel):
    """A kernel without WireGuard."""

    def new_wireguard_key(self) -> Key:
        raise KernelError.of("link add wireguard", errno.EOPNOTSUPP, "Unknown device type")


def test_a_kernel_without_wireguard_is_refused_with_a_way_out(said):
    """One line with exit code 3, before anything is built."""
    machine = Without()
    with pytest.raises(HostError, match="this kernel has no links of kind wireguard") as caught:
        encryption(machine, said).prepare(PART)

    assert 3 == caught.value.exit_code
    assert 1 == len(str(caught.value).splitlines())
    assert all(word in caught.value.fix for word in ("modprobe wireguard", "CONFIG_WIREGUARD", "leave out --encrypt"))
    assert {} == dict(machine.spaces)


def test_a_port_that_another_program_took_is_an_error_and_the_next_try_has_another(machine, said, monkeypatch):
    """The device would otherwise listen where no machine sends."""
    one = encryption(machine, said)
    one.prepare(PART)
    built(machine)

    def taken(*_: object) -> None:
        raise KernelError.of("wireguard", errno.EADDRINUSE)

    monkeypatch.setattr(machine, "set_wireguard", taken)
    with pytest.raises(HostError, match="another program has the UDP port"):
        one.join(PART)
    assert one.public is None


PEERS = (
    wireguard_state.Peer(key_of("B"), TWO, 51820, begins=True),
    wireguard_state.Peer(key_of("C"), THREE, 51820, begins=True),
)
CHANGES = {
    "all is there": (Device(KEY, 51820, PEERS), None),
    "a new device": (Device(None, 40000), wireguard_state.Change(KEY, 51820, (), PEERS)),
    "another key": (Device(Key(key_of("Q"), key_of("R")), 51820, PEERS), wireguard_state.Change(KEY)),
    "another port": (Device(KEY, 1, PEERS), wireguard_state.Change(None, 51820)),
    "a peer that listens elsewhere": (
        Device(KEY, 51820, (replace(PEERS[0], port=9), PEERS[1])),
        wireguard_state.Change(add=PEERS[:1]),
    ),
    "a peer with which the other one begins": (
        Device(KEY, 51820, (PEERS[0], replace(PEERS[1], begins=False))),
        wireguard_state.Change(add=PEERS[1:]),
    ),
    "an unknown peer": (
        Device(KEY, 51820, (*PEERS, wireguard_state.Peer(key_of("X"), ip_address("0.0.0.0"), 0))),  # noqa: S104
        wireguard_state.Change(remove=(key_of("X"),)),
    ),
    "an old key": (
        Device(KEY, 51820, (*PEERS[1:], wireguard_state.Peer(key_of("X"), TWO, 51820, begins=True))),
        wireguard_state.Change(remove=(key_of("X"),), add=PEERS[:1]),
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_only_what_differs_is_changed(case):
    """A peer that is as it should be is not touched, as that would end its session."""
    have, change = CHANGES[case]
    want = {peer.address: PublicKey(peer.key, peer.port) for peer in PEERS}

    assert change == change_of(have, KEY, 51820, want, PART)


@pytest.mark.parametrize("family", [4, 6])
def test_one_of_two_machines_begins_their_session(family):
    """If both did at the same moment, both answers would be lost."""
    addresses = [
        ip_address({4: "192.0.2.9", 6: "2001:db8::9"}[family]),
        ip_address({4: "192.0.2.10", 6: "2001:db8::a"}[family]),
    ]
    begins = []
    for own, other in (addresses, addresses[::-1]):
        part = Part(7, own, frozenset(), (Peer("other", other, frozenset()),), encrypted=True)
        change = change_of(Device(None, 0), KEY, 51820, {other: PublicKey(key_of("B"), 51820)}, part)
        assert change is not None
        begins += [peer.begins for peer in change.add]

    assert [True, False] == begins


class Deaf(FakeKernel):
    """A kernel whose peers answer when they were added some times."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.left = answers

    def set_wireguard(self, name: str, link: str, change: wireguard_state.Change) -> None:
        super().set_wireguard(name, link, change)
        self.left -= bool(change.add)

    def read_wireguard(self, name: str, link: str) -> Device:
        found = super().read_wireguard(name, link)
        return found if self.left <= 0 else replace(found, sessions=frozenset())


def test_a_session_is_begun_again_until_the_other_machine_has_its_device(said, monkeypatch):
    """The first packets are lost, as it is built later; a machine that brought its part in force can be reached."""
    monkeypatch.setattr(encryption_module, "_ATTEMPT", 0.01)
    machine = Deaf(4)
    one = encryption(machine, said)
    said.of = {"two": PublicKey(key_of("B"), 51820), "three": PublicKey(key_of("C"), 51820)}
    built(machine)
    one.join(PART)

    assert 0 == machine.left
    assert {key_of("B"), key_of("C")} == {peer.key for peer in device(machine).peers} == device(machine).sessions


def test_a_machine_that_does_not_answer_is_named_once_and_tried_again(said, monkeypatch):
    """Its UDP port may be closed. The part of this machine is in force, and every look begins anew."""
    monkeypatch.setattr(encryption_module, "_ATTEMPT", 0.01)
    monkeypatch.setattr(encryption_module, "_MOST", 0.03)
    lines: list[str] = []
    monkeypatch.setattr(encryption_module, "say", lines.append)
    machine = Deaf(1000)
    one = encryption(machine, said)
    said.of = {"two": PublicKey(key_of("B"), 51820)}
    built(machine)
    one.join(PART)
    tried = machine.left
    one.join(PART, anew=False)

    assert machine.left < tried
    assert ["lab lab: no answer by WireGuard yet from 192.0.2.2 UDP port 51820"] == lines
