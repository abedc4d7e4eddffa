"""The interfaces of a lab as values, read from the wanted state: names, kinds, MTU, addresses and impairments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from netlab.frozen import frozen
from netlab.kernel.state import InterfaceAddress, Link, Namespace, Queue, Route

End = tuple[str, str]
"""An interface by its namespace and its name."""

_LOOPBACK = "loopback"


@frozen
class Interface:
    """One interface of a namespace.

    Attributes:
      addresses: its addresses with their prefix lengths, IPv4 first.
      route_mtu: the smallest MTU of its routes in bytes, 0 if they have that of the link.
      netem: what its queue does with all packets that leave by it; "" for nothing.
      by_source: the same for packets that came by another interface of the namespace, by that interface's name.
    """

    end: End
    link: Link
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    route_mtu: int = 0
    netem: str = ""
    by_source: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        return self.link.name

    @property
    def size(self) -> str:
        """The MTU as text: ``MTU 1450``, and that of the routes if it is another."""
        smaller = f", routes {self.route_mtu}" if self.route_mtu else ""
        return f"MTU {self.link.mtu}{smaller}"


class Wires:
    """All interfaces of a lab but loopbacks.

    Args:
      namespaces: every namespace of the lab by name, as ``dataplane.wanted`` returns them.
    """

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._of: dict[str, tuple[Interface, ...]] = {name: tuple(_read(one)) for name, one in namespaces.items()}
        self._by_end = {one.end: one for found in self._of.values() for one in found}

    def of(self, namespace: str) -> tuple[Interface, ...]:
        """Return the interfaces of a namespace by name, none for a namespace that the lab does not have."""
        return self._of.get(namespace, ())

    def peer(self, interface: Interface) -> Interface | None:
        """Return the other end of a veth pair, None for other links."""
        return self._by_end.get(interface.link.peer) if interface.link.peer else None


def _read(namespace: Namespace) -> list[Interface]:
    links: list[Link] = []
    addresses: dict[str, list[IPv4Interface | IPv6Interface]] = defaultdict(list)
    mtus: dict[str, int] = {}
    netem: dict[str, str] = {}
    by_source: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in namespace.items:
        if isinstance(item, Link) and item.kind != _LOOPBACK:
            links.append(item)
        elif isinstance(item, InterfaceAddress):
            addresses[item.dev].append(item.interface)
        elif isinstance(item, Route) and item.mtu:
            mtus[item.dev] = min(item.mtu, mtus.get(item.dev, item.mtu))
        elif isinstance(item, Queue):
            if item.netem is not None:
                netem[item.dev] = str(item.netem)
            by_source[item.dev] += [(source, str(one)) for source, one in item.sources]
    return [
        Interface(
            (namespace.name, link.name),
            link,
            tuple(sorted(addresses[link.name], key=lambda one: (one.version, one))),
            mtus.get(link.name, 0),
            netem.get(link.name, ""),
            tuple(sorted(by_source[link.name])),
        )
        for link in sorted(links, key=lambda one: one.name)
    ]
