"""Packets as Scapy has them: a value to work with, and its summary in one line.

Scapy takes a quarter of a second to import, so this module is imported when a packet is shown or returned.
"""

from __future__ import annotations

from typing import Any

from scapy.config import Resolve, conf
from scapy.layers import dhcp, dns, inet, inet6, l2, sctp, vxlan
from scapy.packet import Packet, Raw

from netlab.probe.capture_files import ETHERNET, CapturedPacket

__all__ = ["scapy_packet", "summary"]

# Importing a layer makes Scapy decode it.
_LAYERS = (dhcp, dns, inet, inet6, l2, sctp, vxlan)
# The fields whose numbers ``summary`` prints, where Scapy prints names of /etc/services.
_NUMBERS = Resolve()
_NUMBERS.add(*(layer.get_field(f"{end}port") for layer in (inet.TCP(), inet.UDP(), sctp.SCTP()) for end in "sd"))


def scapy_packet(packet: CapturedPacket) -> Packet:
    """Return a packet as Scapy decodes it, with its ``time`` and its whole length as ``wirelen``.

    ``sniffed_on`` is ``ENDPOINT:INTERFACE``, as in a pcapng file, and ``direction`` is 1 for a packet that came to the
    endpoint, 2 for one that left it: so Scapy's ``wrpcapng`` writes them too. A packet that Scapy cannot decode is a
    ``Raw``: its decoders raise anything for damaged packets.
    """
    try:
        found = _first(packet)(packet.data)
    except Exception:
        found = Raw(packet.data)
    found.time = packet.time / 1e9
    found.wirelen = packet.length
    found.sniffed_on = f"{packet.ref}:{packet.interface}"
    found.direction = 2 if packet.outgoing else 1
    return found


def summary(packet: CapturedPacket) -> str:
    """Return Scapy's summary of a packet, with the numbers of ports, in one line."""
    usual, conf.noenum = conf.noenum, _NUMBERS
    try:
        text = str(scapy_packet(packet).summary())
    except Exception:
        return f"{packet.length} bytes that Scapy cannot show"
    finally:
        conf.noenum = usual
    return " ".join(text.split())


def _first(packet: CapturedPacket) -> Any:
    """Return the class of the first header of a packet."""
    if packet.link == ETHERNET:
        return l2.Ether
    return inet6.IPv6 if packet.data[:1] and packet.data[0] >> 4 == 6 else inet.IP
