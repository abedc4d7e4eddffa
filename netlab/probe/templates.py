"""Probe packets. Scapy built a template for each kind (``netlab.probe.packets``); sending a probe patches its bytes.

Patching takes about a microsecond. A template is a whole IP packet with zeros for addresses, ports and the id. Scapy's
checksum of the template is the constant part of every checksum. In one's complement arithmetic (RFC 1071) the patched
fields are added to it, at any offset, as 2**16 is 1 modulo 0xFFFF.

Every probe carries a 32-bit id: as the sequence number of TCP, as the initiate tag of SCTP, else in the payload after
``MAGIC``. ``netlab.probe.control`` describes the control.
"""

from __future__ import annotations

import struct

from netlab.frozen import NamedTuple
from netlab.objects.types import Address
from netlab.probe.crc32c import crc32c
from netlab.probe.packets import PACKETS

MAGIC = int.from_bytes(b"nlab")
REPLY_MAGIC = int.from_bytes(b"nlre")
CONTROL = "CONTROL"
NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17, "SCTP": 132, CONTROL: 253}
ICMPV6 = 58

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_CRC = struct.Struct("<I")


class WireAddress(NamedTuple):
    """An address as a packet needs it: its bytes, what it adds to a checksum, and its text."""

    packed: bytes
    total: int
    text: str

    @classmethod
    def of(cls, address: Address) -> WireAddress:
        return cls(address.packed, int(address) % 0xFFFF, str(address))


class _Layout(NamedTuple):
    """The offsets of the patched fields in a packet; None where a kind has no such field."""

    ident: int
    checksum: int | None = None
    source_port: int | None = None
    port: int | None = None
    pseudo_header: bool = True

    def after(self, more: int) -> _Layout:
        """Return the layout behind an IP header that is ``more`` bytes longer, with a pseudo header, as ICMPv6 has."""

        def shifted(at: int | None) -> int | None:
            return None if at is None else at + more

        return _Layout(self.ident + more, shifted(self.checksum), shifted(self.source_port), shifted(self.port))


class _Header(NamedTuple):
    """The place of the addresses in an IP header, and its length."""

    addresses: slice
    length: int


# IPv4 without options, IPv6 without extension headers.
_HEADERS = {4: _Header(slice(12, 20), 20), 6: _Header(slice(8, 40), 40)}

_LAYOUTS = {
    ("TCP", 4): _Layout(ident=24, checksum=36, source_port=20, port=22),
    ("UDP", 4): _Layout(ident=32, checksum=26, source_port=20, port=22),
    ("ICMP", 4): _Layout(ident=32, checksum=22, source_port=24, pseudo_header=False),
    ("SCTP", 4): _Layout(ident=36, source_port=20, port=22),
    (CONTROL, 4): _Layout(ident=24),
    # netlab's reply in place of a program that holds the port and does not reply.
    ("UDP reply", 4): _Layout(ident=32, checksum=26, source_port=20, port=22),
    ("SCTP reply", 4): _Layout(ident=24, source_port=20, port=22),
}
_LAYOUTS |= {(kind, 6): layout.after(20) for (kind, _), layout in _LAYOUTS.items()}
_SCTP_CHECKSUM = 8


def number(protocol: str, family: int) -> int:
    """Return the IP protocol (IPv6: next header) number of a kind of probe."""
    return ICMPV6 if (protocol, family) == ("ICMP", 6) else NUMBERS[protocol]


class Template:
    """One kind of packet, patched in place: the packet that ``pack`` returns is valid until its next call."""

    def __init__(self, kind: str, family: int, dscp: int = 0) -> None:
        self._packet = bytearray.fromhex("".join(PACKETS[kind, family]))
        # RFC 791, RFC 8200: the octet is the second one of IPv4, and has the bits 4 to 11 of IPv6.
        at = (dscp << 2) << (16 if family == 4 else 20)
        _U32.pack_into(self._packet, 0, _U32.unpack_from(self._packet)[0] | at)
        self._layout = _LAYOUTS[kind, family]
        self._header = _HEADERS[family]
        self._sctp = kind.startswith("SCTP")
        checksum = self._layout.checksum
        self._constant = 0 if checksum is None else 0xFFFF - _U16.unpack_from(self._packet, checksum)[0]
        # The ports in the packet, and what the checksum has of the template and of them.
        self._ports = (0, 0)
        self._total = self._constant

    def pack(self, source: WireAddress, destination: WireAddress, source_port: int, port: int, ident: int) -> bytearray:
        """Return the packet; for ICMP ``source_port`` is the echo identifier and ``port`` is not used.

        The kernel fills in the IPv4 identification and header checksum (raw(7)).
        """
        packet, layout = self._packet, self._layout
        if (source_port, port) != self._ports:
            self._write_ports(source_port, port)
        packet[self._header.addresses] = source.packed + destination.packed
        _U32.pack_into(packet, layout.ident, ident)
        if layout.checksum is not None:
            total = self._total + ident
            if layout.pseudo_header:
                total += source.total + destination.total
            # A sum that is not zero never folds to zero. A UDP checksum of zero means "none", so zero is sent as ones.
            value = 0xFFFF - (total % 0xFFFF or 0xFFFF)
            _U16.pack_into(packet, layout.checksum, value or 0xFFFF)
        elif self._sctp:
            start = self._header.length
            _U32.pack_into(packet, start + _SCTP_CHECKSUM, 0)
            _CRC.pack_into(packet, start + _SCTP_CHECKSUM, crc32c(packet[start:]))
        return packet

    def _write_ports(self, source_port: int, port: int) -> None:
        """Write ports that differ from those of the packet before: nearly all probes of an attempt have the same."""
        layout, total = self._layout, self._constant
        if layout.source_port is not None:
            _U16.pack_into(self._packet, layout.source_port, source_port)
            total += source_port
        if layout.port is not None:
            _U16.pack_into(self._packet, layout.port, port)
            total += port
        self._ports, self._total = (source_port, port), total
