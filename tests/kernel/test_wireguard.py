"""WireGuard devices: what is sent to the kernel and read from it, and the UDP ports for them."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from pyroute2.netlink.generic.wireguard import AsyncWireGuard, wgmsg

from netlab.errors import HostError, KernelError
from netlab.kernel import udp_port, wireguard
from netlab.kernel.udp_port import ReservedPort
from netlab.kernel.wireguard_state import Device, Key, Peer, is_key


def key_of(letter: str) -> str:
    return letter * 42 + "A="


def message(peers: list[Peer], **attributes: Any) -> Any:
    """Return what the kernel answers about a device: encoded and decoded as pyroute2 does."""
    made = wgmsg()
    for name, value in attributes.items():
        made["attrs"].append([name, value])
    every = []
    for peer in peers:
        one = wgmsg()
        AsyncWireGuard._wg_set_peer(_Checks(), one, wireguard.arguments(peer))
        every += one["attrs"][0][1]
    # The kernel has them all in one attribute.
    made["attrs"].append(["WGDEVICE_A_PEERS", every])
    made.encode()
    read = wgmsg(made.data)
    read.decode()
    return read


class _Checks:
    """What pyroute2's method uses of its socket."""

    _wg_test_key = AsyncWireGuard._wg_test_key
    _wg_build_allowedips = AsyncWireGuard._wg_build_allowedips


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_a_peer_is_read_as_it_was_sent(address):
    """Its only allowed address is that of its machine, and there its packets go."""
    peer = Peer(key_of("A"), ip_address(address), 51821, begins="." in address)
    read = message([peer], WGDEVICE_A_PRIVATE_KEY=key_of("B"), WGDEVICE_A_PUBLIC_KEY=key_of("C"))

    assert Device(Key(key_of("B"), key_of("C")), 0, (peer,)) == wireguard.device([read])
    (allowed,) = read.get_attr("WGDEVICE_A_PEERS")[0].get_attr("WGPEER_A_ALLOWEDIPS")
    assert f"{address}/{32 if '.' in address else 128}" == allowed["addr"]


def test_a_device_with_many_peers_comes_in_several_messages():
    """A key of zeros is none: so the kernel says that a device is new."""
    peers = [Peer(key_of(letter), ip_address(f"192.0.2.{n}"), 51820) for n, letter in enumerate("BCD", start=1)]
    first = message(peers[:2], WGDEVICE_A_LISTEN_PORT=51820, WGDEVICE_A_PRIVATE_KEY=key_of("A"))
    found = wireguard.device([first, message(peers[2:])])

    assert Device(None, 51820, tuple(peers)) == found


def test_a_key_is_32_bytes():
    """What a stranger wrote to etcd is no key unless it has this form."""
    assert is_key(key_of("A"))
    assert not any(map(is_key, ("", key_of("A") + "\n", key_of("A")[1:], "A" * 44, "-" * 43 + "=", "B" * 43 + "=")))


def test_a_private_key_is_not_shown():
    """Neither a traceback nor a log has it."""
    assert key_of("S") not in repr(Device(Key(key_of("S"), key_of("P")), 1))


def test_a_reserved_port_is_free_and_nobody_gets_it_before_it_is_released():
    """The next one is chosen where it is taken, in either family."""
    first = ReservedPort()
    second = ReservedPort(first.number)
    number = first.number
    with pytest.raises(OSError, match="in use"), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::", number))
    first.release()
    second.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", number))

    assert second.number > number


def test_no_free_port_is_an_error(monkeypatch):
    """The message says what to do."""
    monkeypatch.setattr(udp_port, "_PORTS", 1)
    one = ReservedPort()
    with pytest.raises(HostError, match=f"no UDP port from {one.number} on is free"):
        ReservedPort(one.number)
    one.release()


@pytest.mark.kernel
def test_a_key_is_made_by_the_kernel_or_refused_as_an_unknown_kind_of_link():
    """Two keys differ, and no device stays in this process's namespace."""
    before = socket.if_nameindex()
    made, refused = list[Key](), None
    try:
        made = [wireguard.new_key() for _ in range(2)]
    except KernelError as error:
        refused = (error.errno, error.operation)

    assert refused in (None, (errno.EOPNOTSUPP, "link add wireguard"))
    parts = [part for key in made for part in (key.private, key.public)]
    assert all(map(is_key, parts))
    assert (0 if refused else 4) == len(set(parts))
    assert before == socket.if_nameindex()
