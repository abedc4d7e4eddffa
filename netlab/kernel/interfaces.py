"""The addresses of the calling thread's network namespace, as its kernel has them."""

from __future__ import annotations

from netlab.kernel import rtnl
from netlab.kernel.netlink import Netlink
from netlab.objects.types import Address


def addresses(family: int) -> list[Address]:
    """Return the addresses of an IP family in the calling thread's namespace, without loopback and link-local ones.

    Raises:
      KernelError: when netlink fails.
    """
    netlink = Netlink()
    try:
        names = {link.index: link.link.name for link in rtnl.read_links(netlink)}
        found = rtnl.read_addresses(netlink, names)
    finally:
        netlink.close()
    return [one.interface.ip for one in found if one.interface.version == family]
