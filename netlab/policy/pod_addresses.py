"""Sets of the addresses of pods: those in an ipBlock are found without a look at each address."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from netlab.cluster.types import Cluster, Pod
from netlab.objects.policies import IPBlock
from netlab.objects.types import Prefix
from netlab.policy.bitsets import set_of


class PodAddresses:
    """The addresses of the pods that commands ask about, in order; a set has the bit ``1 << place`` for each."""

    def __init__(self, cluster: Cluster) -> None:
        found = {(a.version, int(a)) for pod in cluster.asked_pods() for a in pod.addresses}
        self._sorted = sorted(found)
        self._places = {address: place for place, address in enumerate(self._sorted)}

    def of(self, pods: Iterable[Pod]) -> int:
        """Return the set of the addresses of some of the pods."""
        places = (self._places[a.version, int(a)] for pod in pods for a in pod.addresses)
        return set_of(places, len(self._sorted))

    def inside(self, block: IPBlock) -> int:
        """Return the set of the addresses that an ipBlock matches."""
        found = self._in(block.cidr)
        for prefix in block.excepts if found else ():
            found &= ~self._in(prefix)
        return found

    def _in(self, prefix: Prefix) -> int:
        first = bisect_left(self._sorted, (prefix.version, int(prefix.network_address)))
        end = bisect_right(self._sorted, (prefix.version, int(prefix.broadcast_address)))
        return (1 << end) - (1 << first)


def pod_addresses(cluster: Cluster) -> PodAddresses:
    """Return the sets of the addresses of a cluster's pods, which are made once."""
    found: PodAddresses | None = cluster.memo.get("policy.pod_addresses")
    if found is None:
        found = cluster.memo["policy.pod_addresses"] = PodAddresses(cluster)
    return found
