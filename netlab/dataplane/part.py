"""The part of a lab that one machine realises, and the other machines of the lab.

A lab on many machines is one cluster. Each machine makes the namespaces of its own nodes and outside hosts, with the
pods of these nodes, and an underlay of its own. Tunnels join the underlays (``dataplane/machine_tunnels.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from netlab.cluster.types import Cluster, Host, Node
from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.objects.types import Address

VXLAN_PORT = 4789
"""The UDP port that IANA gave to VXLAN (RFC 7348, section 5)."""
MACHINE_MTU = 1500
"""The MTU of the network between machines, in bytes, where the input does not say another one."""
MOST_MTU = 65536
"""The MTU of a loopback interface, the largest that an interface has."""
MOST_LABS = 2**24 - 1
"""The greatest number of a lab: a VXLAN network identifier has 24 bits."""
HEADERS = {4: 14 + 20 + 8 + 8, 6: 14 + 40 + 8 + 8}
"""The bytes of the outer IP, UDP and VXLAN headers and the inner Ethernet header, by the outer IP family."""
WIREGUARD_HEADERS = {4: 20 + 8 + 16 + 16, 6: 40 + 8 + 16 + 16}
"""The bytes of the outer IP and UDP headers and of WireGuard's header and tag, by the outer IP family.

Source: "WireGuard: Next Generation Kernel Network Tunnel", section 5.4.6.
"""


@frozen
class Peer:
    """Another machine of a lab: its name, its address, and the references of its nodes and outside hosts."""

    name: str
    address: Address
    ends: frozenset[str]


@frozen
class Part:
    """What one machine realises of a lab.

    Args:
      number: the number of the lab, which no other lab of these machines has: the identifier of its VXLAN.
      address: this machine's address, at which the other machines reach it.
      ends: the references of the nodes and outside hosts that are here (``node:NAME``, ``host:NAME``).
      peers: the other machines that have nodes or outside hosts of the lab.
      port: the UDP port of the tunnels, the same on every machine.
      machine_mtu: the MTU of the network between machines, the same on every machine.
      etcd: what tells the etcd of the lab from others; "" where it is not known.
      encrypted: whether the tunnels are inside of WireGuard, on every machine.
    """

    number: int
    address: Address
    ends: frozenset[str]
    peers: tuple[Peer, ...] = ()
    port: int = VXLAN_PORT
    machine_mtu: int = MACHINE_MTU
    etcd: str = ""
    encrypted: bool = False

    @property
    def mtu(self) -> int:
        """The MTU of the lab's underlay: that of the network between machines, less the headers of the tunnel."""
        return self.wireguard_mtu - HEADERS[self.address.version]

    @property
    def wireguard_mtu(self) -> int:
        """The MTU of the WireGuard device; without encryption that of the network between machines."""
        return self.machine_mtu - (WIREGUARD_HEADERS[self.address.version] if self.encrypted else 0)

    def has(self, end: Node | Host) -> bool:
        """Return whether a node or outside host is on this machine."""
        return end.ref in self.ends

    def check(self, cluster: Cluster) -> None:
        """Check the part against the lab's cluster.

        Raises:
          UsageError: with everything that is wrong: an end that is on no machine or on two, addresses that cannot be
            ends of one tunnel, numbers out of range, an MTU too small for the lab.
        """
        if wrong := [*self._wrong_ends(cluster), *self._wrong_addresses(), *self._wrong_numbers(cluster)]:
            raise UsageError(*wrong)

    def _wrong_ends(self, cluster: Cluster) -> Iterator[str]:
        places: dict[str, list[str]] = defaultdict(list)
        for name, ends in (("this machine", self.ends), *((peer.name, peer.ends) for peer in self.peers)):
            for end in ends:
                places[end].append(name)
        machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
        for one in machines:
            found = places.pop(one.ref, [])
            if not found:
                yield f"{one.ref} is on no machine"
            if len(found) > 1:
                yield f"{one.ref} is on several machines: {', '.join(found)}"
        yield from (f"{end} is no node or outside host of lab {cluster.name}" for end in sorted(places))

    def _wrong_addresses(self) -> Iterator[str]:
        owners: dict[Address, str] = {self.address: "this machine"}
        for name, address in (("this machine", self.address), *((peer.name, peer.address) for peer in self.peers)):
            if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
                yield f"{name}: {address} is no address that other machines reach"
            if address.version != self.address.version:
                yield f"{name}: {address} is of another IP family than {self.address}: the machines of a lab share one"
        for peer in self.peers:
            other = owners.setdefault(peer.address, peer.name)
            if other != peer.name:
                yield f"{other} and {peer.name} have one address: {peer.address}"

    def _wrong_numbers(self, cluster: Cluster) -> Iterator[str]:
        if not 1 <= self.number <= MOST_LABS:
            yield f"the number of lab {cluster.name} is {self.number}; it must be from 1 to {MOST_LABS}"
        if not 1 <= self.port <= 65535:
            yield f"the UDP port of the tunnels is {self.port}; it must be from 1 to 65535"
        if self.machine_mtu > MOST_MTU:
            yield f"the MTU between machines is {self.machine_mtu}; it must be at most {MOST_MTU}"
        # An interface with a smaller MTU has no IPv6 (RFC 8200, section 5). 68: RFC 791, 3.2.
        least = 1280 if 6 in cluster.families else 576
        if self.mtu < least:
            yield f"an MTU of {self.machine_mtu} between machines leaves {self.mtu} to the lab, which needs {least}"


def parts(
    cluster: Cluster,
    machines: Mapping[str, Address],
    number: int,
    *,
    placed: Mapping[str, str] | None = None,
    port: int = VXLAN_PORT,
    machine_mtu: int = MACHINE_MTU,
    encrypted: bool = False,
) -> dict[str, Part]:
    """Return the part of each machine that has a node or an outside host of the lab, by the machine's name.

    It is a function of its arguments, so that every machine finds the same. Nodes that ``placed`` leaves out go to the
    machines evenly, in the order of their names; outside hosts go to the first machine.

    Args:
      cluster: the lab's cluster.
      machines: the address of each machine by its name.
      number: the number of the lab.
      placed: the machines of nodes and outside hosts, by reference.
      port: the UDP port of the tunnels.
      machine_mtu: the MTU of the network between machines.
      encrypted: whether the tunnels are inside of WireGuard.

    Raises:
      UsageError: if there is no machine, if ``placed`` names an unknown one, or for what ``Part.check`` refuses.
    """
    if not machines:
        raise UsageError(f"there is no machine for lab {cluster.name}")
    given = dict(placed or {})
    if unknown := sorted({*given.values()} - machines.keys()):
        raise UsageError(*(f"machine {name!r} is not there" for name in unknown))
    order = sorted(machines)
    loose = sorted(node.ref for node in cluster.nodes if node.ref not in given)
    of = {ref: order[number_of * len(order) // len(loose)] for number_of, ref in enumerate(loose)}
    of |= {host.ref: order[0] for host in cluster.hosts} | given
    ends: dict[str, set[str]] = defaultdict(set)
    for ref, name in of.items():
        ends[name].add(ref)
    peers = {name: Peer(name, machines[name], frozenset(ends[name])) for name in sorted(ends)}
    found = {}
    for name, own in peers.items():
        others = tuple(peer for peer in peers.values() if peer is not own)
        found[name] = Part(number, own.address, own.ends, others, port, machine_mtu, encrypted=encrypted)
    for part in found.values():
        part.check(cluster)
    return found
