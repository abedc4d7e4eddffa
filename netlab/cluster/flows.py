"""Which questions there are: pairs of endpoints, and the ports that are asked of each destination.

Every pair is each pod and outside host with each pod and outside host (docs/reference.md, "Endpoints and pairs"). Pairs
of two hosts and of a pod with itself are left out; ``--nodes`` adds the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import frozen
from netlab.objects.types import Address


class Flow(NamedTuple):
    """One question: may ``source`` open ``protocol``/``port`` on ``destination`` over an IP family?

    ``protocol`` is TCP, UDP, SCTP or ICMP; ``port`` is None for ICMP. ``address`` is the destination address that is
    asked for, None when the destination has none of that family. ``destination`` None: the address belongs to no
    endpoint of the lab.
    """

    source: Endpoint
    destination: Endpoint | None
    family: int
    protocol: str
    port: int | None
    address: Address | None

    @property
    def target(self) -> str:
        """The destination as reports print it: its reference, or the bare address."""
        return self.destination.ref if self.destination is not None else str(self.address)


def ports_of(destination: Endpoint) -> list[tuple[str, int | None]]:
    """Return the declared (protocol, port) of an endpoint in order, TCP 80 where it declares none."""
    declared = [(p.protocol, p.port) for p in destination.ports] if isinstance(destination, Pod) else []
    return list(dict.fromkeys(declared)) or [("TCP", 80)]


@frozen
class Questions:
    """What is asked of a cluster: which endpoints, services and families.

    ``ports`` replaces each destination's own; ``families`` narrows those of the lab. ``nodes`` adds the nodes,
    ``self_pairs`` the pairs of an endpoint with itself.
    """

    ports: tuple[tuple[str, int | None], ...] = ()
    families: tuple[int, ...] = ()
    nodes: bool = False
    self_pairs: bool = False

    def everyone(self, cluster: Cluster) -> list[Endpoint]:
        """Return the endpoints that are asked from and to, in order."""
        return [*cluster.pods, *cluster.hosts, *(cluster.nodes if self.nodes else ())]

    def wanted(self, cluster: Cluster) -> list[int]:
        """Return the families that are asked."""
        return [family for family in cluster.families if not self.families or family in self.families]

    def services(self, destination: Endpoint) -> Sequence[tuple[str, int | None]]:
        """Return the (protocol, port) that are asked of a destination."""
        return self.ports or ports_of(destination)

    def flows(self, cluster: Cluster) -> Iterator[Flow]:
        """Yield the flow of every pair, service and family, in a stable order.

        A pair of which one side has no address of a family (mode none, or another family) is asked in the lab's
        families all the same: its answer is deny.
        """
        everyone = self.everyone(cluster)
        asked = [
            (destination, family, address_of(destination, family), self.services(destination))
            for destination in everyone
            for family in self.wanted(cluster)
            if askable(destination, family)
        ]
        for source in everyone:
            outside = isinstance(source, Host)
            for destination, family, address, services in asked:
                if outside and not asks(source, destination, family):
                    continue
                if source is destination and not self.self_pairs:
                    continue
                for protocol, port in services:
                    yield Flow(source, destination, family, protocol, port, address)

    def count(self, cluster: Cluster) -> int:
        """Return how many flows there are: everybody asks everybody else, but hosts one another."""
        total = 0
        for family in self.wanted(cluster):
            inside = [one for one in self.everyone(cluster) if not isinstance(one, Host)]
            outside = [host for host in cluster.hosts if askable(host, family)]
            of_inside = sum(len(self.services(destination)) for destination in inside)
            of_outside = sum(len(self.services(destination)) for destination in outside)
            total += len(inside) * (of_inside + of_outside) + len(outside) * of_inside
            total -= 0 if self.self_pairs else of_inside
        return total


def asks(source: Endpoint, destination: Endpoint, family: int) -> bool:
    """Say whether a source asks a destination in a family: hosts do not ask one another."""
    return not isinstance(source, Host) or (not isinstance(destination, Host) and askable(source, family))


def askable(endpoint: Endpoint, family: int) -> bool:
    """Say whether questions in a family make sense: outside hosts have the families that they state and no other."""
    return not isinstance(endpoint, Host) or address_of(endpoint, family) is not None


def every_pair(
    cluster: Cluster,
    ports: Sequence[tuple[str, int | None]] = (),
    families: Sequence[int] = (),
    *,
    nodes: bool = False,
    self_pairs: bool = False,
) -> Iterator[Flow]:
    """Yield the flow of every pair, port and family; the arguments are those of ``Questions``."""
    return Questions(tuple(ports), tuple(families), nodes, self_pairs).flows(cluster)
