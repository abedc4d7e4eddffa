"""The floor of bring-up makes the objects that netlab makes, and removes them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from iproute2 import Facts, addresses, columns, ip

from benchmarks import manifests
from benchmarks.floor import POD, Floor
from netlab.cluster import resolve
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Sysctl

Inside = Callable[..., Facts]


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """Asks ``ip`` in a namespace of a floor of three pods on two nodes."""
    floor = Floor(3, 2, tmp_path)
    floor.up()

    yield lambda name, *words: ip(*words, namespace=tmp_path / name)
    floor.down()


@pytest.mark.kernel
def test_a_pod_has_what_a_pod_of_a_lab_has(inside: Inside) -> None:
    """Its address, loopback, the way out and a neighbour entry for the gateway."""
    links = inside("pod-2", "link")

    assert [("eth0", 102, "UP"), ("lo", None, "UNKNOWN")] == columns(links, "ifname", "link_index", "operstate")
    assert all({"UP", "LOWER_UP"} <= set(link["flags"]) for link in links)
    assert ["10.244.0.4/16"] == addresses(inside("pod-2", "-4", "address", "show", "eth0"))
    assert [("default", "10.244.0.1", "eth0", "static")] == columns(
        inside("pod-2", "route", "show", "default"), "dst", "gateway", "dev", "protocol"
    )
    assert [("10.244.0.1", "eth0", "0a:58:0a:f4:00:01", ["PERMANENT"])] == columns(
        inside("pod-2", "neigh"), "dst", "dev", "lladdr", "state"
    )


@pytest.mark.kernel
def test_pods_are_spread_over_the_nodes_bridges(inside: Inside) -> None:
    """Every second pod is a port of one node's bridge, and the node knows its MAC."""
    ports = inside("node-0", "link", "show", "master", "br-default")
    neighbours = inside("node-0", "-4", "neigh", "show", "dev", "br-default")

    assert ["br-default"] * 2 == [port["master"] for port in ports]
    assert [["PERMANENT"]] * 2 == [neighbour["state"] for neighbour in neighbours]


@pytest.mark.kernel
def test_nodes_forward_and_are_joined_by_an_underlay(inside: Inside, tmp_path: Path) -> None:
    """A node is a router with an address that the other nodes are in reach of."""
    command = ["nsenter", f"--net={tmp_path / 'node-1'}", "sysctl", "-n", "net.ipv4.ip_forward"]
    (underlay,) = inside("node-1", "-4", "address", "show", "underlay0")

    assert "1" == subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert ("underlay0", 101, "UP") == tuple(underlay[key] for key in ("ifname", "link_index", "operstate"))
    assert ["100.64.0.2/16"] == addresses([underlay])


def test_the_floor_writes_the_settings_that_netlab_writes() -> None:
    """No setting of a pod more, and none less: there are as many as pods, where a node's hardly count."""
    documents = [manifests.topology("floor", 1), *manifests.shops(1, 1)]
    pod = wanted(resolve(manifests.objects(documents)))["netlab.floor.pod.shop-0.client-0"]

    assert set(POD) == {(item.name, item.value) for item in pod.items if isinstance(item, Sysctl)}


@pytest.mark.kernel
def test_nothing_is_left(tmp_path: Path) -> None:
    """After ``down`` no namespace is pinned."""
    floor = Floor(3, 2, tmp_path)
    floor.up()
    floor.down()

    assert [] == list(tmp_path.iterdir())
