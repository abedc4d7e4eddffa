"""What reaches what in each mode, row by row."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology

from netlab.cluster import Cluster
from netlab.cluster.paths import Path, path, path_to_address
from netlab.cluster.types import address_of

MODES = ("bridge", "overlay", "routed", "macvlan")

# Source, destination and, for each mode, what becomes of a packet: "no" when it has no way, else the source address
# that arrives (the source's own or that of node n1), with E and I where egress and ingress policy are enforced.
TABLE = [
    ("x/a", "x/b", "own EI", "own EI", "own EI", "own"),
    ("x/a", "x/c", "no", "own EI", "own EI", "own"),
    ("x/a", "host:client", "n1 E", "n1 E", "own E", "own"),
    ("host:client", "x/a", "no", "no", "own I", "own"),
    ("x/a", "node:n1", "own", "own", "own", "no"),
    ("x/a", "node:n2", "n1 E", "n1 E", "own E", "own"),
    ("x/a", "x/host1", "own", "own", "own", "no"),
    ("x/a", "x/host2", "n1 E", "n1 E", "own E", "own"),
    ("node:n1", "x/a", "own", "own", "own", "no"),
    ("node:n2", "x/a", "no", "own I", "own I", "own"),
    ("x/host1", "x/a", "own", "own", "own", "no"),
    ("x/host2", "x/a", "no", "own I", "own I", "own"),
    ("x/host1", "x/host2", "own", "own", "own", "own"),
    ("x/host1", "node:n1", "own", "own", "own", "own"),
    ("x/host1", "host:client", "own", "own", "own", "own"),
    ("host:client", "x/host1", "own", "own", "own", "own"),
    ("host:client", "node:n1", "own", "own", "own", "own"),
    ("node:n1", "node:n2", "own", "own", "own", "own"),
    ("x/a", "x/a", "own", "own", "own", "own"),
    ("x/lo", "x/a", "no", "no", "no", "no"),
    ("x/a", "x/lo", "no", "no", "no", "no"),
    ("x/lo", "x/lo", "no", "no", "no", "no"),
    ("node:n1", "x/lo", "no", "no", "no", "no"),
    ("x/lo", "host:client", "no", "no", "no", "no"),
]
ROWS = [
    pytest.param(mode, row[0], row[1], row[2 + i], id=f"{mode}: {row[0]} to {row[1]}")
    for row in TABLE
    for i, mode in enumerate(MODES)
]


def lab(mode: str) -> Cluster:
    return cluster(
        topology(["n1", "n2"], mode=mode, hosts={"client": ["192.0.2.10"]}),
        *(pod(f"x/{name}", node="n1") for name in "ab"),
        pod("x/c", node="n2"),
        pod("x/host1", node="n1", host=True),
        pod("x/host2", node="n2", host=True),
        pod("x/lo", node="n1", network="none"),
    )


def described(way: Path, of: Cluster, source: str) -> str:
    if not way.connected:
        return "no"
    names = {address_of(of.node("n1"), 4): "n1", address_of(of.by_ref[source], 4): "own"}
    enforced = "E" * way.egress_enforced + "I" * way.ingress_enforced
    return f"{names[way.seen_as]} {enforced}".strip()


@pytest.mark.parametrize(("mode", "source", "destination", "expected"), ROWS)
def test_modes(mode: str, source: str, destination: str, expected: str) -> None:
    """The path of each pair is as in the table."""
    of = lab(mode)
    way = path(of, of.by_ref[source], of.by_ref[destination], 4)

    assert expected == described(way, of, source)


@pytest.mark.parametrize(("mode", "source", "destination", "expected"), ROWS)
def test_a_path_that_is_not_connected_has_a_reason(mode: str, source: str, destination: str, expected: str) -> None:
    """A path has a reason if, and only if, it is not connected."""
    of = lab(mode)
    way = path(of, of.by_ref[source], of.by_ref[destination], 4)

    assert ("no" == expected) == bool(way.reason)


@pytest.mark.parametrize("mode", MODES)
def test_other_networks_are_not_joined(mode: str) -> None:
    """Pods of different networks do not reach one another, on the same node or on two."""
    of = cluster(
        topology(["n1", "n2"], networks={"one": (mode, "10.1.0.0/16"), "two": (mode, "10.2.0.0/16")}),
        pod("x/a", node="n1"),
        pod("x/b", node="n1", network="two"),
        pod("x/c", node="n2", network="two"),
    )

    assert not path(of, of.by_ref["x/a"], of.by_ref["x/b"], 4).connected
    assert not path(of, of.by_ref["x/a"], of.by_ref["x/c"], 4).connected


def test_a_path_does_not_depend_on_earlier_calls() -> None:
    """The cache of paths does not mix pairs: every pair of a mixed lab is as in a lab with an empty cache."""
    things = [
        topology(
            ["n1", "n2"],
            networks={m: (m, f"10.{i}.0.0/16") for i, m in enumerate(MODES)},
            hosts={"client": ["192.0.2.10"]},
        ),
        *(pod(f"x/{m}-{n}{i}", node=n, network=m) for m in MODES for n in ("n1", "n2") for i in range(2)),
        pod("x/host1", node="n1", host=True),
        pod("x/lo", node="n1", network="none"),
    ]
    asked = cluster(*things)
    pairs = [(one, other, family) for one in asked.by_ref for other in asked.by_ref for family in (4, 6)]
    for _ in range(2):
        for one, other, family in pairs:
            fresh = replace(asked)
            anew = path(fresh, fresh.by_ref[one], fresh.by_ref[other], family)

            assert anew == path(asked, asked.by_ref[one], asked.by_ref[other], family)


@pytest.mark.parametrize(("source", "destination"), [("node:n1", "x/a"), ("x/host1", "x/a")])
def test_a_node_reaches_its_own_pods(source: str, destination: str) -> None:
    """No policy applies to packets of a node, or of its host-network pods, to the node's pods."""
    of = lab("overlay")

    assert path(of, of.by_ref[source], of.by_ref[destination], 4).node_to_own_pod


@pytest.mark.parametrize(("source", "destination"), [("x/a", "x/a"), ("x/host1", "node:n1"), ("node:n1", "x/host1")])
def test_one_namespace_is_local(source: str, destination: str) -> None:
    """A path inside of one network namespace is local."""
    of = lab("overlay")

    assert path(of, of.by_ref[source], of.by_ref[destination], 4).local


def test_a_family_that_one_end_does_not_have() -> None:
    """There is no path in a family that one end has no address of."""
    of = lab("routed")
    way = path(of, of.by_ref["x/a"], of.by_ref["x/b"], 6)

    assert "x/a has no IPv6 address" == way.reason


@pytest.mark.parametrize(("mode", "enforced"), [("bridge", True), ("macvlan", False)])
def test_an_address_that_no_machine_has(mode: str, enforced: bool) -> None:
    """The path is not connected. The source's egress policy still applies."""
    of = lab(mode)
    way = path_to_address(of, of.by_ref["x/a"], ip_address("203.0.113.9"))

    assert (False, "no machine of the lab has 203.0.113.9", enforced) == (
        way.connected,
        way.reason,
        way.egress_enforced,
    )
