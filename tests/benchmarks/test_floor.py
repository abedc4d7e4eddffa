"""The floor of bring-up makes what netlab makes, and takes it away again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import manifests
from benchmarks.floor import POD, Floor
from netlab.cluster import resolve
from netlab.dataplane.wanted import wanted
from netlab.kernel.state import Sysctl

Inside = Callable[..., list[str]]


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """Runs a program in a namespace of a floor of three pods on two nodes; returns the words that it prints."""
    floor = Floor(3, 2, tmp_path)
    floor.up()

    def run(name: str, *words: str) -> list[str]:
        command = ["nsenter", f"--net={tmp_path / name}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    yield run
    floor.down()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-4", "-br", "addr", "show", "eth0"], ["eth0@if102", "UP", "10.244.0.4/16"]),
        (["-br", "link", "show", "lo"], ["lo", "UNKNOWN", "00:00:00:00:00:00", "<LOOPBACK,UP,LOWER_UP>"]),
        (["route", "show", "default"], ["default", "via", "10.244.0.1", "dev", "eth0", "proto", "static"]),
        (["neigh"], ["10.244.0.1", "dev", "eth0", "lladdr", "0a:58:0a:f4:00:01", "PERMANENT"]),
    ],
    ids=["address", "loopback", "route", "neighbour"],
)
def test_a_pod_has_what_a_pod_of_a_lab_has(inside: Inside, words: list[str], expected: list[str]):
    """Its address, loopback, the way out and a neighbour entry for the gateway."""
    assert expected == inside("pod-2", "ip", *words)


def test_pods_are_spread_over_the_nodes_bridges(inside: Inside):
    """Every second pod is a port of one node's bridge, and the node knows its MAC."""
    ports = inside("node-0", "ip", "-o", "link", "show", "master", "br-default")
    neighbours = inside("node-0", "ip", "-4", "neigh", "show", "dev", "br-default")

    assert 2 == ports.count("br-default")
    assert 2 == neighbours.count("PERMANENT")


def test_nodes_forward_and_are_joined_by_an_underlay(inside: Inside):
    """A node is a router with an address that the other nodes are in reach of."""
    assert ["1"] == inside("node-1", "sysctl", "-n", "net.ipv4.ip_forward")
    assert ["underlay0@if101", "UP", "100.64.0.2/16"] == inside(
        "node-1", "ip", "-4", "-br", "addr", "show", "underlay0"
    )


def test_the_floor_writes_the_settings_that_netlab_writes():
    """No setting of a pod more, and none less: there are as many as pods, where a node's hardly count."""
    documents = [manifests.topology("floor", 1), *manifests.shops(1, 1)]
    pod = wanted(resolve(manifests.objects(documents))).namespaces["netlab.floor.pod.shop-0.client-0"]

    assert set(POD) == {(item.name, item.value) for item in pod.items if isinstance(item, Sysctl)}


def test_nothing_is_left(tmp_path: Path):
    """After ``down`` no namespace is pinned."""
    floor = Floor(3, 2, tmp_path)
    floor.up()
    floor.down()

    assert [] == list(tmp_path.iterdir())
