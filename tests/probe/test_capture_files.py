"""Capture files byte by byte, without a kernel; tests/capture reads them with tcpdump and tshark."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from netlab.probe.capture_files import ETHERNET, RAW, CapturedPacket, Pcap, PcapNg

SECOND = 1_700_000_000
FRAME = bytes.fromhex("ffffffffffff0200000000010806") + bytes(7)


def packet(**more: Any) -> CapturedPacket:
    default: dict[str, Any] = {"ref": "shop/web", "interface": "eth0", "link": ETHERNET, "time": SECOND * 10**9 + 5}
    return CapturedPacket(**(default | {"data": FRAME, "length": 60, "outgoing": True} | more))


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of each block of a pcapng file."""
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.pack("<I", length) == data[length - 4 : length]
        yield kind, data[8 : length - 4]
        data = data[length:]


def options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        code, length = struct.unpack_from("<HH", data)
        found[code] = data[4 : 4 + length]
        data = data[4 + length + (-length % 4) :]
    assert list(found)[-1] == 0
    return found


def test_a_pcap() -> None:
    """Nanoseconds, version 2.4, the length that packets are cut to, and the kind of link."""
    form = Pcap(100)

    assert bytes.fromhex("4d3cb2a1 02000400 00000000 00000000 64000000 01000000") == form.head()
    assert struct.pack("<IIII", SECOND, 5, 21, 60) + FRAME == form.packet(packet())
    assert b"" == form.packet(packet(link=RAW)) + form.tail([("shop/web", 3)])


def test_the_head_of_a_pcapng() -> None:
    """A section of unknown length, and the interfaces that are known."""
    section, interface = blocks(PcapNg(100, [("shop/web", "eth0")], "tcp", "lab x").head())

    assert (0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) == (section[0], section[1][:16])
    assert {4: b"netlab", 1: b"lab x", 0: b""} == options(section[1][16:])
    assert (1, struct.pack("<HHI", 1, 0, 100)) == (interface[0], interface[1][:8])
    described = {2: b"shop/web:eth0", 3: b"eth0 of shop/web in lab x", 9: b"\x09", 11: b"\0tcp", 0: b""}
    assert described == options(interface[1][8:])


def test_the_packets_of_a_pcapng() -> None:
    """With the interface, the time in nanoseconds, both lengths, and the direction."""
    form = PcapNg(100, [("shop/web", "eth0")])
    form.head()
    ((kind, body),) = blocks(form.packet(packet()))
    time = SECOND * 10**9 + 5

    assert (6, struct.pack("<IIIII", 0, time >> 32, time % 2**32, 21, 60)) == (kind, body[:20])
    assert FRAME + bytes(3) == body[20:44]
    assert {2: struct.pack("<I", 2), 0: b""} == options(body[44:])
    assert {2: struct.pack("<I", 1), 0: b""} == options(form.packet(packet(outgoing=False))[52:-4])


def test_an_interface_that_comes_later_is_described_once() -> None:
    """So a pod that is added to a node has a name; a tunnel's packets begin with an IP header."""
    form = PcapNg(100, [("node:n", "eth0")], pods={("node:n", "veth1"): "shop/web"})
    form.head()
    first, second = (list(blocks(form.packet(packet(ref="node:n", interface="veth1", link=RAW)))) for _ in range(2))

    assert [1, 6] == [kind for kind, _ in first]
    assert b"veth1 of node:n, the link of shop/web" == options(first[0][1][8:])[3]
    assert struct.pack("<HHI", 101, 0, 100) == first[0][1][:8]
    assert [(6, struct.pack("<I", 1))] == [(kind, body[:4]) for kind, body in second]


def test_drops_are_in_the_file() -> None:
    """One block for each endpoint that lost packets."""
    form = PcapNg(100, [("a/b", "lo"), ("a/b", "eth0"), ("c/d", "lo")])
    form.head()
    ((kind, body),) = blocks(form.tail([("a/b", 0), ("c/d", 9), ("gone/x", 1)]))

    assert (5, struct.pack("<III", 2, 0, 0)) == (kind, body[:12])
    assert {1: b"dropped on all interfaces of c/d", 7: struct.pack("<Q", 9), 0: b""} == options(body[12:])


def test_a_name_of_any_length_fits() -> None:
    """Text is cut; the lengths of options have two bytes."""
    form = PcapNg(100, [("x" * 70_000, "ü")], "y" * 70_000)

    assert [0x0A0D0D0A, 1] == [kind for kind, _ in blocks(form.head())]
