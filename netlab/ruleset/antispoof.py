"""The anti-spoof tables: a pod sends only from its own addresses, as policy is keyed on addresses.

One table is for pods on a bridge. They get from other pods only what is sent to their own addresses, too: broadcasts,
multicast and link-local addresses name no pod, so the policy table has nothing to look up in them; between pods they
carry ARP and neighbour discovery alone. The bridge family has neither conntrack nor ``meta`` of the bridge on every
kernel, and this needs neither. It stands before br_netfilter's hook (NF_BR_PRI_BRNF, 0), so that nothing forged reaches
the policy table. The other is for pods whose link ends at the node itself, before anything reads what they send.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from netlab.cluster.types import Cluster, Pod
from netlab.objects.types import Address
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set, Table

# What a machine that is no router says about itself and its neighbours (RFC 4861, RFC 3810).
_SAID = "nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report"

_CHAINS = f"""\
	# after the two addresses of a frame and those inside of its ARP nothing is left that a pod has to send
	chain prerouting {{
		type filter hook prerouting priority -300; policy accept;
		iifname != @pod_ports accept
		# br_netfilter passes tagged frames by, and a receiver takes one of VLAN 0 as if it had no tag
		ether type != {{ ip, ip6, arp }} counter drop
		iifname . ether saddr . ip saddr @own4 accept
		iifname . ether saddr . arp saddr ip @own4 iifname . arp saddr ether . arp saddr ip @own4 accept
		icmpv6 type {{ nd-router-advert, nd-redirect }} counter drop
		icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets6 counter drop
		iifname . ether saddr . ip6 saddr @own6 ip6 saddr != {{ ::, fe80::/10 }} accept
		iifname . ether saddr . ip6 saddr @own6 icmpv6 type {{ {_SAID} }} accept
		counter drop
	}}

	# from one port to another: what names neither an address of the receiver nor a neighbour is none of its business
	chain forward {{
		type filter hook forward priority -300; policy accept;
		oifname != @pod_ports accept
		oifname . ether daddr . ip daddr @own4 accept
		oifname . ether daddr . ip6 daddr @own6 ip6 daddr != fe80::/10 accept
		ether type arp accept
		icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
		drop
	}}
"""

TABLE = Table(
    "bridge",
    (
        Set("pod_ports", "ifname", about="the node's ends of its pods' links"),
        Set("own4", "ifname . ether_addr . ipv4_addr", about="what each of them may send from"),
        Set("own6", "ifname . ether_addr . ipv6_addr", about="and in IPv6, with what neighbour discovery sends from"),
        Set("targets6", "iifname . @th,64,128", about="what a neighbour advertisement of each may be about"),
    ),
    _CHAINS,
    ("A pod on a bridge sends only from its own addresses; other ports are none of this table's business.",),
)

_ROUTED_CHAINS = """\
	# its ARP goes no further than its own link, whose node end asks nobody
	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		iifname != @routed_ports accept
		iifname . ether saddr . ip saddr @routed4 accept
		iifname . ether saddr . ip6 saddr @routed6 accept
		counter drop
	}
"""

ROUTED_TABLE = Table(
    "inet",
    (
        Set("routed_ports", "ifname", about="the node's ends of its routed pods' links"),
        Set("routed4", "ifname . ether_addr . ipv4_addr", about="what each of them may send from"),
        Set(
            "routed6", "ifname . ether_addr . ipv6_addr", about="and in IPv6, with what neighbour discovery sends from"
        ),
    ),
    _ROUTED_CHAINS,
    ("A routed pod sends only from its own addresses; other ports are none of this table's business.",),
    "netlab_routed",
)


def tables(cluster: Cluster) -> tuple[Table, ...]:
    """Return the anti-spoof tables that the nodes of a cluster need."""
    attachments = [network.traits.attachment for network in cluster.networks]
    if any(attachment.guarded and not attachment.bridged for attachment in attachments):
        return TABLE, ROUTED_TABLE
    return (TABLE,)


@dataclass(frozen=True, slots=True)
class Port:
    """The node's end of a pod's link: its interface name there, and the pod's MAC address."""

    ifname: str
    mac: str


def guards(pod: Pod) -> bool:
    """Say whether one of these tables is about a pod."""
    return pod.traits.attachment.guarded


def elements(pod: Pod, port: Port) -> Iterator[tuple[str, str, Element]]:
    """Yield the elements of a pod that they guard, with set and key; ``port`` is its link's end at the node."""
    bridged = pod.traits.attachment.bridged
    ports, own = ("pod_ports", "own") if bridged else ("routed_ports", "routed")
    element = Element(comment=listing([pod.ref]))
    yield ports, f'"{port.ifname}"', element
    for address in _may_send_from(pod, port):
        yield f"{own}{address.version}", f'"{port.ifname}" . {port.mac} . {address}', element
        if bridged and address.version == 6 and not address.is_unspecified:
            # nft 1.0.6 has no name for the field, so the address is its number.
            yield "targets6", f'"{port.ifname}" . {int(address):#034x}', element


def _may_send_from(pod: Pod, port: Port) -> Iterator[Address]:
    yield from pod.addresses
    if any(address.version == 6 for address in pod.addresses):
        yield from (_link_local(port.mac), IPv6Address("::"))


def _link_local(mac: str) -> IPv6Address:
    """Return the link-local address that the kernel makes of a MAC address (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return IPv6Address(b"\xfe\x80" + bytes(6) + identifier)
