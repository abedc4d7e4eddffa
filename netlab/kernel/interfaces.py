"""Which addresses a network namespace has, as its kernel says."""

from __future__ import annotations

from netlab.kernel import netns, rtnl
from netlab.kernel.netlink import Netlink
from netlab.objects.types import Address


def addresses(namespace: str, family: int) -> list[Address]:
    """Return the addresses of an IP family in a namespace, without loopback and link-local ones.

    Raises:
      NotFound: when the namespace is not there.
      KernelError: when netlink fails.
    """
    with netns.inside(namespace):
        netlink = Netlink()
    try:
        names = {link.index: link.link.name for link in rtnl.read_links(netlink)}
        found = rtnl.read_addresses(netlink, names)
    finally:
        netlink.close()
    return [one.interface.ip for one in found if one.interface.version == family]
