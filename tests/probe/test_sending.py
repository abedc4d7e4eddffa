"""Packets as they are sent: the fields that they lack are those of the sender's namespace, wherever they are built."""

from __future__ import annotations

import pytest
import scapy.all as scapy

from netlab.errors import UsageError
from netlab.probe.sending import Facts, Frame, checked, destinations, frames

LINKS = {"lo": "00:00:00:00:00:00", "eth0": "02:00:00:00:00:07"}
OWN = Facts(LINKS, {4: "10.0.0.7", 6: "fd00::7"}, {"10.9.0.1": "10.9.0.7"})
ROUTED = "an IP packet leaves by the interface of its route; give it an Ether to choose one"


def built(packet, interface=""):
    (found,) = frames(checked(packet, 1, 0, interface), "shop/web", interface, OWN)
    return found


def test_a_packet_gets_the_source_that_the_kernel_chooses():
    """A route has its source; without one it is the first address of the family."""
    for to, source in (("10.9.0.1", "10.9.0.7"), ("10.0.0.9", "10.0.0.7"), ("fd00::9", "fd00::7")):
        kind = scapy.IPv6 if ":" in to else scapy.IP
        frame = built(kind(dst=to) / scapy.UDP())

        assert ("", to, f"a packet to {to}") == (frame.interface, frame.to, frame.what)
        assert source == kind(frame.data).src


def test_a_frame_leaves_by_the_first_interface_with_its_mac():
    """Inner packets of a frame are filled too."""
    frame = built(scapy.Ether(dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(pdst="10.9.0.1"))

    assert Frame("eth0", "", frame.data) == frame
    found = scapy.Ether(frame.data)
    assert ("02:00:00:00:00:07", "02:00:00:00:00:07", "10.9.0.7") == (found.src, found.hwsrc, found.psrc)


def test_destinations_are_those_whose_source_is_asked_for():
    """Addresses inside of tunnels and of ARP count, each once; texts that are none do not."""
    inner = scapy.IP(dst="10.9.0.2") / scapy.UDP() / scapy.VXLAN() / scapy.Ether() / scapy.IP(dst="10.9.0.3")
    arp = scapy.Ether() / scapy.ARP(pdst="10.9.0.4")
    wrong = scapy.IP()
    wrong.fields["dst"] = "shop.example"

    assert ["10.9.0.2", "10.9.0.3", "10.9.0.4"] == destinations([inner, arp, inner, wrong])


@pytest.mark.parametrize(
    ("packet", "interface", "message"),
    [
        (scapy.IP() / scapy.UDP(), "", "IP: dst is missing: the address that the packet is to"),
        (scapy.Ether() / scapy.IP(dst="10.0.0.9"), "", "Ethernet: dst is missing: the MAC that the packet is to"),
        (
            scapy.IP(dst="10.0.0.9"),
            "eth0",
            "an IP packet leaves by the interface of its route; give it an Ether to choose one",
        ),
        (scapy.Ether(dst="02::"), "eth9", "shop/web has no interface 'eth9'; it has lo, eth0"),
        (scapy.UDP(), "", "a packet begins with Ether, IP or IPv6, not with UDP"),
        (scapy.IP(dst="10.0.0.9"), "a/b", "'a/b' is not the name of an interface"),
    ],
)
def test_what_cannot_be_sent_is_said(packet, interface, message):
    """The error is the same wherever the packet is built."""
    with pytest.raises(UsageError) as error:
        built(packet, interface)

    assert message == str(error.value)
