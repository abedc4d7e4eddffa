"""Source ports that lead to one endpoint of a Service, so that each endpoint is proven by packets of its own.

A node chooses the endpoint of a new connection by a hash of its source address and port (``ruleset.service_hash``). So
a prober can search for a port that leads to the endpoint that it asks about.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from netlab.cluster.types import Cluster
from netlab.objects.types import Address
from netlab.probe.ports import ATTEMPTS, PER_RUN
from netlab.ruleset.service_hash import chosen

# Ports for each endpoint of the Service with the most. That none of 16 times N ports leads to one of N endpoints has a
# probability of e^-16. Sources that a node masquerades share an address, so each of them needs ports of its own.
_PER_ENDPOINT, _PER_SHARED_ENDPOINT = 16, 64
# Most ports of one run: a fourth of all.
_LIMIT = 14_000


def needed(cluster: Cluster) -> int:
    """Return how many ports a run needs beside its own ones, 0 in a lab without Services."""
    from netlab.cluster.services.endpoints import endpoints

    most = 0
    masqueraded = any(network.traits.masqueraded for network in cluster.networks)
    for service in cluster.services:
        each = _PER_SHARED_ENDPOINT if masqueraded and service.type != "ClusterIP" else _PER_ENDPOINT
        for family in {address.version for address in service.cluster_ips}:
            for port in service.ports:
                most = max(most, each * len(endpoints(cluster, service, port, family)))
    return min(most, _LIMIT)


class ServicePorts:
    """The source ports of a run that lead to endpoints; ``ports`` are those of the run."""

    def __init__(self, ports: range) -> None:
        self._ports = ports[PER_RUN:]
        # By source address and number of endpoints: for each endpoint its ports.
        self._found: dict[tuple[bytes, int, bool], list[list[int]]] = {}
        # How many ports are given away, by source address, number of endpoints, endpoint, and door.
        self._given: dict[tuple[bytes, int, int, Hashable], int] = {}

    def __bool__(self) -> bool:
        return bool(self._ports)

    def leading_to(
        self, index: int, count: int, source: Address, destination_port: int, door: Hashable = None
    ) -> Sequence[int]:
        """Return the source ports of a probe's attempts; the last one counts for all further attempts.

        Args:
          index: the place of the endpoint in the list of the node that translates.
          count: the length of that list.
          source: the source address that this node sees.
          destination_port: the port that the probe is sent to; no source port equals it.
          door: None if no other source of the run can have this address. Else what the probe is sent to: no two calls
            with one door get the same port. A node that masquerades two sources would give the second one another
            port, which may lead to another endpoint.

        Returns:
          No port if none of the run's ports leads there, or none is left.
        """
        key = source.packed, count, door is None
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(source, count, PER_RUN if door is None else None)
        ports = [port for port in found[index] if port != destination_port]
        first = 0
        if door is not None:
            place = (source.packed, count, index, door)
            first = self._given.get(place, 0)
            self._given[place] = first + ATTEMPTS
        return ports[first : first + ATTEMPTS]

    def _search(self, source: Address, count: int, wanted: int | None) -> list[list[int]]:
        """Return the ports that lead to each endpoint: ``wanted`` ones for each, or all."""
        # One port more than the attempts, for a probe whose destination port is one of them.
        found: list[list[int]] = [[] for _ in range(count)]
        lacking = count
        for port in self._ports:
            ports = found[chosen(source, port, count)]
            if len(ports) != wanted:
                ports.append(port)
                lacking -= len(ports) == wanted
                if not lacking:
                    break
        return found
