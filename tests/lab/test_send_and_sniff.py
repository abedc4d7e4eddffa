"""``Lab.send`` and ``Lab.sniff``: packets that were made with Scapy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap, wrpcapng

import netlab
from netlab.errors import KernelError, UsageError
from netlab.kernel import pcap_filter
from netlab.kernel.packet_sockets import PacketReceiver
from netlab.lab import sniffing
from netlab.lab.lab import Lab
from netlab.probe import sending

MARK = b"netlab: this packet stays in its lab"
EVERYONE = "ff:ff:ff:ff:ff:ff"


@pytest.fixture(scope="module")
def shop() -> Iterator[Lab]:
    """A lab of the example shop that its tests do not change."""
    objects, _ = netlab.load([str(Path(__file__).parents[2] / "examples/shop")])
    with netlab.temporary(objects) as lab:
        yield lab


def address(lab: Lab, ref: str) -> str:
    return str(lab.find(ref).addresses[0])


def test_a_packet_arrives_where_policies_allow_it(shop: Lab) -> None:
    """The source and the Ethernet header are the pod's; a denied packet counts as sent."""
    to = IP(dst=address(shop, "shop/db")) / TCP(sport=1234, dport=5432, flags="S")
    with shop.sniff("shop/db", seconds=0.1) as sniffer:
        sent = [shop.send(source, to) for source in ("shop/web", "shop/api")]
    came = [one for one in sniffer.packets if TCP in one and one[TCP].dport == 5432]

    assert [1, 1] == sent
    assert [address(shop, "shop/api")] == [one[IP].src for one in came]
    assert ("shop/db-0:eth0", 1) == (came[0].sniffed_on, came[0].direction)
    assert came[0].time > 1.7e9
    assert 0 == sniffer.drops


def test_several_packets_are_sent_several_times(shop: Lab) -> None:
    """``count`` ends the sniffer; iterating yields packets as they come. What the caller made stays as it was."""
    pair = [IP(dst=address(shop, "shop/web")) / UDP(sport=9, dport=9) / Raw(MARK + bytes([n])) for n in range(2)]
    with shop.sniff(["other/stranger"], count=4, seconds=5, interface="eth0") as sniffer:
        sent = shop.send(shop.find("other/stranger"), pair, count=2)
        found = [one for one in sniffer if MARK in bytes(one)]

    assert 4 == sent
    assert {MARK + b"\0", MARK + b"\1"} >= {bytes(one[Raw]) for one in found}
    assert "src" not in pair[0].fields
    assert len(sniffer.packets) <= 4


def test_a_whole_frame_is_sent_as_it_is(shop: Lab) -> None:
    """By broadcast it reaches the node's other pods; the MAC and address of ARP are the endpoint's own."""
    db = address(shop, "shop/db")
    with shop.sniff(["shop/db", "node:node-1"], seconds=0.1) as sniffer:
        shop.send("shop/api", Ether(dst=EVERYONE) / ARP(pdst=db))
    asked = [one for one in sniffer.packets if ARP in one and one[ARP].op == 1 and one[ARP].pdst == db]
    answers = [one for one in sniffer.packets if ARP in one and one[ARP].op == 2]

    assert {address(shop, "shop/api")} == {one[ARP].psrc for one in asked}
    assert "shop/db-0:eth0" in {one.sniffed_on for one in asked}
    assert {db} == {one[ARP].psrc for one in answers}


def test_packets_without_room_are_counted(shop: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel drops what its buffer cannot hold."""
    monkeypatch.setattr(sniffing, "_BUFFER", 1 << 13)
    with shop.sniff("shop/web", interface="eth0", count=10_000, seconds=0.1) as sniffer:
        shop.send("shop/web", Ether(dst=EVERYONE) / Raw(bytes(1000)), count=100)

    assert sniffer.drops > 0
    assert 100 <= sniffer.drops + len(sniffer.packets)


def test_scapy_writes_what_came(shop: Lab, tmp_path: Path) -> None:
    """With the names of the interfaces."""
    with shop.sniff("shop/web", seconds=0.1) as sniffer:
        shop.send("shop/web", IP(dst=address(shop, "shop/api")) / UDP() / Raw(MARK))
    with warnings.catch_warnings():
        # Scapy leaves its files to the garbage collector.
        warnings.simplefilter("ignore")
        wrpcapng(str(tmp_path / "x.pcapng"), sniffer.packets)
        again = rdpcap(str(tmp_path / "x.pcapng"))

    assert ["shop/web-0:eth0"] == [one.sniffed_on for one in again if MARK in bytes(one)]


def test_nothing_comes_to_the_host(shop: Lab) -> None:
    """Not to a pod of the host's address, not by broadcast, and not what Scapy asks while it builds a packet."""
    everything = PacketReceiver("", pcap_filter.everything(4096), 4096, 1 << 20)
    mac = "02:00:00:00:00:99"
    packets = [
        *(IP(dst=to) / UDP(dport=9) / Raw(MARK) for to in ("8.8.8.8", "127.0.0.1", "192.0.2.1", "255.255.255.255")),
        IPv6(src="fd00::1", dst="ff02::1") / UDP(dport=9) / Raw(MARK),
        *(Ether(src=mac, dst=dst) / IP(dst="8.8.8.8") / UDP() / Raw(MARK) for dst in (EVERYONE, mac)),
    ]
    try:
        for source in ("shop/web", "node:node-1"):
            for packet in packets:
                try:
                    shop.send(source, packet, count=3)
                except KernelError:
                    # It has no route.
                    assert IP in packet or IPv6 in packet
        # Scapy would ask for the MAC by ARP on the host's interface.
        with pytest.raises(UsageError, match="Ethernet: dst is missing"):
            shop.send("shop/web", IP(dst="10.0.0.1") / UDP() / VXLAN() / Ether() / IP(dst="198.51.100.77"))
        seen = [one.data for one in everything.read(100_000)]
    finally:
        everything.close()

    assert [] == [data for data in seen if MARK in data or bytes([198, 51, 100, 77]) in data]


def with_name() -> Packet:
    """A packet with a name in place of its address. Scapy itself looks a name up where a program writes it."""
    packet = IP()
    packet.fields["dst"] = "db"
    return packet


@pytest.mark.parametrize(
    ("packet", "more", "message"),
    [
        (IP() / TCP(), {}, "IP: dst is missing"),
        (with_name(), {}, "dst 'db' is no IPv4 address; netlab looks up no name"),
        (Ether() / IP(dst="10.0.0.1"), {}, "Ethernet: dst is missing"),
        (TCP(), {}, "begins with Ether, IP or IPv6, not with TCP"),
        (b"bytes", {}, "int is no packet of Scapy"),
        (IP(dst="10.0.0.0/16"), {}, "more than 1,000 packets"),
        (IP(dst="10.0.0.1"), {"count": 0}, "count is 0"),
        (IP(dst="10.0.0.1"), {"interval": -1}, "interval is -1 seconds"),
        (IP(dst="10.0.0.0/24"), {"count": 1000}, "256 packets 1,000 times are more than 100,000"),
        (IP(dst="10.0.0.1"), {"interface": "eth0"}, "leaves by the interface of its route"),
        (Ether(dst=EVERYONE), {"interface": "eth9"}, "has no interface 'eth9'; it has lo, eth0"),
        (Ether(dst=EVERYONE), {"interface": "a b"}, "is not the name of an interface"),
        (IP(dst="10.0.0.1") / Raw(b"x" * 70_000), {}, "(cannot build the packet|the most are 65,535)"),
        (IPv6(dst="fd00::1"), {}, "src is missing, and the endpoint has none"),
    ],
)
def test_a_wrong_packet(shop: Lab, packet: Packet, more: dict[str, Any], message: str) -> None:
    """A UsageError in one line; nothing is sent."""
    with pytest.raises(UsageError, match=message):
        shop.send("shop/web", packet, **more)


def test_a_packet_that_the_kernel_refuses(shop: Lab) -> None:
    """It is larger than the link carries."""
    with pytest.raises(KernelError, match=r"shop/web-0: sending a packet to 10\.0\.0\.1: Message too long"):
        shop.send("shop/web", IP(dst="10.0.0.1") / Raw(b"x" * 3000))


def test_wrong_arguments_of_a_sniffer(shop: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a UsageError, and so is a sniffer outside of its block."""
    wrong: list[Callable[[], object]] = [
        lambda: shop.sniff("shop/nothing"),
        lambda: shop.sniff("shop/db", count=0),
        lambda: shop.sniff("shop/db", seconds=-1),
        lambda: shop.sniff("shop/db", "host db").__enter__(),
        lambda: shop.sniff("shop/db", interface="eth9").__enter__(),
        lambda: next(iter(shop.sniff("shop/db"))),
    ]

    for one in wrong:
        with pytest.raises(UsageError):
            one()
    monkeypatch.setattr(sending, "MOST_PACKETS", 1)
    with pytest.raises(UsageError, match="more than 1 packets"):
        shop.send("shop/web", [IP(dst="10.0.0.1")] * 2)
