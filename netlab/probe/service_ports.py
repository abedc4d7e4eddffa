"""Source ports that lead to one endpoint of a Service, so that packets of their own prove each endpoint.

A node chooses the endpoint of a new connection by a hash of its source address and port (``ruleset.service_hash``). So
the prober searches for a port that leads to the endpoint that it asks about.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from netlab.cluster.types import Cluster
from netlab.frozen import NamedTuple
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
    from netlab.cluster.services.endpoints import endpoints
    from netlab.cluster.services.routes import outer_addresses

    alone = of_shared = 0
    for service in cluster.services:
        masquerades = bool(outer_addresses(service)) or any(port.node_port for port in service.ports)
        for family in {address.version for address in service.cluster_ips}:
            for port in service.ports:
                count = len(endpoints(cluster, service, port, family))
                alone = max(alone, _PER_ENDPOINT * count)
                of_shared = max(of_shared, _PER_SHARED_ENDPOINT * count if masquerades else 0)
    part = min(1, _LIMIT / max(1, alone + of_shared))
    return Needed(int(alone * part), int(of_shared * part))


class ServicePorts:
    """The source ports of a run that lead to endpoints; ``ports`` are those of the run.

    Connections that a node masquerades have the last ``shared`` of them, each connection of one destination another
    one. A node that masquerades two sources with one port and one destination gives the second source a random port.
    It later gives it this port for every destination (net/netfilter/nf_nat_core.c, find_appropriate_src). The node of
    the endpoint may still know a connection of an earlier run with the random port, and would let the probe pass as
    established. Without ``shared`` all ports are for both.
    """

    def __init__(self, ports: range, shared: int = 0) -> None:
        own = ports[PER_RUN:]
        self._ports = own
        self._alone = own[: len(own) - shared] if shared else own
        self._shared = own[len(own) - shared :] if shared else own
        # By source address and number of endpoints: for each endpoint its ports.
        self._found: dict[tuple[bytes, int, bool], list[list[int]]] = {}
        # The ports that connections have, by what a node masquerades them to.
        self._used: dict[Hashable, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._ports)

    def leading_to(
        self,
        index: int,
        count: int,
        source: Address,
        destination_port: int,
        chosen_after: Hashable = None,
        masqueraded: Hashable = None,
    ) -> Sequence[int]:
        """Return the source ports of a probe's attempts; the last one counts for all further attempts.

        No two calls with one ``chosen_after`` or one ``masqueraded`` get the same port while ports are left.

        Args:
          index: the place of the endpoint in the list of the node that translates.
          count: the length of that list.
          source: the source address that this node sees.
          destination_port: the port that the probe is sent to; no source port equals it.
          chosen_after: None if no node masquerades the probe before the endpoint is chosen. Else this node, and the
            protocol, address and port that the probe is sent to.
          masqueraded: None if no node masquerades the probe after the endpoint is chosen. Else this node, and the
            protocol, address and port of the endpoint.

        Returns:
          No port if none of the run's ports leads to the endpoint, or if none is left for ``chosen_after``: another
          port may lead to another endpoint.
        """
        keys = [key for key in (chosen_after, masqueraded) if key is not None]
        alone = not keys
        found = self._found.get((source.packed, count, alone))
        if found is None:
            found = self._found[source.packed, count, alone] = self._search(source, count, alone=alone)
        ports = [port for port in found[index] if port != destination_port]
        if alone:
            return ports[:ATTEMPTS]
        used = [self._used.setdefault(key, set()) for key in keys]
        # The port must be free before the choice, and should be free after it.
        free = [port for port in ports if not any(port in taken for taken in used)][:ATTEMPTS]
        if not free and chosen_after is not None:
            free = [port for port in ports if port not in used[0]][:ATTEMPTS]
        elif not free:
            return ports[:ATTEMPTS]
        for taken in used:
            taken.update(free)
        return free

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
