"""Builds the probe packets with Scapy, each kind from its fields.

No command imports this module: Scapy takes a quarter of a second to import and some 0.3 ms for each packet. The packets
are stored in ``netlab/probe/packets.py``. ``python -m netlab.probe.scapy_packets > netlab/probe/packets.py`` writes
that file anew, and a test compares the two.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.sctp import SCTP, SCTPChunkAbort, SCTPChunkInit
from scapy.packet import Packet, Raw

from netlab.probe.templates import CONTROL, MAGIC, NUMBERS, REPLY_MAGIC

KINDS = ("TCP", "UDP", "UDP reply", "ICMP", "SCTP", "SCTP reply", CONTROL)
FAMILIES = (4, 6)

_HEAD = '''\
"""The probe packets as Scapy builds them, by kind and IP family: the IP header and what follows it, in hexadecimal.

Written by ``python -m netlab.probe.scapy_packets``, which says what they are made of; not edited by hand.
"""

PACKETS = {'''


def built(kind: str, family: int) -> bytes:
    """Return the bytes that Scapy builds for a kind of packet, with zeros in the fields that sending patches."""
    blank4 = IP(src="0.0.0.0", dst="0.0.0.0", id=0, ttl=64)  # noqa: S104 - a blank that is patched, no socket binds it
    header: Packet = blank4 if family == 4 else IPv6(src="::", dst="::", hlim=64)
    payload = Raw(struct.pack(">I", REPLY_MAGIC if kind == "UDP reply" else MAGIC) + bytes(4))
    match kind:
        case "TCP":
            packet = header / TCP(sport=0, dport=0, seq=0, flags="S", window=64240, options=[("MSS", 1460)])
        case "UDP" | "UDP reply":
            packet = header / UDP(sport=0, dport=0) / payload
        case "ICMP" if family == 4:
            packet = header / ICMP(type="echo-request", id=0, seq=0) / payload
        case "ICMP":
            packet = header / ICMPv6EchoRequest(id=0, seq=0) / payload
        case "SCTP":
            chunk = SCTPChunkInit(init_tag=0, a_rwnd=65536, n_out_streams=1, n_in_streams=1, init_tsn=1)
            packet = header / SCTP(sport=0, dport=0, tag=0) / chunk
        case "SCTP reply":
            packet = header / SCTP(sport=0, dport=0, tag=0) / SCTPChunkAbort()
        case _:
            header.setfieldval("proto" if family == 4 else "nh", NUMBERS[CONTROL])
            packet = header / payload
    return bytes(packet)


def module() -> Iterator[str]:
    """Yield the lines of ``netlab/probe/packets.py``."""
    yield _HEAD
    for kind, family in product(KINDS, FAMILIES):
        packet, end = built(kind, family), 20 if family == 4 else 40
        yield f'    ("{kind}", {family}): (\n        "{packet[:end].hex()}",\n        "{packet[end:].hex()}",\n    ),'
    yield "}"


if __name__ == "__main__":
    print("\n".join(module()))
