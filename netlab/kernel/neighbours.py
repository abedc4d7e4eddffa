"""Many permanent neighbour entries: added where the address has no entry, and deleted.

The wiring has ``state.Neighbour`` values, which replace existing entries. A probe of a large lab adds a million
entries, so each address is packed once and no value is made for an entry.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from netlab.kernel import netns
from netlab.kernel import rtnl_numbers as n
from netlab.kernel.netlink import Netlink, attribute

# The device and the packed address of an entry.
Key = tuple[str, bytes]

_NDMSG = struct.Struct(n.NDMSG)
# By the length of a packed address.
_FAMILIES = MappingProxyType({4: socket.AF_INET, 16: socket.AF_INET6})


def entry(address: bytes, mac: bytes) -> bytes:
    """Return the attributes of an entry in a request: its address and its MAC."""
    return attribute(n.NDA_DST, address) + attribute(n.NDA_LLADDR, mac)


class Table:
    """The neighbour table of the namespace in which the calling thread opens it; it can be used from any namespace."""

    def __init__(self) -> None:
        self._netlink = Netlink()
        self._indexes = {name: index for index, name in socket.if_nameindex()}

    def change(self, entries: Mapping[Key, bytes], *, delete: bool = False) -> str:
        """Add (or delete) entries; return why the kernel refused one, "" where it refused none.

        Entries of devices that do not exist are left out.

        Raises:
          KernelError: when netlink fails.
        """
        refused = self._netlink.transact_alike(*requests(entries, self._indexes, delete=delete), "neighbour")
        return str(refused[0]) if refused else ""

    def close(self) -> None:
        self._netlink.close()


def requests(
    entries: Mapping[Key, bytes], indexes: Mapping[str, int], *, delete: bool = False
) -> tuple[int, int, list[bytes]]:
    """Return the type and flags of requests, and the body of one for each entry whose device exists.

    Without NLM_F_REPLACE the kernel keeps an existing entry with another MAC (net/core/neighbour.c, neigh_add and
    __neigh_update). So an entry that a user added stays, and the table, which is long and shared, is not read.
    """
    kind, flags = (n.RTM_DELNEIGH, 0) if delete else (n.RTM_NEWNEIGH, n.NLM_F_CREATE)
    heads = {
        (device, length): _NDMSG.pack(family, index, n.NUD_PERMANENT, 0, 0)
        # A node has a device for each pod, and few of them have entries.
        for device in dict.fromkeys(device for device, _ in entries)
        if (index := indexes.get(device)) is not None
        for length, family in _FAMILIES.items()
    }
    bodies = [
        heads[device, len(address)] + packed for (device, address), packed in entries.items() if device in indexes
    ]
    return kind, flags, bodies


def forget(namespace: str, addresses: Sequence[bytes]) -> None:
    """Delete a namespace's entries for addresses, on every device: their machine has another MAC now.

    Raises:
      NotFound: when the namespace is gone.
    """
    with netns.inside(namespace):
        table = Table()
        devices = [name for _, name in socket.if_nameindex()]
    try:
        table.change({(device, one): entry(one, bytes(6)) for device in devices for one in addresses}, delete=True)
    finally:
        table.close()
