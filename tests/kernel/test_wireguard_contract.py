"""What every machine does with WireGuard devices: the kernels of this host that have them, and the one in memory."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from kernel.test_machine_contract import Spaces, add, held, machine, spaces

from netlab.errors import KernelError, NotFound
from netlab.kernel.machine import Machine
from netlab.kernel.state import Change, InterfaceAddress, Item, Link, Route
from netlab.kernel.udp_port import ReservedPort
from netlab.kernel.wireguard_state import Change as Keys
from netlab.kernel.wireguard_state import Device, Key, Peer

__all__ = ["machine", "spaces"]

GUARD = Link("wireguard", "wireguard", mtu=1440, outer=True)


@pytest.fixture
def keys(machine: Machine) -> list[Key]:
    """Four keys; the test is skipped where the kernel makes none."""
    try:
        return [machine.new_wireguard_key() for _ in range(4)]
    except KernelError:
        pytest.skip("this kernel has no WireGuard")


def test_a_wireguard_device_is_what_was_asked_for(machine: Machine, spaces: Spaces, keys: list[Key]) -> None:
    """It has its address and routes; this process's namespace has no link more, and the device goes alone."""
    (space,) = spaces("guard")
    before = socket.if_nameindex()
    address = InterfaceAddress(GUARD.name, ip_interface("192.0.2.1/32"))
    items: list[Item] = [GUARD, address, Route(ip_network("192.0.2.2/32"), GUARD.name)]
    machine.apply(add(space, *items))
    machine.wait_until_ready([space])
    found = held(machine, space)
    # Again, as a repair does.
    machine.apply(add(space, GUARD))
    again = held(machine, space)
    machine.apply([Change("delete", space, GUARD)])

    assert set(items) == found
    assert found == again
    assert before == socket.if_nameindex()
    assert set() == held(machine, space)


def test_a_device_has_the_key_the_port_and_the_peers_that_it_was_given(
    machine: Machine, spaces: Spaces, keys: list[Key]
) -> None:
    """A change leaves everything else as it is."""
    (space,) = spaces("guard")
    machine.apply(add(space, GUARD))
    reserved = ReservedPort()
    reserved.release()
    own, one, two, other = keys
    peers = (Peer(one.public, ip_address("192.0.2.2"), 51820, True), Peer(two.public, ip_address("2001:db8::3"), 51821))
    new = machine.read_wireguard(space, GUARD.name)
    machine.set_wireguard(space, GUARD.name, Keys(own, reserved.number, add=peers))
    first = machine.read_wireguard(space, GUARD.name)
    moved = replace(peers[0], port=51830)
    machine.set_wireguard(space, GUARD.name, Keys(add=(moved,)))
    second = machine.read_wireguard(space, GUARD.name)
    replaced = replace(peers[0], key=other.public)
    machine.set_wireguard(space, GUARD.name, Keys(remove=(one.public,), add=(replaced,)))
    third = machine.read_wireguard(space, GUARD.name)

    assert new.key is None
    assert _sorted(Device(own, reserved.number, peers)) == _sorted(first)
    assert _sorted(Device(own, reserved.number, (moved, peers[1]))) == _sorted(second)
    assert _sorted(Device(own, reserved.number, (replaced, peers[1]))) == _sorted(third)


def test_a_device_that_is_not_there_is_an_error(machine: Machine, spaces: Spaces, keys: list[Key]) -> None:
    """Nothing is changed in another namespace instead."""
    (space,) = spaces("guard")

    with pytest.raises(KernelError):
        machine.read_wireguard(space, GUARD.name)
    with pytest.raises(KernelError):
        machine.set_wireguard(space, GUARD.name, Keys(keys[0]))
    with pytest.raises(NotFound):
        machine.read_wireguard("netlab.contract.nothing", GUARD.name)


def _sorted(device: Device) -> Device:
    return replace(device, peers=tuple(sorted(device.peers, key=lambda peer: str(peer.address))))
