"""Patched templates are the packets that Scapy would build, checksums included."""

from __future__ import annotations

import struct
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from netlab.probe import packets
from netlab.probe.templates import CONTROL, MAGIC, NUMBERS, REPLY_MAGIC, Template, WireAddress

SOURCE, DESTINATION = (WireAddress.of(ip_address(a)) for a in ("10.244.0.7", "192.0.2.200"))
ENDS = {4: (SOURCE, DESTINATION), 6: tuple(WireAddress.of(ip_address(a)) for a in ("fd00:10:244::7", "2001:db8::c8"))}


@pytest.fixture(autouse=True, scope="module")
def _layers() -> None:
    """Scapy reads the layers that are imported, whatever test runs first."""
    import scapy.layers.inet6
    import scapy.layers.sctp  # noqa: F401


KINDS = ["TCP", "UDP", "UDP reply", "ICMP", "SCTP", "SCTP reply", CONTROL]


def built_anew(packet: bytes) -> bytes:
    """The packet as Scapy builds it from its fields, with every checksum computed afresh."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
    from scapy.layers.sctp import SCTP

    parsed = (IP if packet[0] >> 4 == 4 else IPv6)(packet)
    for layer in (TCP, UDP, ICMP, SCTP):
        if layer in parsed:
            del parsed[layer].chksum
    if ICMPv6EchoRequest in parsed:
        del parsed[ICMPv6EchoRequest].cksum
    built = bytearray(bytes(parsed))
    if IP in parsed:
        built[10:12] = packet[10:12]  # the kernel fills in the header's own
    return bytes(built)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ident", [0, 1, 0xFFFF, 0x10000, 0xDEADBEEF, 0xFFFFFFFF])
def test_a_patched_checksum_is_what_scapy_computes(kind, ident, family):
    """For ids at the edges of one's complement arithmetic too."""
    packet = bytes(Template(kind, family).pack(*ENDS[family], 50_000, 80, ident))  # type: ignore[arg-type,call-arg]

    assert built_anew(packet) == packet


def test_a_udp_checksum_of_zero_is_sent_as_ones():
    """Zero would mean that there is none (RFC 768)."""
    template = Template("UDP", 4)
    (checksum,) = struct.unpack_from(">H", template.pack(SOURCE, DESTINATION, 50_000, 53, 0), 26)
    packet = template.pack(SOURCE, DESTINATION, 50_000, 53, checksum)

    assert b"\xff\xff" == packet[26:28]


def test_a_template_is_patched_whole_each_time():
    """Nothing of the packet before is left."""
    template = Template("TCP", 4)
    first = bytes(template.pack(SOURCE, DESTINATION, 50_000, 80, 7))
    template.pack(DESTINATION, SOURCE, 1, 2, 0xFFFFFFFF)

    assert first == bytes(template.pack(SOURCE, DESTINATION, 50_000, 80, 7))


PAYLOAD = struct.pack(">II", MAGIC, 77)
FIELDS = [
    ("TCP", "TCP", {"sport": 50_000, "dport": 80, "seq": 77, "flags": 0x02}),
    ("UDP", "UDP", {"sport": 50_000, "dport": 80, "load": PAYLOAD}),
    ("UDP reply", "UDP", {"sport": 50_000, "dport": 80, "load": struct.pack(">II", REPLY_MAGIC, 77)}),
    ("ICMP", "ICMP", {"type": 8, "id": 50_000, "load": PAYLOAD}),
    ("SCTP", "SCTP", {"sport": 50_000, "dport": 80, "tag": 0, "init_tag": 77}),
    ("SCTP reply", "SCTP", {"sport": 50_000, "dport": 80, "tag": 77}),
    (CONTROL, "IP", {"proto": 253, "load": PAYLOAD}),
]


@pytest.mark.parametrize(("kind", "layer", "fields"), FIELDS, ids=KINDS)
def test_a_packet_says_what_its_probe_is(kind, layer, fields):
    """An independent reader finds addresses, ports and the id where the protocol has them."""
    from scapy.layers.inet import IP

    parsed = IP(bytes(Template(kind, 4).pack(SOURCE, DESTINATION, 50_000, 80, 77)))

    assert (SOURCE.text, DESTINATION.text) == (parsed.src, parsed.dst)
    assert fields == {name: getattr(parsed[layer], name) for name in fields}


@pytest.mark.parametrize(("kind", "layer", "fields"), FIELDS, ids=KINDS)
def test_a_packet_of_ipv6_says_the_same(kind, layer, fields):
    """The header has the protocol's IPv6 number: ICMPv6 differs from ICMP."""
    from scapy.layers.inet6 import IPv6

    if kind == "ICMP":
        layer, fields = "ICMPv6EchoRequest", {"type": 128, "id": 50_000, "data": PAYLOAD}
    if kind == CONTROL:
        layer, fields = "IPv6", {"nh": 253, "load": PAYLOAD}
    source, destination = ENDS[6]
    parsed = IPv6(bytes(Template(kind, 6).pack(source, destination, 50_000, 80, 77)))

    assert (source.text, destination.text) == (parsed.src, parsed.dst)
    assert fields == {name: getattr(parsed[layer], name) for name in fields}


def test_the_stored_packets_are_what_scapy_builds():
    """To the byte, and the module that holds them is the one that the generator writes."""
    from netlab.probe import scapy_packets

    built = {
        (kind, family): scapy_packets.built(kind, family)
        for kind in scapy_packets.KINDS
        for family in scapy_packets.FAMILIES
    }

    assert built == {key: bytes.fromhex("".join(digits)) for key, digits in packets.PACKETS.items()}
    assert "\n".join([*scapy_packets.module(), ""]) == Path(packets.__file__).read_text()


def test_probing_does_not_import_scapy():
    """It takes a quarter of a second, and what it builds is stored."""
    program = "import sys, netlab.probe.engine as engine; print('scapy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()


def test_a_kind_without_a_template_is_an_error():
    """No packet is sent with addresses in the wrong place."""
    with pytest.raises(KeyError):
        Template("GRE", 4)


def test_protocol_numbers_are_those_of_iana():
    """253 is for experiments (RFC 3692)."""
    assert {"ICMP": 1, "TCP": 6, "UDP": 17, "SCTP": 132, CONTROL: 253} == NUMBERS
