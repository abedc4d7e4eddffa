"""What a network namespace holds, as values: links, addresses, routes, neighbours, forwarding entries and sysctls.

The same values say what should be there (``netlab.dataplane``) and what is there (``netlab.kernel.linux``). Names are
those of iproute2. ``str()`` of a value is what ``ip`` or ``bridge`` takes as its arguments, without ``add``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import TYPE_CHECKING, Literal

from netlab.frozen import frozen, frozen_with_cache
from netlab.objects.types import Address, Prefix

if TYPE_CHECKING:
    from netlab.objects.links import Netem

LinkKind = Literal["loopback", "veth", "bridge", "vxlan", "macvlan", "ipip", "wireguard"]


@frozen
class Link:
    """A link.

    Args:
      mac: "" is a MAC that the kernel chooses.
      master: the bridge whose port the link is; "" is none.
      peer: the other end of a veth as (namespace, name). Wanted links have it; links that were read do not.
      owner: whether the veth is created from this end.
      parent: the link below a vxlan or macvlan as (namespace, name). A macvlan's parent may be in another namespace.
      options: the options of its kind by iproute2's names (bridge: ``stp_state``; vxlan: ``id``, ``dstport``).
      hairpin: whether the bridge sends frames back out of the port by which they came.
      outer: whether the packets of a vxlan or WireGuard device leave by the network namespace of this process, not by
        that of the link.
      overrides: the link's own settings that differ from those of its namespace, by their paths in both
        (``ipv4/conf/{}/forwarding``). A wanted link has none.
    """

    name: str
    kind: LinkKind
    mac: str = ""
    mtu: int = 1500
    master: str = ""
    peer: tuple[str, str] | None = field(default=None, compare=False)
    owner: bool = field(default=False, compare=False)
    parent: tuple[str, str] | None = field(default=None, compare=False)
    options: Mapping[str, int | str] = field(default_factory=dict, compare=False)
    up: bool = True
    hairpin: bool = False
    overrides: tuple[str, ...] = ()
    outer: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        parts = [f"link {self.name} type {self.kind}"]
        parts += [f"address {self.mac}"] if self.mac else []
        parts += [f"mtu {self.mtu}"]
        parts += [f"master {self.master}"] if self.master else []
        parts += ["hairpin on"] if self.hairpin else []
        parts += [f"peer {self.peer[1]} netns {self.peer[0]}"] if self.peer else []
        parts += [f"link {self.parent[1]} netns {self.parent[0]}"] if self.parent else []
        if self.kind in ("vxlan", "ipip"):
            parts += [f"{name} {value}" for name, value in self.options.items()]
        return " ".join(parts)


def is_fallback(link: Link) -> bool:
    """Return whether a link is the kernel's own ipip device, which takes the packets of every address."""
    return link.kind == "ipip" and link.options.get("local", "0.0.0.0") == "0.0.0.0"  # noqa: S104  no socket


def fallback_name(name: str) -> str:
    """Return the name for the kernel's own ipip device where a link of the lab has its usual one."""
    return f"{name[:12]}-fb"


@frozen
class InterfaceAddress:
    """An address with its prefix length on a link."""

    dev: str
    interface: IPv4Interface | IPv6Interface

    def __str__(self) -> str:
        return f"addr {self.interface} dev {self.dev}"


def has_prefix(address: InterfaceAddress) -> bool:
    """Return whether the kernel makes a route to the address's prefix."""
    return address.interface.network.prefixlen < address.interface.max_prefixlen


@frozen
class Route:
    """A route of the main table. Without ``via`` it leads to the link itself; ``onlink`` and ``mtu`` are iproute2's.

    ``mtu`` is in bytes; 0: that of the link.
    """

    prefix: Prefix
    dev: str
    via: Address | None = None
    onlink: bool = False
    source: Address | None = None
    mtu: int = 0

    def __str__(self) -> str:
        via = f" via {self.via}" if self.via is not None else ""
        source = f" src {self.source}" if self.source is not None else ""
        mtu = f" mtu {self.mtu}" if self.mtu else ""
        return f"route {self.prefix}{via} dev {self.dev}{source}{' onlink' if self.onlink else ''}{mtu}"


@frozen
class Neighbour:
    """A permanent neighbour (ARP or ND) entry."""

    dev: str
    address: IPv4Address | IPv6Address
    mac: str

    def __str__(self) -> str:
        return f"neigh {self.address} lladdr {self.mac} dev {self.dev} nud permanent"


# FAMILY/conf/LINK/NAME
_PARTS = 4

EVERY_MAC = "00:00:00:00:00:00"


@frozen
class ForwardingEntry:
    """A static entry of a VXLAN device's forwarding database: the node ``dst`` has the MAC.

    Entries for ``EVERY_MAC`` are for frames to MACs without an entry: each node among them gets a copy.
    """

    dev: str
    mac: str
    dst: Address

    def __str__(self) -> str:
        return f"fdb {self.mac} dev {self.dev} dst {self.dst} self permanent"


@frozen
class Sysctl:
    """A setting below ``net.``, by its path (``ipv4/ip_forward``)."""

    name: str
    value: str

    @property
    def link(self) -> str:
        """The link whose own setting it is, "" for a setting of the namespace."""
        parts = self.name.split("/")
        of_link = len(parts) == _PARTS and parts[1] in ("conf", "neigh") and parts[2] not in ("all", "default")
        return parts[2] if of_link else ""

    def __str__(self) -> str:
        return f"sysctl net.{self.name.replace('/', '.')}={self.value}"


@frozen
class Queue:
    """The queueing discipline of a link: what netem does with the packets that leave by it.

    It is one of kind prio, with a band for all packets, and one for those that came by each of some links.

    Args:
      dev: the link.
      netem: what is done with packets that came by none of ``sources``; None is nothing.
      sources: links of the same namespace, sorted by name, and what is done with packets that came by each.
    """

    dev: str
    netem: Netem | None = None
    sources: tuple[tuple[str, Netem], ...] = ()

    def __str__(self) -> str:
        parts = [f"qdisc dev {self.dev} root prio"]
        parts += [f"all netem {self.netem}"] if self.netem is not None else []
        parts += [f"indev {link} netem {netem}" for link, netem in self.sources]
        return " ".join(parts)


MOST_SOURCES = 15
"""The most ``sources`` of a ``Queue``: a prio has 16 bands (TCQ_PRIO_BANDS)."""

Item = Link | InterfaceAddress | Route | Neighbour | ForwardingEntry | Sysctl | Queue


@frozen_with_cache
class Namespace:
    """The items of one network namespace; its nftables ruleset is not among them."""

    name: str
    items: frozenset[Item] = frozenset()

    def of(self, kind: type[Item]) -> list[Item]:
        """Return the items of one kind, in a stable order."""
        return sorted((i for i in self.items if isinstance(i, kind)), key=str)


@frozen
class Change:
    """One change: an item to add to or delete from a namespace."""

    verb: Literal["add", "delete"]
    namespace: str
    item: Item

    def __str__(self) -> str:
        words = str(self.item).split(" ", 1)
        return f"-n {self.namespace} {words[0]} {self.verb} {words[1] if len(words) > 1 else ''}".rstrip()
