"""Names of namespaces and links: each names one item of one lab, for every name that users give."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, pod, topology

from netlab.cluster.types import Cluster, Host, Node, Pod
from netlab.dataplane import names
from netlab.dataplane.wanted import wanted
from netlab.errors import UsageError

LAB = "l" * 63


def one(**more: Any) -> Pod:
    """A pod as a program may make it."""
    values = {"namespace": "x", "name": "a", "labels": {}, "annotations": {}, "node": "a", "attachment": "bridge"}
    return Pod(**{**values, "network": "default", "addresses": (), **more})


def test_the_longest_names_fit_a_file_and_begin_with_the_lab() -> None:
    """They are cut behind the lab's prefix."""
    longest = one(namespace="n" * 63, name="p" * 253)
    found = [
        names.pod_namespace(LAB, longest),
        names.node_namespace(LAB, "k" * 253),
        names.host_namespace(LAB, "h" * 63),
        names.underlay_namespace(LAB),
    ]

    assert all(len(name.encode()) <= 255 and names.belongs(LAB, name) for name in found)


def test_names_that_are_cut_stay_different() -> None:
    """With any last letters."""
    pods = [one(namespace="n" * 63, name="p" * 240 + f"{number}") for number in range(1000)]

    assert 1000 == len({names.pod_namespace(LAB, each) for each in pods})


@pytest.mark.parametrize(
    "name",
    [
        *("netlab.b.pod.x", "netlab.", "netlab.a", "netlab.aa.node.x", "a", "", "..", "netlab.a./x", "netlab.a.\n"),
        *(
            "netlab.a.x/../../b",
            "xnetlab.a.x",
            "/run/netns/netlab.a.x",
            f"netlab.a.{'x' * 255}",
            None,
            1,
            ["netlab.a.x"],
        ),
    ],
)
def test_a_name_without_the_labs_prefix_is_not_the_labs(name: object) -> None:
    """Nor is an invalid name."""
    assert not names.belongs("a", name)


SMALL = cluster(topology(["a"]), pod("x/a"))
HOSTILE = ("..", "../../x", "a/b", "a\nb", 'a"b', "a b", "\x1b[2J", "", "A", "é")


def _with(where: str, name: str) -> Cluster:
    node = replace(SMALL.nodes[0], name=name) if where == "node" else SMALL.nodes[0]
    made: dict[str, Any] = {
        "lab": {"name": name},
        "node": {"nodes": (node,)},
        "host": {"hosts": (Host(name, (ip_address("192.0.2.1"),)),)},
        "network": {"networks": (replace(SMALL.networks[0], name=name),)},
        "namespace": {"pods": (replace(SMALL.pods[0], namespace=name),)},
        "pod": {"pods": (replace(SMALL.pods[0], name=name),)},
    }
    return replace(SMALL, **made[where])


@pytest.mark.parametrize("where", ["lab", "node", "host", "network", "namespace", "pod"])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_objects_that_a_program_made_are_checked(where: str, name: str) -> None:
    """A name that could be a path is refused."""
    with pytest.raises(UsageError, match=f"{where} "):
        wanted(_with(where, name))


def test_an_address_with_a_zone_is_refused() -> None:
    """A zone may be any text, and addresses are keys of nftables' sets."""
    address = ip_address("2001:db8::1%}\n flush ruleset")
    for made in (
        replace(SMALL, hosts=(Host("h", (address,)),)),
        replace(SMALL, pods=(replace(SMALL.pods[0], addresses=(address,)),)),
        replace(SMALL, nodes=(replace(SMALL.nodes[0], addresses=(address,)),)),
    ):
        with pytest.raises(UsageError, match="has a zone"):
            wanted(made)


def test_two_that_would_share_an_interface_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of interfaces have room for a few digits of a hash; one of two is to be renamed."""
    monkeypatch.setattr(names, "_digest", lambda text: "00000000")
    with pytest.raises(UsageError, match="x/a and x/b would have one interface name, veth00000000: rename one of them"):
        wanted(cluster(topology(["a"]), pod("x/a"), pod("x/b")))
    with pytest.raises(UsageError, match="node:a and node:b would have one interface name, port00000000"):
        wanted(cluster(topology(["a", "b"])))
    one_, other = ((f"some-networks-{c}", ("bridge", f"10.{i}.0.0/16")) for i, c in enumerate("ab", start=1))
    with pytest.raises(UsageError, match="some-networks-a and some-networks-b would have one interface name, br-som-0"):
        wanted(cluster(topology(["a"], dict([one_, other]))))


def test_pods_of_two_nodes_may_share_an_interface_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each node has a namespace of its own. Of 100,000 pods, two have one name more often than not."""
    monkeypatch.setattr(names, "port_name", lambda pod: "veth00000000")
    found = wanted(cluster(topology(["a", "b"]), pod("x/a", node="a"), pod("x/b", node="b")))

    ports = [one for space in found.values() for one in space.items if getattr(one, "name", "") == "veth00000000"]
    assert 2 == len(ports)


def test_a_nodes_name_may_have_dots() -> None:
    """Node objects of a cloud are named after their machines."""
    node = Node("ip-10-0-0-1.ec2.internal", {}, (ip_address("100.64.0.1"),), {})

    assert "netlab.l.node.ip-10-0-0-1.ec2.internal" == names.endpoint_namespace("l", node)
