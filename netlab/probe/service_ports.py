"""Source ports that lead to one endpoint of a Service, so that packets of their own prove each endpoint.

A node chooses the endpoint of a new connection by a hash of its source address and port (``ruleset.service_hash``). So
the prober searches for a port that leads to the endpoint that it asks about.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from netlab.cluster.services import endpoints
from netlab.cluster.types import Cluster
from netlab.objects.types import Address
from netlab.probe.ports import ATTEMPTS, PER_RUN
from netlab.ruleset.service_hash import chosen

# Ports for each endpoint of the Service with the most endpoints. With 16 * N ports, the probability that none leads to
# one of N endpoints is e^-16. Sources that a node masquerades share an address, so each needs ports of its own.
_PER_ENDPOINT, _PER_SHARED_ENDPOINT = 16, 64
# The most ports of one run: a fourth of all.
_LIMIT = 14_000


class Needed(NamedTuple):
    """How many ports a run needs beside its own: for sources with addresses of their own, and for shared fronts."""

    alone: int
    shared: int


def needed(cluster: Cluster) -> Needed:
    """Return how many ports a run needs beside its own ones, none in a lab without Services."""
    alone = of_shared = 0
    masqueraded = any(network.traits.masqueraded for network in cluster.networks)
    for service in cluster.services:
        shared = masqueraded and any(port.node_port for port in service.ports)
        for family in {address.version for address in service.cluster_ips}:
            for port in service.ports:
                count = len(endpoints(cluster, service, port, family))
                alone = max(alone, _PER_ENDPOINT * count)
                of_shared = max(of_shared, _PER_SHARED_ENDPOINT * count if shared else 0)
    part = min(1, _LIMIT / max(1, alone + of_shared))
    return Needed(int(alone * part), int(of_shared * part))


class ServicePorts:
    """The source ports of a run that lead to endpoints; ``ports`` are those of the run.

    Shared fronts have the last ``shared`` of them: several sources send to such a front from one address. A node that
    masquerades two sources with one port and one destination gives the second source another port, and later gives it
    this port for every destination (net/netfilter/nf_nat_core.c, find_appropriate_src). Without ``shared`` all ports
    are for both.
    """

    def __init__(self, ports: range, shared: int = 0) -> None:
        own = ports[PER_RUN:]
        self._ports = own
        self._alone = own[: len(own) - shared] if shared else own
        self._shared = own[len(own) - shared :] if shared else own
        # By source address and number of endpoints: for each endpoint its ports.
        self._found: dict[tuple[bytes, int, bool], list[list[int]]] = {}
        # How many ports were returned, by source address, number of endpoints, endpoint and front.
        self._returned: dict[tuple[bytes, int, int, Hashable], int] = {}

    def __bool__(self) -> bool:
        return bool(self._ports)

    def leading_to(
        self, index: int, count: int, source: Address, destination_port: int, front: Hashable = None
    ) -> Sequence[int]:
        """Return the source ports of a probe's attempts; the last one counts for all further attempts.

        Args:
          index: the place of the endpoint in the list of the node that translates.
          count: the length of that list.
          source: the source address that this node sees.
          destination_port: the port that the probe is sent to; no source port equals it.
          front: None if no other source of the run can have this address. Else the address, protocol and port that the
            probe is sent to: no two calls with one front get the same port. A node that masquerades two sources would
            give the second one another port, which may lead to another endpoint.

        Returns:
          No port if none of the run's ports leads to the endpoint, or none is left.
        """
        key = source.packed, count, front is None
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(source, count, alone=front is None)
        ports = [port for port in found[index] if port != destination_port]
        first = 0
        if front is not None:
            place = (source.packed, count, index, front)
            first = self._returned.get(place, 0)
            self._returned[place] = first + ATTEMPTS
        return ports[first : first + ATTEMPTS]

    def _search(self, source: Address, count: int, *, alone: bool) -> list[list[int]]:
        """Return the ports that lead to each endpoint: as many as one probe needs, or all those of shared fronts."""
        wanted = PER_RUN if alone else None
        # One port more than the attempts, for a probe whose destination port is one of them.
        found: list[list[int]] = [[] for _ in range(count)]
        lacking = count
        for port in self._alone if alone else self._shared:
            ports = found[chosen(source, port, count)]
            if len(ports) != wanted:
                ports.append(port)
                lacking -= len(ports) == wanted
                if not lacking:
                    break
        return found
