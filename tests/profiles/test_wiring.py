"""Each wiring that a CNI has, spelled out: what ``ip -j`` lists in a lab of two nodes, and that packets agree."""

from __future__ import annotations

import re
from typing import Any

import pytest
from iproute2 import Facts, addresses, columns
from wirings import CASES, THINGS, A, Seen, wired


@pytest.mark.parametrize("name", CASES)
def test_a_lab_has_the_devices_routes_and_neighbours_of_the_cni(name, lab, facts, disagreements):
    """What iproute2 lists is what the CNI is known to set; packets agree with the evaluator, and nothing drifts."""
    wiring, seen = CASES[name]
    running = lab(wired(wiring), *THINGS)

    assert_pod(running, facts, seen)
    assert_node(running, facts, seen)
    assert [] == running.drift()
    assert [] == disagreements(running)


def assert_pod(running: Any, facts: Any, seen: Seen) -> None:
    (eth0,) = facts(running, "x/a", "address", "show", "dev", "eth0")
    (default,) = facts(running, "x/a", "-d", "route", "show", "default")
    mtus = [one["mtu"] for one in default.get("metrics", []) if "mtu" in one]

    assert [seen.address] == [one for one in addresses([eth0]) if ":" not in one]
    assert seen.mtu == eth0["mtu"]
    assert seen.default == (default.get("gateway"), default["dev"], mtus[0] if mtus else None)


def assert_node(running: Any, facts: Any, seen: Seen) -> None:
    links = facts(running, "node:a", "-d", "address", "show")
    by_name = {link["ifname"]: link for link in links}
    ports = [
        link for link in links if link.get("linkinfo", {}).get("info_kind") == "veth" and link["ifname"] != "underlay0"
    ]
    routes = facts(running, "node:a", "route", "show")
    kinds = {link["ifname"]: link["linkinfo"]["info_kind"] for link in links if "linkinfo" in link}

    assert 2 == len(ports)
    assert [] == [port["ifname"] for port in ports if not re.fullmatch(seen.ports, port["ifname"])]
    assert {seen.mtu} == {port["mtu"] for port in ports}
    if seen.port_mac:
        assert {seen.port_mac} == {port["address"] for port in ports}
    assert ({seen.bridge} if seen.bridge else set()) == {link for link, kind in kinds.items() if kind == "bridge"}
    if seen.bridge:
        assert {seen.bridge} == {port["master"] for port in ports}
        assert [*seen.bridge_addresses] == addresses([by_name[seen.bridge]])
        assert seen.mtu == by_name[seen.bridge]["mtu"]
    assert ({seen.tunnel[0]} if seen.tunnel else set()) == {link for link, kind in kinds.items() if kind == "vxlan"}
    if seen.tunnel:
        assert_tunnel(running, facts, seen, by_name[seen.tunnel[0]])
    remote = [
        (one["dst"], one.get("gateway"), one["dev"], tuple(one.get("flags", ())))
        for one in routes
        if one["dst"] == "10.244.1.0/24"
    ]
    assert ([seen.remote] if seen.remote else []) == remote


def assert_tunnel(running: Any, facts: Any, seen: Seen, link: dict[str, Any]) -> None:
    name = link["ifname"]
    data = link["linkinfo"]["info_data"]
    neighbours: Facts = facts(running, "node:a", "neigh", "show", "dev", name)
    forwarding: Facts = facts(running, "node:a", "fdb", "show", "dev", name, program="bridge")

    assert seen.tunnel == (name, data["id"], data["port"], link["mtu"])
    assert (A, False, "underlay0") == (data["local"], data["learning"], data["link"])
    assert [*seen.tunnel_addresses] == addresses([link])
    assert [(*one, ["PERMANENT"]) for one in seen.neighbours] == columns(neighbours, "dst", "lladdr", "state")
    static = [one for one in forwarding if "dst" in one]
    assert [(*one, "permanent") for one in seen.forwarding] == columns(static, "mac", "dst", "state")
