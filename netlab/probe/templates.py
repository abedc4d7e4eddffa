"""Probe packets. Scapy built a template for each kind (``netlab.probe.packets``); sending a probe patches its bytes.

Patching takes about a microsecond. A template is a whole IP packet with zeros for addresses, ports and the id. Scapy's
checksum of the template is the constant part of every checksum. In one's complement arithmetic (RFC 1071) the patched
fields are added to it, at any offset, as 2**16 is 1 modulo 0xFFFF.

Every probe carries a 32-bit id: as the sequence number of TCP, as the initiate tag of SCTP, else in the payload after
``MAGIC``. ``netlab.probe.control`` describes the control.
"""

from __future__ import annotations

import struct

from netlab.frozen import NamedTuple, frozen
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


@frozen
class WireAddress:
    """An address as a packet needs it: its bytes, what it adds to a checksum, its text, and what sockets send to."""

    packed: bytes
    total: int
    text: str
    to: tuple[str, int]

    @classmethod
    def of(cls, address: Address) -> WireAddress:
        text = str(address)
        return cls(address.packed, int(address) % 0xFFFF, text, (text, 0))


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
        self._layout = layout = _LAYOUTS[kind, family]
        self._header = _HEADERS[family]
        self._sctp = kind.startswith("SCTP")
        checksum = layout.checksum
        self._constant = 0 if checksum is None else 0xFFFF - _U16.unpack_from(self._packet, checksum)[0]
        # One call writes all from the addresses to the last field that differs between two packets. The bytes between
        # these fields are written too, as struct has no gaps that keep what is there.
        self._start, start = self._header.addresses.start, self._header.addresses.stop
        length = (start - self._start) // 2
        fields = [(layout.ident, 4, "I"), *([(checksum, 2, "H")] if checksum is not None else [])]
        self._between: list[slice] = []
        form = f">{length}s{length}s"
        for offset, size, code in sorted(fields):
            self._between.append(slice(start, offset))
            form += f"{offset - start}s{code}"
            start = offset + size
        self._write = struct.Struct(form).pack_into
        self._sum = checksum is not None
        self._pseudo_header = layout.pseudo_header
        self._ident_first = checksum is None or layout.ident < checksum
        self._write_ports(0, 0)

    def pack(self, source: WireAddress, destination: WireAddress, source_port: int, port: int, ident: int) -> bytearray:
        """Return the packet; for ICMP ``source_port`` is the echo identifier and ``port`` is not used.

        The kernel fills in the IPv4 identification and header checksum (raw(7)).
        """
        packet = self._packet
        if source_port != self._source_port or port != self._port:
            self._write_ports(source_port, port)
        if self._sum:
            total = self._total + ident
            if self._pseudo_header:
                total += source.total + destination.total
            # A sum that is not zero never folds to zero. A UDP checksum of zero means "none", so zero is sent as ones.
            checksum = 0xFFFF - total % 0xFFFF
            first, second = (ident, checksum) if self._ident_first else (checksum, ident)
            here, there = source.packed, destination.packed
            self._write(packet, self._start, here, there, self._before, first, self._after, second)
            return packet
        self._write(packet, self._start, source.packed, destination.packed, self._before, ident)
        if self._sctp:
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
        self._source_port, self._port, self._total = source_port, port, total
        # The bytes before and after the first field that differs between two packets.
        self._before, *after = (bytes(self._packet[gap]) for gap in self._between)
        self._after = after[0] if after else b""
