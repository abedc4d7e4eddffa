"""Packets through the wanted state, with no kernel: by its routes, neighbours, links, bridges and tunnels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from netlab.dataplane.wanted import Wanted
from netlab.kernel.state import ForwardingEntry, InterfaceAddress, Link, Neighbour, Route, Sysctl

End = tuple[str, str]
_HOPS = 8


class Walk:
    """The wanted state of a lab, asked where a packet gets to."""

    def __init__(self, wanted: Wanted) -> None:
        self.items: dict[str, dict[type, list[Any]]] = {}
        self.links: dict[End, Link] = {}
        self.beside: dict[End, set[End]] = defaultdict(set)
        self.children: dict[End, list[End]] = defaultdict(list)
        for name, space in wanted.namespaces.items():
            kinds = self.items[name] = defaultdict(list)
            for item in space.items:
                kinds[type(item)].append(item)
            for link in kinds[Link]:
                end = name, link.name
                self.links[end] = link
                for other in [link.peer] * bool(link.peer) + [(name, link.master)] * bool(link.master):
                    self.beside[end].add(other)
                    self.beside[other].add(end)
                if link.kind == "macvlan":
                    self.children[link.parent].append(end)

    def arrives(self, namespace: str, address: Any) -> str:
        """Return the namespace that takes in what another one sends to an address, "" where it gets nowhere."""
        for hop in range(_HOPS):
            kinds = self.items[namespace]
            if any(a.interface.ip == address for a in kinds[InterfaceAddress]):
                return namespace
            family = "ipv4/ip_forward" if address.version == 4 else "ipv6/conf/all/forwarding"
            if hop and Sysctl(family, "1") not in kinds[Sysctl]:
                return ""
            found = self._next(kinds, address)
            if found is None:
                return ""
            device, via = found
            there = self._owner(namespace, device, via)
            if not there:
                return ""
            namespace = there
        return ""

    def _next(self, kinds: dict[type, list[Any]], address: Any) -> tuple[str, Any] | None:
        """Return the device and the next hop of the longest prefix that has the address."""
        ways = [(r.prefix, r.dev, r.via or address) for r in kinds[Route]]
        ways += [(a.interface.network, a.dev, address) for a in kinds[InterfaceAddress]]
        fits = [way for way in ways if way[0].version == address.version and address in way[0]]
        best = max(fits, key=lambda way: way[0].prefixlen, default=None)
        return best and (best[1], best[2])

    def _owner(self, namespace: str, device: str, via: Any) -> str:
        """Return the namespace to which a frame for the next hop goes: by a known MAC, else who answers for it."""
        kinds = self.items[namespace]
        mac = next((n.mac for n in kinds[Neighbour] if (n.dev, n.address) == (device, via)), None)
        outer = next((f.dst for f in kinds[ForwardingEntry] if (f.dev, f.mac) == (device, mac)), None)
        if outer is not None:
            far = self.arrives(namespace, outer)
            return far if (far, device) in self.links and self.links[far, device].mac == mac else ""
        for name, other in self._heard((namespace, device)):
            if mac is None and any(
                a.interface.ip == via and a.dev == other for a in self.items[name][InterfaceAddress]
            ):
                return name
            if mac is not None and self.links[name, other].mac == mac:
                return name
        return ""

    def _heard(self, start: End) -> Iterator[End]:
        """Yield the interfaces that share a link with one, itself aside."""
        parent = self.links[start].parent if self.links[start].kind == "macvlan" else None
        seen, left = {start}, [*self.beside[start]]
        if parent is not None:
            # A macvlan hands a child's frames to its siblings and to the wire, never to the parent.
            seen.add(parent)
            left += [*self.beside[parent], *self.children[parent]]
        while left:
            end = left.pop()
            if end not in seen:
                seen.add(end)
                yield end
                left += [*self.beside[end], *self.children[end]]
