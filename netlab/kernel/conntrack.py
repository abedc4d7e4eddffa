"""Deletes entries of connection tracking by ctnetlink, without the program ``conntrack``.

A connection keeps its translation while its entry lives. UDP has no packet that ends a connection, so the entry of a
busy client never expires. kube-proxy deletes such entries for the same reason (pkg/proxy/conntrack). Numbers are those
of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import contextlib
import errno
import struct
from collections.abc import Collection, Mapping
from ipaddress import ip_address

from netlab.frozen import NamedTuple
from netlab.kernel import netns
from netlab.kernel.machine import Frontend
from netlab.kernel.netlink import Message, Netlink, attribute, attributes

_NETLINK_NETFILTER = 12
_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2
_ORIGINAL, _REPLY, _ID = 1, 2, 12
_IP, _PROTOCOL = 1, 2
_SOURCES, _DESTINATIONS = (1, 3), (2, 4)
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_NESTED = 0x8000
_FAMILIES = {4: 2, 6: 10}
_NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}


class _Tuple(NamedTuple):
    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


def delete(namespace: str, frontends: Collection[Frontend]) -> int:
    """Delete the entries of connections that were opened to a frontend and lead to none of its endpoints.

    Return their number. A connection that nothing translated counts too: it was opened before the first endpoint came.


    Raises:
      KernelError: when the kernel does not list its entries or refuses to delete one.
    """
    wanted: Mapping[tuple[int, bytes, int], set[tuple[bytes, int]]] = {
        (_NUMBERS[frontend.protocol], frontend.address.packed, frontend.port): {
            (a.packed, port) for a, port in frontend.endpoints
        }
        for frontend in frontends
    }
    with netns.inside(namespace):
        netlink = Netlink(_NETLINK_NETFILTER)
    with contextlib.closing(netlink):
        stale = []
        for family in sorted({frontend.address.version for frontend in frontends}):
            header = struct.pack("=BBH", _FAMILIES[family], 0, 0)
            for _, body in netlink.dump(_GET, header):
                parts = dict(attributes(body, len(header)))
                opened, answers = _read(parts.get(_ORIGINAL)), _read(parts.get(_REPLY))
                if opened is None or answers is None:
                    continue
                endpoints = wanted.get((opened.protocol, opened.destination, opened.destination_port))
                if endpoints is not None and (answers.source, answers.source_port) not in endpoints:
                    label = f"connection to {ip_address(opened.destination)} port {opened.destination_port}"
                    request = header + attribute(_ORIGINAL | _NESTED, parts[_ORIGINAL])
                    if _ID in parts:
                        request += attribute(_ID, parts[_ID])
                    stale.append(Message(_DELETE, 0, request, label))
        # An entry may have expired since it was listed.
        for _, error in netlink.transact(stale, ignore=[errno.ENOENT]):
            raise error
        return len(stale)


def _read(data: bytes | None) -> _Tuple | None:
    """Return one direction of a connection, None if it has no ports."""
    parts = dict(attributes(data or b""))
    addresses, protocol = dict(attributes(parts.get(_IP, b""))), dict(attributes(parts.get(_PROTOCOL, b"")))
    source = next((addresses[kind] for kind in _SOURCES if kind in addresses), None)
    destination = next((addresses[kind] for kind in _DESTINATIONS if kind in addresses), None)
    if source is None or destination is None or not {_NUMBER, _SOURCE_PORT, _DESTINATION_PORT} <= protocol.keys():
        return None
    ports = (int.from_bytes(protocol[kind], "big") for kind in (_SOURCE_PORT, _DESTINATION_PORT))
    return _Tuple(protocol[_NUMBER][0], source, destination, *ports)
