"""Source ports that lead to one endpoint of a Service, so that each endpoint is proven by packets of its own.

A node chooses the endpoint of a new connection by a hash of its source address and port (``ruleset.service_hash``). So
a prober can search for a port that leads to the endpoint that it asks about.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.services import endpoints
from netlab.cluster.types import Cluster
from netlab.objects.types import Address
from netlab.probe.ports import ATTEMPTS, PER_RUN
from netlab.ruleset.service_hash import chosen

# Ports for each endpoint of the Service with the most. That none of 16 times N ports leads to one of N endpoints has a
# probability of e^-16.
_PER_ENDPOINT = 16
# Most ports of one run: a fourth of all.
_LIMIT = 14_000


def needed(cluster: Cluster) -> int:
    """Return how many ports a run needs beside its own ones, 0 in a lab without Services."""
    most = 0
    for service in cluster.services:
        for family in {address.version for address in service.cluster_ips}:
            for port in service.ports:
                most = max(most, len(endpoints(cluster, service, port, family)))
    return min(most * _PER_ENDPOINT, _LIMIT)


class ServicePorts:
    """The source ports of a run that lead to endpoints; ``ports`` are those of the run."""

    def __init__(self, ports: range) -> None:
        self._ports = ports[PER_RUN:]
        # By source address and number of endpoints: for each endpoint some ports.
        self._found: dict[tuple[bytes, int], list[list[int]]] = {}

    def leading_to(self, index: int, count: int, source: Address, destination_port: int) -> Sequence[int]:
        """Return the source ports of a probe's attempts; the last one counts for all further attempts.

        Args:
          index: the place of the endpoint in the list of the node that translates.
          count: the length of that list.
          source: the source address that this node sees.
          destination_port: the port that the probe is sent to; no source port equals it.

        Returns:
          No port if none of the run's ports leads there.
        """
        key = source.packed, count
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(source, count)
        return [port for port in found[index] if port != destination_port][:ATTEMPTS]

    def _search(self, source: Address, count: int) -> list[list[int]]:
        # One port more than the attempts, for a probe whose destination port is one of them.
        found: list[list[int]] = [[] for _ in range(count)]
        lacking = count
        for port in self._ports:
            ports = found[chosen(source, port, count)]
            if len(ports) < PER_RUN:
                ports.append(port)
                lacking -= len(ports) == PER_RUN
                if not lacking:
                    break
        return found
