"""The addresses of load balancers in the status of their Services, as the controller of a cloud writes them.

The lab allocates the addresses, and translates them. Another controller has Services with a class, and addresses that
are not in the lab's ranges. A Service with a load balancer has a finalizer, as with a cloud's controller. netlab
removes the finalizer when the Service is deleted.

Source: core/v1 ServiceStatus; k8s.io/cloud-provider, controllers/service and service/helpers.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from queue import SimpleQueue
from typing import Any

from netlab.cluster import Cluster
from netlab.control_plane.api import Object
from netlab.control_plane.nodes.objects import key_of
from netlab.control_plane.nodes.written import Written
from netlab.frozen import NamedTuple

SERVICE = "Service"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
_TYPE = "LoadBalancer"
Ingress = list[dict[str, Any]]


class Balancer(NamedTuple):
    """What a Service should say of its load balancer: the addresses, and whether it has the finalizer."""

    ingress: Ingress
    kept: bool


class Balancers:
    """Says which Services lack the addresses that the lab gave them, or have some that they no longer have.

    Args:
      write: brings a Service to what it should say; called for each change, and again if others undo it.
      clock: the time in seconds.
    """

    def __init__(self, write: Callable[[Object, Balancer], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._written = Written(operator.eq, clock)
        # The uids of Services whose writes failed. Other threads add to it, also while ``say`` runs.
        self._failed: SimpleQueue[str] = SimpleQueue()

    @property
    def behind(self) -> bool:
        """Whether a write failed or is late, so that ``say`` has to be called once more."""
        return self._written.any_late or not self._failed.empty()

    def say(self, cluster: Cluster, services: Iterable[Object]) -> None:
        """Write what these Services lack. They are all that there are."""
        while not self._failed.empty():
            self._written.forget(self._failed.get())
        self._written.take_late()
        given = {
            (one.meta.namespace, one.meta.name): [
                {"ip": str(each.address), "ipMode": each.ip_mode} for each in one.load_balancer if each.address
            ]
            for one in cluster.services
            if one.type == _TYPE and not one.load_balancer_class
        }
        uids: set[str] = set()
        for one in services:
            uids.add(one["metadata"]["uid"])
            has = _ingress(one)
            is_deleted = "deletionTimestamp" in one["metadata"]
            if one["spec"].get("loadBalancerClass"):
                continue
            if _is_ours(cluster, has):
                ingress = given.get(key_of(one), [])
            elif is_deleted and cluster.load_balancer_cidrs:
                # Somebody wrote other addresses over those of the lab. The finalizer is the lab's all the same.
                ingress = has
            else:
                continue
            wanted = Balancer(ingress, bool(ingress) and not is_deleted)
            if (_addresses(has), _is_kept(one)) == (_addresses(ingress), wanted.kept):
                continue
            if self._written.is_due(one, wanted):
                self._write(one, wanted)
        self._written.keep(uids)

    def again(self, uid: str) -> None:
        """Say that what was written of a Service did not come there; any thread may call it."""
        self._failed.put(uid)


def _is_kept(service: Mapping[str, Any]) -> bool:
    return FINALIZER in (service["metadata"].get("finalizers") or ())


def _ingress(service: Mapping[str, Any]) -> Ingress:
    return list(((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())


def _addresses(ingress: Ingress) -> list[Any]:
    return [one.get("ip") for one in ingress]


def _is_ours(cluster: Cluster, ingress: Ingress) -> bool:
    """Say whether the lab gave all of these addresses."""
    ranges = cluster.load_balancer_cidrs
    return all("ip" in one and any(ip_address(one["ip"]) in cidr for cidr in ranges) for one in ingress)
