"""Every profile of netlab on the kernel: ``ip -j`` lists what its data says, and packets agree with the evaluator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import topology
from iproute2 import Facts, addresses
from wirings import THINGS

from netlab import modes, profiles
from netlab.errors import HostError
from netlab.lab.lab import Lab
from netlab.modes.wiring import Wiring
from netlab.objects.topology import Topology

NAMES = [name for name in profiles.names() if profiles.named(name).wiring.transport]


def with_profile(name: str) -> Topology:
    """Two nodes and an outside host; the profile chooses everything else."""
    made = topology(["a", "b"], hosts={"client": ["192.0.2.10"]})
    unwritten = frozenset({"mode", "podCIDRs"})
    return replace(made, profile=name, networks=tuple(replace(one, unwritten=unwritten) for one in made.networks))


@pytest.mark.parametrize("name", NAMES)
def test_a_lab_has_what_the_data_of_its_profile_says(name, lab, facts, disagreements):
    """Names, kinds, numbers, MTUs, MACs, prefix lengths and gateways; where the kernel lacks a tunnel, it is said."""
    wiring = profiles.named(name).wiring
    tunnel = modes.TRANSPORTS[wiring.transport or ""].tunnel
    running = built(lab, name)
    if isinstance(running, HostError):
        assert "ipip" == tunnel
        assert "this kernel has no links of kind ipip" in str(running)
        assert "another profile: calico-crosssubnet, calico-none, calico-vxlan" in str(running)
        return
    links = {link["ifname"]: link for link in facts(running, "node:a", "-d", "address", "show")}
    kinds = {one: link["linkinfo"]["info_kind"] for one, link in links.items() if "linkinfo" in link}

    assert bridges(wiring) == {one for one, kind in kinds.items() if kind == "bridge"}
    assert [tunnel] * bool(tunnel) == [kind for kind in kinds.values() if kind in ("vxlan", "ipip")]
    assert_tunnel(wiring, next((links[one] for one, kind in kinds.items() if kind == tunnel), {}))
    assert_ports(wiring, [links[one] for one, kind in kinds.items() if kind == "veth" and one != "underlay0"])
    assert_pod(wiring, facts(running, "x/a", "address", "show", "dev", "eth0"), running)
    (default,) = facts(running, "x/a", "-d", "route", "show", "default")
    assert_default(wiring, default, running)
    assert [] == running.drift()
    assert [] == disagreements(running)


def built(lab: Callable[..., Lab], name: str) -> Lab | HostError:
    try:
        return lab(with_profile(name), *THINGS)
    except HostError as error:
        return error


def bridges(wiring: Wiring) -> set[str]:
    if not modes.ATTACHMENTS[wiring.attachment or ""].bridged:
        return set()
    return {wiring.bridge_name or "br-default"}


def assert_tunnel(wiring: Wiring, link: dict[str, Any]) -> None:
    if not link:
        return
    assert wiring.tunnel_name in ("", link["ifname"])
    data = link["linkinfo"]["info_data"]
    if link["linkinfo"]["info_kind"] == "vxlan":
        assert (wiring.vni or 1, wiring.tunnel_port or 8472) == (data["id"], data["port"])


def assert_ports(wiring: Wiring, ports: list[dict[str, Any]]) -> None:
    assert 2 == len(ports)
    for port in ports:
        assert port["ifname"].startswith(wiring.port_prefix or "veth")
        assert wiring.port_mac in ("", port["address"])
        if wiring.mtu and wiring.mtu_place != "route":
            assert wiring.mtu == port["mtu"]


def assert_pod(wiring: Wiring, eth0: Facts, running: Any) -> None:
    network, node = running.cluster.networks[0], running.cluster.node("a")
    lengths = {"single": 32, "node": node.pod_cidrs["default"][0].prefixlen, "network": network.pod_cidrs[0].prefixlen}
    (address,) = (one for one in addresses(eth0) if ":" not in one)
    if wiring.prefix_length:
        assert lengths[wiring.prefix_length] == int(address.partition("/")[2])
    if wiring.mtu_place == "route":
        assert 1500 == eth0[0]["mtu"]


def assert_default(wiring: Wiring, default: dict[str, Any], running: Any) -> None:
    if wiring.default_route == "device":
        assert "gateway" not in default
    elif modes.ATTACHMENTS[wiring.attachment or ""].node_gateway:
        assert str(running.cluster.node("a").pod_cidrs["default"][0][1]) == default["gateway"]
    else:
        assert (wiring.gateway or "169.254.1.1") == default["gateway"]
    if wiring.mtu_place == "route":
        assert [wiring.mtu or 1450] == [one["mtu"] for one in default["metrics"]]
