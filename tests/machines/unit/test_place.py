"""Which machine has which node."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, node

from netlab.cluster.types import Host
from netlab.errors import HostError
from netlab.machines.place import place
from netlab.objects.topology import Topology, TopologyHost, TopologyNode

MACHINES = ("m1", "m2", "m3")


def nodes(*numbers: int):
    return cluster(*(node(f"n{number}") for number in numbers))


CASES = {
    "evenly, neighbours together": (
        nodes(1, 2, 3, 4, 5, 6),
        None,
        {},
        {"n1": "m1", "n2": "m1", "n3": "m2", "n4": "m2", "n5": "m3", "n6": "m3"},
    ),
    "more on the first": (nodes(1, 2, 3, 4), None, {}, {"n1": "m1", "n2": "m1", "n3": "m2", "n4": "m3"}),
    "fewer nodes than machines": (nodes(1), None, {}, {"n1": "m1"}),
    "a node stays": (nodes(1, 2), None, {"n1": "m3", "n2": "m1"}, {"n1": "m3", "n2": "m1"}),
    "a new node where fewest are": (
        nodes(1, 2, 3, 4),
        None,
        {"n1": "m1", "n2": "m1", "n3": "m2"},
        {"n1": "m1", "n2": "m1", "n3": "m2", "n4": "m3"},
    ),
    "the Topology decides": (
        nodes(1, 2),
        Topology("t", nodes=(TopologyNode("n1", machine="m2"), TopologyNode("n2", machine="m2"))),
        {"n1": "m1", "n2": "m1"},
        {"n1": "m2", "n2": "m2"},
    ),
    "others are spread beside those of the Topology": (
        nodes(1, 2, 3),
        Topology("t", nodes=(TopologyNode("n1", machine="m2"),)),
        {},
        {"n1": "m2", "n2": "m1", "n3": "m3"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_nodes_have_machines(case):
    """The same for the same input."""
    of, topology, before, wanted = CASES[case]
    found = place(of, topology, MACHINES, {f"node:{name}": machine for name, machine in before.items()})

    assert {f"node:{name}": machine for name, machine in wanted.items()} == found


def test_no_machine_and_an_unknown_machine_are_errors():
    """The error has the names of those that are registered."""
    topology = Topology("t", nodes=(TopologyNode("n1", machine="m9"),))

    with pytest.raises(HostError, match="no machine is registered"):
        place(nodes(1), None, (), {})
    with pytest.raises(HostError, match=r"machine m9 of the Topology is not registered \(registered: m1, m2, m3\)"):
        place(nodes(1), topology, MACHINES, {})


def test_outside_hosts_are_on_the_first_machine_with_nodes_or_where_the_topology_says():
    """A machine without nodes gets none."""
    first, second = ((ip_address(f"198.51.100.{number}"),) for number in (1, 2))
    of = replace(nodes(1), hosts=(Host("h1", first), Host("h2", second)))
    asked = TopologyHost("h2", second, machine="m3")
    topology = Topology("t", hosts=(asked,), nodes=(TopologyNode("n1", machine="m2"),))
    found = place(of, topology, MACHINES, {})

    assert {"node:n1": "m2", "host:h1": "m2", "host:h2": "m3"} == found
