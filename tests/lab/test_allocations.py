"""A record keeps the allocations of Services."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from builders import cluster, meta, objects, pod, topology

from netlab.cluster import resolve
from netlab.lab.allocations import allocations, from_json, stored
from netlab.objects.services import Service, ServicePort

DUAL = topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"])
PORTS = (ServicePort(80, name="a"), ServicePort(81, name="b", protocol="UDP"))
FIELDS = {"ip_family_policy": "PreferDualStack", "type": "LoadBalancer", "external_traffic_policy": "Local"}
THINGS = [
    DUAL,
    pod("x/a"),
    Service(meta("x/web"), {"app": "a"}, PORTS, **FIELDS),  # type: ignore[arg-type]
    Service(meta("x/none"), {"app": "a"}, headless=True),
    Service(meta("x/moved"), {"app": "a"}, PORTS[:1]),
]


def test_a_cluster_comes_back_from_its_record() -> None:
    """This includes addresses that do not follow from names."""
    before = cluster(*THINGS)
    others = {
        one.meta.key: Service(one.meta, cluster_ips=(ip_address("10.96.99.9"),), ip_families=(4,))
        for one in before.services
        if one.meta.name == "moved"
    }
    running = resolve(objects(*THINGS), {}, others)
    data = json.loads(json.dumps(allocations(running)))
    again = resolve(objects(*THINGS), {}, {key: stored(key, of) for key, of in from_json(data).items()})

    assert running.services == again.services != before.services
    assert allocations(running) == from_json(data)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["ClusterIP", False, ["x"], [4], "", [], 0, []],
        ["Other", False, [], [4], "", [], 0, []],
        ["ClusterIP", 1, [], [4], "", [], 0, []],
        ["ClusterIP", False, [], [5], "", [], 0, []],
        ["ClusterIP", False, [], [4], "", [["a", "80", "TCP", 0]], 0, []],
        ["ClusterIP", False, [], [4], "", [["a", 80, "ICMP", 0]], 0, []],
        ["ClusterIP", False, [], [4], "", [], "0", []],
    ],
)
def test_another_form_is_refused(wrong: object) -> None:
    """The record then counts as damaged."""
    with pytest.raises((TypeError, ValueError)):
        from_json({"x/web": wrong})
