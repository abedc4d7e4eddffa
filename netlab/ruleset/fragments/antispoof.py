"""Anti-spoofing: a pod sends only from its own addresses, as policy looks packets up by address.

``BRIDGED`` is for pods on a bridge. A bridged pod also receives only packets to its own addresses: policy cannot look
up broadcast, multicast and link-local destinations, so between pods they carry ARP and neighbour discovery only. Some
kernels have no conntrack and no ``meta`` fields in the bridge family, so the rules use neither. They run before
br_netfilter (NF_BR_PRI_BRNF, 0), so that no forged packet reaches the policy table.

``ROUTED`` is for pods whose link ends at the node itself. It runs before DNAT and policy.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from ipaddress import IPv6Address

from netlab.cluster.types import Pod
from netlab.objects.types import Address
from netlab.ruleset.comments import listing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import Entry, Fragment, Layout, Port, ip
from netlab.ruleset.policy_chains import MULTICAST
from netlab.ruleset.tables import Chain, Hook, Parts, TableName

# The messages that a machine sends that is no router (RFC 4861, RFC 3810).
_HOST_MESSAGES = "nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report"

_BRIDGE = TableName(
    "bridge",
    "netlab",
    ("A pod on a bridge sends only from its own addresses. This table accepts packets of all other ports.",),
)
_INET = TableName(
    "inet",
    "netlab_routed",
    ("A routed pod sends only from its own addresses. This table accepts packets of all other ports.",),
)

_ABOUT_PORTS = "the node's ends of the links of its {}pods"
_ABOUT_OWN = "the IPv4 addresses that each pod may send from"
_ABOUT_OWN6 = "the IPv6 addresses that each pod may send from, with those of neighbour discovery"


def _own(name: str) -> tuple[Set, Set]:
    return (
        Set(f"{name}4", ("ifname", "ether_addr", "ipv4_addr"), about=_ABOUT_OWN),
        Set(f"{name}6", ("ifname", "ether_addr", "ipv6_addr"), about=_ABOUT_OWN6),
    )


_BRIDGED = Parts(
    (
        Set("pod_ports", ("ifname",), about=_ABOUT_PORTS.format("")),
        *_own("own"),
        Set("targets6", ("iifname", "@th,64,128"), about="the addresses that each pod may advertise"),
    ),
    (
        Chain(
            "prerouting",
            (
                "iifname != @pod_ports accept",
                "# br_netfilter skips tagged frames, and receivers take a frame of VLAN 0 as untagged",
                "ether type != { ip, ip6, arp } counter drop",
                "iifname . ether saddr . ip saddr @own4 accept",
                "iifname . ether saddr . arp saddr ip @own4 iifname . arp saddr ether . arp saddr ip @own4 accept",
                "icmpv6 type { nd-router-advert, nd-redirect } counter drop",
                "icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets6 counter drop",
                "iifname . ether saddr . ip6 saddr @own6 ip6 saddr != { ::, fe80::/10 } accept",
                f"iifname . ether saddr . ip6 saddr @own6 icmpv6 type {{ {_HOST_MESSAGES} }} accept",
                "counter drop",
            ),
            Hook("filter", "prerouting", -300),
            "a pod may send frames from its own MAC and IP addresses, and ARP with its own addresses inside",
        ),
        Chain(
            "forward",
            (
                "oifname != @pod_ports accept",
                "oifname . ether daddr . ip daddr @own4 accept",
                "oifname . ether daddr . ip6 daddr @own6 ip6 daddr != fe80::/10 accept",
                "ether type arp accept",
                "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
                "drop",
            ),
            Hook("filter", "forward", -300),
            "a pod receives frames to its own addresses, ARP and neighbour discovery",
        ),
    ),
)

_ROUTED = Parts(
    (Set("routed_ports", ("ifname",), about=_ABOUT_PORTS.format("routed ")), *_own("routed")),
    (
        Chain(
            "prerouting",
            (
                "iifname != @routed_ports accept",
                "iifname . ether saddr . ip saddr @routed4 accept",
                "iifname . ether saddr . ip6 saddr @routed6 accept",
                "counter drop",
            ),
            Hook("filter", "prerouting", "raw"),
            "ARP of a routed pod ends at the node's end of its link, so it needs no rule",
        ),
    ),
)


def _bridged_variant(layout: Layout, _: AbstractSet[str]) -> Hashable:
    return None if layout.port_of is None else ()


def _routed_variant(layout: Layout, filled: AbstractSet[str]) -> Hashable:
    attachments = [network.traits.attachment for network in layout.networks]
    return _bridged_variant(layout, filled) if any(a.guarded and not a.bridged for a in attachments) else None


def _bridged_of(layout: Layout, pod: Pod) -> Iterator[Entry]:
    attachment = pod.traits.attachment
    if layout.port_of is not None and attachment.guarded and attachment.bridged:
        port, element = layout.port_of(pod), Element(comment=listing([pod.ref]))
        yield from _senders(pod, port, "pod_ports", "own")
        for address in _may_send_from(pod, port):
            if address.version == 6 and not address.is_unspecified:
                yield Entry("targets6", (port.ifname, int(address)), element)


def _routed_of(layout: Layout, pod: Pod) -> Iterator[Entry]:
    attachment = pod.traits.attachment
    if layout.port_of is not None and attachment.guarded and not attachment.bridged:
        yield from _senders(pod, layout.port_of(pod), "routed_ports", "routed")


def _senders(pod: Pod, port: Port, ports: str, own: str) -> Iterator[Entry]:
    element = Element(comment=listing([pod.ref]))
    yield Entry(ports, (port.ifname,), element)
    for address in _may_send_from(pod, port):
        yield Entry(f"{own}{address.version}", (port.ifname, port.mac, address), element)


def _may_send_from(pod: Pod, port: Port) -> Iterator[Address]:
    yield from pod.addresses
    if any(address.version == 6 for address in pod.addresses):
        yield from (_link_local(port.mac), IPv6Address("::"))


def _link_local(mac: str) -> IPv6Address:
    """Return the link-local address that the kernel makes of a MAC address (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return IPv6Address(b"\xfe\x80" + bytes(6) + identifier)


def _bridged_parts(layout: Layout, _: Hashable) -> Parts:
    """Declare the tables of bridged pods; with ``multicast: allow`` they receive multicast of each other too."""
    if layout.policy.multicast == "judge":
        return _BRIDGED
    anywhere = tuple(f"{ip(f)} daddr {MULTICAST[f]} accept" for f in layout.families)
    prerouting, forward = _BRIDGED.chains
    first, *rest = forward.rules
    return Parts(_BRIDGED.sets, (prerouting, replace(forward, rules=(first, *anywhere, *rest))))


BRIDGED = Fragment("anti-spoofing, bridged", _BRIDGE, _bridged_parts, _bridged_variant, of_pod=_bridged_of)
ROUTED = Fragment("anti-spoofing, routed", _INET, lambda _, __: _ROUTED, _routed_variant, of_pod=_routed_of)
