"""External IPs and load-balancer addresses that pods have, or could get."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import cluster, meta, pod, topology

from netlab.errors import InputError
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort

ADDRESS = ip_address("10.244.0.2")
OUTER = [{"external_ips": (ADDRESS,)}, {"type": "LoadBalancer", "load_balancer": (LoadBalancerIngress(ADDRESS),)}]
PATHS = ["spec.externalIPs[0]", "status.loadBalancer.ingress[0].ip"]


def service(**more):
    return Service(meta("x/s"), {"app": "s"}, (ServicePort(80),), **more)


@pytest.mark.parametrize(("more", "path"), [*zip(OUTER, PATHS, strict=True)])
def test_a_service_may_not_have_the_address_of_a_pod(more, path):
    """Nodes would translate what is sent to the pod."""
    with pytest.raises(InputError) as found:
        cluster(topology(["a"]), pod("x/p", addresses=["10.244.0.2"]), service(**more))

    assert [(path, "Service x/s")] == [(one.path, one.object) for one in found.value.problems]
    assert "it is the address of pod x/p" in found.value.problems[0].message


@pytest.mark.parametrize("more", OUTER)
def test_no_pod_gets_the_address_of_a_service_by_itself(more):
    """The first free address would be this one."""
    assert (ADDRESS,) == cluster(topology(["a"]), pod("x/p")).pods[0].addresses
    found = {one.ref: one.addresses for one in cluster(topology(["a"]), pod("x/p"), service(**more)).pods}

    assert (ip_address("10.244.0.3"),) == found["x/p"]
