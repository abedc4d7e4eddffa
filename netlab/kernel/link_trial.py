"""Whether this kernel can make a link of a kind, tried in a network namespace of its own."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import KernelError
from netlab.kernel import libc, netns, rtnl
from netlab.kernel.netlink import Netlink
from netlab.kernel.state import Link

# Below those of a lab's links, and above those that modules of tunnels put into each namespace.
_INDEX = 32


def check(link: Link) -> None:
    """Make a link with the options of this one under another name; raises KernelError with the link's own name."""
    with netns.returning():
        libc.unshare(libc.CLONE_NEWNET)
        netlink = Netlink()
    try:
        failed = netlink.transact([rtnl.new_link(replace(link, name="trial", master=""), _INDEX, {})])
    finally:
        netlink.close()
    for _, error in failed:
        raise KernelError.of(f"link add {link.name}", error.errno, str(error).split(": ", 1)[-1])
