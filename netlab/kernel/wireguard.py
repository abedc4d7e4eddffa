"""Keys and peers of WireGuard devices, by generic netlink through pyroute2.

The kernel makes the public key of a private one, so netlab computes none. Only encrypted labs on many machines import
this module.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from pyroute2 import WireGuard
from pyroute2.netlink.exceptions import NetlinkError

from netlab.errors import KernelError
from netlab.kernel import libc, netns, rtnl
from netlab.kernel.netlink import Netlink
from netlab.kernel.state import Link
from netlab.kernel.wireguard_state import Change, Device, Key, Peer

# Seconds between two packets to a peer, if there is nothing to send. It makes the kernel begin a session at once.
_KEEPALIVE = 25
# Below those of a lab's links, and above those that modules of tunnels put into each namespace.
_INDEX = 32
_NO_KEY = base64.b64encode(bytes(32)).decode()


def new_key() -> Key:
    """Return a new key; raises KernelError, with EOPNOTSUPP where the kernel has no WireGuard.

    A device in a network namespace of its own makes the public key.
    """
    link = Link("wireguard", "wireguard", mtu=1420, up=False)
    with netns.returning():
        libc.unshare(libc.CLONE_NEWNET)
        netlink = Netlink()
        try:
            failed = netlink.transact([rtnl.new_link(link, _INDEX, {})])
        finally:
            netlink.close()
        for _, error in failed:
            raise KernelError.of(f"link add {link.name}", error.errno, str(error).split(": ", 1)[-1])
        with _socket(link.name) as guard:
            guard.set(link.name, private_key=base64.b64encode(secrets.token_bytes(32)))
            found = device(guard.info(link.name))
    if found.key is None:
        raise KernelError(f"wireguard {link.name}", 0, "the kernel made no key")
    return found.key


def read(namespace: str, link: str) -> Device:
    """Return what a device has; raises NotFound, KernelError."""
    with netns.inside(namespace), _socket(f"{namespace}: {link}") as guard:
        return device(guard.info(link))


def apply(namespace: str, link: str, change: Change) -> None:
    """Change a device; raises NotFound, KernelError."""
    with netns.inside(namespace), _socket(f"{namespace}: {link}") as guard:
        # The port first: a device with a key has its port too, whenever this process is killed.
        if change.port:
            guard.set(link, listen_port=change.port)
        if change.key is not None:
            guard.set(link, private_key=change.key.private)
        for key in change.remove:
            guard.set(link, peer={"public_key": key, "remove": True})
        for peer in change.add:
            guard.set(link, peer=arguments(peer))


def arguments(peer: Peer) -> dict[str, Any]:
    """Return a peer as pyroute2 takes it."""
    return {
        "public_key": peer.key,
        "endpoint_addr": str(peer.address),
        "endpoint_port": peer.port,
        "persistent_keepalive": _KEEPALIVE if peer.begins else 0,
        "replace_allowed_ips": True,
        "allowed_ips": [f"{peer.address}/{peer.address.max_prefixlen}"],
    }


def device(messages: Iterable[Any]) -> Device:
    """Return the device of the messages of pyroute2 about it; one with many peers has several."""
    key, port, peers, sessions = None, 0, list[Peer](), set[str]()
    for message in messages:
        private, public = _text(message, "WGDEVICE_A_PRIVATE_KEY"), _text(message, "WGDEVICE_A_PUBLIC_KEY")
        if private not in ("", _NO_KEY):
            key = Key(private, public)
        port = message.get_attr("WGDEVICE_A_LISTEN_PORT") or port
        for one in message.get_attr("WGDEVICE_A_PEERS") or ():
            peers.append(_peer(one))
            last = one.get_attr("WGPEER_A_LAST_HANDSHAKE_TIME")
            if last is not None and (last["tv_sec"] or last["tv_nsec"]):
                sessions.add(peers[-1].key)
    return Device(key, port, tuple(peers), frozenset(sessions))


def _peer(message: Any) -> Peer:
    """Return a peer; its address is that of its allowed addresses, as the endpoint is where it was heard last."""
    endpoint = message.get_attr("WGPEER_A_ENDPOINT")
    allowed = message.get_attr("WGPEER_A_ALLOWEDIPS") or ()
    text = next((one["addr"].partition("/")[0] for one in allowed), "")
    # A peer that netlab did not add may have none.
    address = ip_address(text or "0.0.0.0")  # noqa: S104  no socket
    begins = bool(message.get_attr("WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL"))
    return Peer(_text(message, "WGPEER_A_PUBLIC_KEY"), address, endpoint["port"] if endpoint else 0, begins)


def _text(message: Any, name: str) -> str:
    found = message.get_attr(name)
    return found.decode() if isinstance(found, bytes) else ""


@contextlib.contextmanager
def _socket(what: str) -> Iterator[Any]:
    """Open a socket of the present network namespace; errors of the block become KernelError."""
    try:
        with WireGuard() as guard:
            yield guard
    except NetlinkError as error:
        raise KernelError.of(f"wireguard {what}", error.code or 0) from error
    except OSError as error:
        raise KernelError.of(f"wireguard {what}", error.errno or 0) from error
