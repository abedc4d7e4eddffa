"""An outside host may have any addresses; the kernel then has the wanted ones."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from builders import pod, topology

from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Route
from netlab.lab.lab import Lab

ADDRESSES = {
    "two of its own choosing": ("192.0.2.10", "192.0.2.11"),
    "two IPv6": ("2001:db8::10", "2001:db8::11"),
    "two of both families": ("192.0.2.10", "2001:db8::10", "192.0.2.11", "2001:db8::11"),
    "of the underlay first": ("100.64.0.200", "192.0.2.10"),
    "of the underlay last": ("192.0.2.10", "100.64.0.200"),
    "two of the underlay": ("100.64.0.200", "100.64.0.201", "fd00:100:64::200", "fd00:100:64::201"),
}


@pytest.mark.parametrize("addresses", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("mode", ["bridge", "routed", "macvlan"])
def test_a_host_with_several_addresses_is_as_it_was_wired(
    lab: Callable[..., Lab], disagreements: Callable[..., Any], mode: str, addresses: tuple[str, ...]
) -> None:
    """Nothing differs after ``up`` with any addresses, and packets agree with the evaluator."""
    cidrs = ("10.244.0.0/16", "fd00:10:244::/56")
    machines = topology(["node-1"], mode=mode, cidrs=cidrs, hosts={"c": addresses, "d": ["203.0.113.9"]})
    running = lab(machines, pod("x/p", ports=["80"], node="node-1"))

    assert [] == running.drift()
    assert [] == disagreements(running)


def test_a_host_has_one_route_to_the_underlay_from_its_first_address(lab: Callable[..., Lab]) -> None:
    """One per family: what leads to the same destination from another address would take its place."""
    running = lab(topology(["node-1"], hosts={"c": ADDRESSES["two of both families"]}))
    items = wanted(running.cluster)[f"netlab.{running.name}.host.c"].items
    underlay = running.cluster.underlay_cidrs
    routes = sorted(str(i.source) for i in items if isinstance(i, Route) and i.prefix in underlay)

    assert (ip_network("100.64.0.0/16"), ip_network("fd00:100:64::/64")) == underlay
    assert ["192.0.2.10", "2001:db8::10"] == routes
