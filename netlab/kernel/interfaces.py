"""The addresses of the calling thread's network namespace, as its kernel has them."""

from __future__ import annotations

import socket

from netlab.kernel import rtnl
from netlab.kernel.netlink import Netlink
from netlab.kernel.state import InterfaceAddress
from netlab.objects.types import Address


def addresses(family: int) -> list[Address]:
    """Return the addresses of an IP family in the calling thread's namespace, without loopback and link-local ones.

    Raises:
      KernelError: when netlink fails.
    """
    return [one.interface.ip for _, one in _read() if one.interface.version == family]


def exists(name: str) -> bool:
    """Return whether the calling thread's namespace has a link of a name."""
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def carries(address: Address) -> bool:
    """Return whether a link of the calling thread's namespace that is up and has a carrier has the address.

    Raises:
      KernelError: when netlink fails.
    """
    return any(read.link.up and read.ready for read, one in _read() if one.interface.ip == address)


def mtu_of(address: Address) -> int | None:
    """Return the MTU of the link of the calling thread's namespace that has an address, None where none has it.

    Raises:
      KernelError: when netlink fails.
    """
    return next((read.link.mtu for read, one in _read() if one.interface.ip == address), None)


def has_hairpin(name: str) -> bool:
    """Return whether a port of a bridge in the calling thread's namespace sends frames back to their own port.

    Raises:
      KernelError: when netlink fails.
    """
    netlink = Netlink()
    try:
        return any(read.link.name == name and read.link.hairpin for read in rtnl.read_links(netlink))
    finally:
        netlink.close()


def _read() -> list[tuple[rtnl.ReadLink, InterfaceAddress]]:
    """Return each address with its link."""
    netlink = Netlink()
    try:
        links = {read.link.name: read for read in rtnl.read_links(netlink)}
        found = rtnl.read_addresses(netlink, {read.index: name for name, read in links.items()})
    finally:
        netlink.close()
    return [(links[one.dev], one) for one in found]
