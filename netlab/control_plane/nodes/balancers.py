"""The addresses of load balancers in the status of their Services, as the controller of a cloud writes them.

The lab allocates the addresses, and translates them. Another controller has Services with a class, and addresses that
are not in the lab's ranges.

Source: core/v1 ServiceStatus; k8s.io/cloud-provider, controllers/service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from netlab.cluster import Cluster
from netlab.control_plane.api import Object
from netlab.control_plane.nodes.objects import key_of

SERVICE = "Service"
_TYPE = "LoadBalancer"
Ingress = list[dict[str, Any]]


class Balancers:
    """Says which Services lack the addresses that the lab gave them, or have some that they no longer have.

    Args:
      write: brings the status of a Service to a list of ingress; called once for each change.
    """

    def __init__(self, write: Callable[[Object, Ingress], None]) -> None:
        self._write = write
        self._written: dict[str, Ingress] = {}

    def say(self, cluster: Cluster, services: Iterable[Object]) -> None:
        """Write what is missing in the status of these Services."""
        given = {
            (one.meta.namespace, one.meta.name): [
                {"ip": str(each.address), "ipMode": each.ip_mode} for each in one.load_balancer if each.address
            ]
            for one in cluster.services
            if one.type == _TYPE and not one.load_balancer_class
        }
        for one in services:
            uid, has = one["metadata"]["uid"], _ingress(one)
            if one["spec"].get("loadBalancerClass") or not _is_ours(cluster, has):
                continue
            wanted = given.get(key_of(one), [])
            if _addresses(has) == _addresses(wanted):
                self._written.pop(uid, None)
            elif self._written.get(uid) != wanted:
                self._written[uid] = wanted
                self._write(one, wanted)

    def again(self, uid: str) -> None:
        """Forget what was written of a Service, as it did not come there."""
        self._written.pop(uid, None)


def _ingress(service: Mapping[str, Any]) -> Ingress:
    return list(((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())


def _addresses(ingress: Ingress) -> list[Any]:
    return [one.get("ip") for one in ingress]


def _is_ours(cluster: Cluster, ingress: Ingress) -> bool:
    """Say whether the lab gave all of these addresses."""
    ranges = cluster.load_balancer_cidrs
    return all("ip" in one and any(ip_address(one["ip"]) in cidr for cidr in ranges) for one in ingress)
