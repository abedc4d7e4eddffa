"""The wanted state as graphs: the path of a packet by routes, neighbours, links, bridges and tunnels, without a kernel.

There are two kinds of graphs. The graph of frames has every link twice, as sender and as receiver; an edge leads to the
link that receives a frame next. The graph of an address has every namespace twice; an edge leads to the next hop of a
packet. Rulesets, and so policies and address translation, are in neither.

networkx takes a tenth of a second to import, so only the functions that make a graph import it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache, cached_property
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from netlab.dataplane.ipip import HEADER
from netlab.dataplane.part import HEADERS
from netlab.frozen import frozen
from netlab.kernel.state import (
    EVERY_MAC,
    ForwardingEntry,
    InterfaceAddress,
    Item,
    Link,
    Namespace,
    Neighbour,
    Route,
    Sysctl,
)
from netlab.objects.types import Address

if TYPE_CHECKING:
    import networkx as nx

_FORWARDS = {4: Sysctl("ipv4/ip_forward", "1"), 6: Sysctl("ipv6/conf/all/forwarding", "1")}
_NO_IPV6 = Sysctl("ipv6/conf/all/disable_ipv6", "1")
_NO_LINK_LOCAL = Sysctl("ipv6/conf/default/addr_gen_mode", "1")
# br_netfilter hands bridged packets to the hooks of the bridge's namespace where this says so.
_FILTERS_BRIDGED = {4: Sysctl("bridge/bridge-nf-call-iptables", "1"), 6: Sysctl("bridge/bridge-nf-call-ip6tables", "1")}
_LOOPBACK = "lo"
_SENDS, _RECEIVES, _FORWARDS_BY, _BRIDGES, _SIBLINGS = "sends", "receives", "forwards", "bridges", "siblings"

End = tuple[str, str]
"""A link by its namespace and its name."""

_Frames = tuple[int, frozenset[str], tuple[tuple[End, End], ...]]
"""The way of frames: the largest packet, the namespaces of bridges, and the tunnels between bridges by their ends."""

_I = TypeVar("_I", bound=Item)


@frozen
class Way:
    """The way of a packet.

    Attributes:
      namespaces: the namespaces that it passes, from the source to the one with its address.
      hooked: the namespaces in which netfilter sees it: these, and those with a bridge on the way for which
        ``br_netfilter`` calls the hooks.
      mtu: the size in bytes of the largest packet that passes every link; 0 where the source has the address.
      first_mtu: the MTU of the link or route by which it leaves the source. If ``mtu`` is smaller, a router on the way
        says so to the source, or packets get lost.
      lost_above: the size in bytes above which packets get lost, and no router says so; 0 for none.
    """

    namespaces: tuple[str, ...]
    hooked: frozenset[str]
    mtu: int = 0
    first_mtu: int = 0
    lost_above: int = 0


@frozen
class _Hop:
    """The way from a namespace to the next one: ``mtu`` and ``first_mtu`` as in Way, and the bridges on the way."""

    namespace: str
    mtu: int
    first_mtu: int
    bridges: frozenset[str] = frozenset()


class Graph:
    """Finds the ways of packets between the namespaces of a lab.

    Args:
      namespaces: every namespace of the lab by name, as ``wanted`` returns them.
    """

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._items: dict[str, dict[type, list[Any]]] = {}
        for name, namespace in namespaces.items():
            kinds = self._items[name] = defaultdict(list)
            for item in namespace.items:
                kinds[type(item)].append(item)
        self._links: dict[End, Link] = {
            (name, link.name): link for name in self._items for link in self._of(name, Link) if link.up
        }
        self._graphs: dict[Address, nx.DiGraph[Any]] = {}
        self._frames_from = cache(self._follow_frames)

    def way(self, namespace: str, address: Address, *, forwarded: bool = False) -> Way | None:
        """Return the way of a packet from a namespace to an address, None where it does not arrive.

        With ``forwarded`` the namespace received the packet, and forwards it unless it has the address.
        """
        import networkx as nx

        graph = self._graphs.get(address)
        if graph is None:
            graph = self._graphs[address] = nx.DiGraph()
            # A fault may lead a tunnel's outer packet into the tunnel. Then this graph is empty, and there is no way.
            self._add_hops(graph, address)
        try:
            steps = nx.shortest_path(graph, (_RECEIVES if forwarded else _SENDS, namespace), address)
        except (nx.NetworkXNoPath, nx.NodeNotFound):
            return None
        hops: list[_Hop] = [hop for edge in pairwise(steps) if (hop := graph.edges[edge].get("hop"))]
        places = (namespace, *(hop.namespace for hop in hops))
        bridged = frozenset(
            name for hop in hops for name in hop.bridges if _FILTERS_BRIDGED[address.version] in self._of(name, Sysctl)
        )
        mtu = min((hop.mtu for hop in hops), default=0)
        return Way(places, bridged.union(places), mtu, hops[0].first_mtu if hops else 0, _lost_above(hops))

    def _of(self, namespace: str, kind: type[_I]) -> list[_I]:
        return self._items[namespace][kind]

    def _has(self, namespace: str, address: Address) -> bool:
        if address.version == 6 and _NO_IPV6 in self._of(namespace, Sysctl):
            return False
        return any(
            a.interface.ip == address and (namespace, a.dev) in self._links
            for a in self._of(namespace, InterfaceAddress)
        )

    # --- packets -----------------------------------------------------------------------------------------------------

    def _add_hops(self, graph: nx.DiGraph[Any], address: Address) -> None:
        """Make the graph of an address: from every namespace to the next hop of a packet to it."""
        for name in self._items:
            sends, receives = (_SENDS, name), (_RECEIVES, name)
            if self._has(name, address):
                graph.add_edge(receives, address)
                # A packet to the namespace's own address goes by its loopback interface.
                if (name, _LOOPBACK) in self._links:
                    graph.add_edge(sends, receives)
                continue
            if address.version == 6 and _NO_IPV6 in self._of(name, Sysctl):
                continue
            # A router that forwards looks for an IPv6 neighbour from its link-local address only (ndisc_send_ns,
            # net/ipv6/ndisc.c). Without such an address it forwards to known neighbours only.
            asks = address.version == 4 or _NO_LINK_LOCAL not in self._of(name, Sysctl)
            if (hop := self._hop(name, address, asks=True)) is not None:
                graph.add_edge(sends, (_RECEIVES, hop.namespace), hop=hop)
            if hop is not None and not asks:
                hop = self._hop(name, address, asks=False)
            if hop is not None and _FORWARDS[address.version] in self._of(name, Sysctl):
                graph.add_edge(receives, (_FORWARDS_BY, name))
                graph.add_edge((_FORWARDS_BY, name), (_RECEIVES, hop.namespace), hop=hop)

    def _hop(self, namespace: str, address: Address, *, asks: bool) -> _Hop | None:
        """Return the next hop of a packet to an address.

        With ``asks`` the namespace finds unknown neighbours by ARP or neighbour discovery.
        """
        found = self._route(namespace, address)
        if found is None:
            return None
        device, via, route_mtu = found
        link = self._links[namespace, device]
        first_mtu = min(link.mtu, route_mtu or link.mtu)
        neighbours = self._of(namespace, Neighbour)
        mac = next((n.mac for n in neighbours if (n.dev, n.address) == (device, via)), None)
        if link.kind == "vxlan":
            to = next((f.dst for f in self._of(namespace, ForwardingEntry) if (f.dev, f.mac) == (device, mac)), None)
            return self._tunnelled(namespace, link, to, mac, first_mtu)
        if link.kind == "ipip":
            return self._tunnelled(namespace, link, via, None, first_mtu)
        for (name, other), (mtu, bridges, tunnels) in self._frames_from((namespace, device)).items():
            far = self._links[name, other].mac
            known = mac is not None and far == mac
            if known or (mac is None and asks and self._answers(name, other, via)):
                sent = [mac] if mac is not None else [EVERY_MAC, far]
                through = [self._through(tunnels, one) for one in sent]
                if all(through):
                    return _Hop(name, min(mtu, *through), first_mtu, bridges)
        return None

    def _through(self, tunnels: tuple[tuple[End, End], ...], mac: str) -> int:
        """Return the largest frame content that tunnels between bridges carry to a MAC; 0 where they do not."""
        largest = 1 << 16
        for start, end in tunnels:
            entries = [f for f in self._of(start[0], ForwardingEntry) if f.dev == start[1]]
            to = _local(self._links[end])
            targets = {f.dst for f in entries if f.mac == mac} or {f.dst for f in entries if f.mac == EVERY_MAC}
            way = self.way(start[0], to) if to is not None and to in targets else None
            if to is None or way is None or way.namespaces[-1] != end[0]:
                return 0
            largest = min(largest, way.mtu - HEADERS[to.version])
        return largest

    def _answers(self, namespace: str, device: str, address: Address) -> bool:
        here = self._of(namespace, InterfaceAddress)
        if Sysctl(f"ipv4/conf/{device}/proxy_arp", "1") in self._of(namespace, Sysctl):
            onward = self._route(namespace, address)
            # A router that answers for others does so for those that it reaches by another link.
            if _FORWARDS[4] in self._of(namespace, Sysctl) and onward is not None and onward[0] != device:
                return True
        return self._has(namespace, address) and any(a.interface.ip == address and a.dev == device for a in here)

    def _route(self, namespace: str, address: Address) -> tuple[str, Address, int] | None:
        """Return the device, the next hop and the MTU (0: the device's) of the longest matching prefix."""
        ways = [(r.prefix, r.dev, r.via or address, r.mtu) for r in self._of(namespace, Route)]
        ways += [(a.interface.network, a.dev, address, 0) for a in self._of(namespace, InterfaceAddress)]
        fits = [way for way in ways if way[0].version == address.version and address in way[0]]
        best = max(fits, key=lambda way: way[0].prefixlen, default=None)
        return None if best is None or (namespace, best[1]) not in self._links else best[1:]

    def _tunnelled(
        self, namespace: str, link: Link, to: Address | None, mac: str | None, first_mtu: int
    ) -> _Hop | None:
        """Return the far end of a tunnel to an underlay address, for a frame to a MAC; None where there is none."""
        way = None if to is None else self.way(namespace, to)
        if to is None or way is None:
            return None
        far = way.namespaces[-1]
        for name, other in self._links:
            end = self._links[name, other]
            if (
                name == far
                and end.kind == link.kind
                and (mac is None or end.mac == mac)
                and _same_tunnel(link, end, to)
            ):
                headers = HEADERS[to.version] if link.kind == "vxlan" else HEADER
                return _Hop(far, min(link.mtu, end.mtu, way.mtu - headers), first_mtu)
        return None

    # --- frames ------------------------------------------------------------------------------------------------------

    @cached_property
    def _frames(self) -> nx.DiGraph[Any]:
        """The graph of frames: edges lead from a sending link to receiving ones, and from a bridge's port to others."""
        import networkx as nx

        graph = nx.DiGraph()
        for end, link in self._links.items():
            place = end[0]
            if link.peer in self._links and self._links[link.peer].peer == end:
                graph.add_edge((_SENDS, end), (_RECEIVES, link.peer))
            if (bridge := (place, link.master)) in self._links:
                graph.add_edge((_RECEIVES, end), (_BRIDGES, bridge))
                graph.add_edge((_BRIDGES, bridge), (_SENDS, end))
                graph.add_edge((_SENDS, bridge), (_BRIDGES, bridge))
                graph.add_edge((_BRIDGES, bridge), (_RECEIVES, bridge))
            for other, far in self._links.items() if link.kind == "vxlan" and link.master else ():
                to = _local(far) if far.kind == link.kind and far.master and other != end else None
                if to is not None and _same_tunnel(link, far, to):
                    graph.add_edge((_SENDS, end), (_RECEIVES, other))
            if link.kind == "macvlan" and link.parent in self._links:
                # A frame of a child goes to its siblings or to the wire, never to the parent (drivers/net/macvlan.c).
                graph.add_edge((_SENDS, end), (_SENDS, link.parent))
                graph.add_edge((_SENDS, end), (_SIBLINGS, link.parent))
                graph.add_edge((_SIBLINGS, link.parent), (_RECEIVES, end))
                graph.add_edge((_RECEIVES, link.parent), (_RECEIVES, end))
        return graph

    def _follow_frames(self, start: End) -> dict[End, _Frames]:
        """Return the links that receive a link's frames, each with what is on the way."""
        import networkx as nx

        if (_SENDS, start) not in self._frames:
            return {}
        found: dict[End, _Frames] = {}
        for (side, end), steps in nx.single_source_shortest_path(self._frames, (_SENDS, start)).items():
            # A bridge's port passes frames to the bridge, which does not send them back by the same port.
            back = any((_SENDS, link) in steps for of, link in steps if of == _RECEIVES)
            if side == _RECEIVES and end != start and not back and not self._links[end].master:
                bridges = frozenset(link[0] for of, link in steps if of == _BRIDGES)
                tunnels = tuple(
                    (one[1], other[1])
                    for one, other in pairwise(steps)
                    if self._links[one[1]].kind == "vxlan" and one[0] == _SENDS and other[0] == _RECEIVES
                )
                found[end] = min(self._links[link].mtu for _, link in steps), bridges, tunnels
        return found


def _same_tunnel(link: Link, other: Link, to: Address) -> bool:
    """Return whether a tunnel device accepts what another one sends to an underlay address."""
    same = all(link.options.get(name) == other.options.get(name) for name in ("id", "dstport"))
    return same and _local(other) == to


def _local(link: Link) -> Address | None:
    """Return the underlay address of a tunnel device."""
    own = link.options.get("local") or link.options.get("local6")
    return ip_address(own) if own is not None else None


def _lost_above(hops: list[_Hop]) -> int:
    """Return the size above which packets get lost on a link, 0 for none; a router says what does not fit its link."""
    size, lost = 1 << 16, 0
    for hop in hops:
        size = min(size, hop.first_mtu)
        if hop.mtu < size:
            size = lost = hop.mtu
    return lost
