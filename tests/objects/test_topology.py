"""Topology: its fields, its defaults, and the rules across its fields."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from netlab.errors import Problem
from netlab.objects import Objects
from netlab.objects.topology import Topology, TopologyHost, TopologyNetwork, TopologyNode

Read = Callable[[str], tuple[Objects, list[Problem]]]


def topology(spec: str, name: str = "lab") -> str:
    return f"{{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {{name: {name}}}, spec: {{{spec}}}}}"


def test_everything_has_a_default(read_text: Read) -> None:
    """An empty Topology is the same as none."""
    objects, problems = read_text("{apiVersion: netlab/v1alpha1, kind: Topology}")

    assert [] == problems
    assert Topology() == objects.topology


def test_parts_of_a_network_have_defaults(read_text: Read) -> None:
    """The first network has a name, a mode and addresses; nodes have numbers."""
    objects, problems = read_text(topology("networks: [{}], nodes: [{}, {labels: {zone: a}}]"))

    assert [] == problems
    assert objects.topology is not None
    assert Topology().networks == objects.topology.networks
    assert ["node-1", "node-2"] == [n.name for n in objects.topology.nodes]


RANGES = ("serviceCIDRs", "loadBalancerCIDRs")


def test_a_topology_is_decoded(read_text: Read) -> None:
    """Networks, nodes, hosts and the underlay."""
    objects, problems = read_text(
        topology(
            "networks: [{name: pods, mode: bridge, podCIDRs: [10.1.0.0/16]}],"
            "nodes: [{name: a, labels: {zone: x}}, {name: b}],"
            "hosts: [{name: client, addresses: [192.0.2.10]}, {name: cloud, addresses: [169.254.169.254]}],"
            "underlayCIDRs: [10.9.0.0/24]",
            "two-nodes",
        )
    )

    assert [] == problems
    assert (
        Topology(
            "two-nodes",
            (TopologyNetwork("pods", "bridge", (ip_network("10.1.0.0/16"),)),),
            (TopologyNode("a", {"zone": "x"}, "spec.nodes[0]"), TopologyNode("b", {}, "spec.nodes[1]")),
            (
                TopologyHost("client", (ip_address("192.0.2.10"),), "spec.hosts[0]"),
                TopologyHost("cloud", (ip_address("169.254.169.254"),), "spec.hosts[1]"),
            ),
            (ip_network("10.9.0.0/24"),),
            unwritten=frozenset(RANGES),
        )
        == objects.topology
    )


NET = "spec.networks[0]"
DOTS = "must not contain dots"
WRONG = [
    ("lab name", topology("", "a.b"), [f'metadata.name: Invalid value: "a.b": {DOTS}']),
    (
        "long lab name",
        topology("", "a" * 64),
        [f'metadata.name: Invalid value: "{"a" * 64}": must be no more than 63 bytes'],
    ),
    ("node name", topology("nodes: [{name: a.b}]"), [f'spec.nodes[0].name: Invalid value: "a.b": {DOTS}']),
    ("network name", topology("networks: [{name: a.b}]"), [f'{NET}.name: Invalid value: "a.b": {DOTS}']),
    ("host without name", topology("hosts: [{addresses: [192.0.2.1]}]"), ["spec.hosts[0].name: Required value"]),
    (
        "host without address",
        topology("hosts: [{name: a}]"),
        ["spec.hosts[0].addresses: Required value: a host has at least one address"],
    ),
    (
        "mode",
        topology("networks: [{mode: vlan}]"),
        [f'{NET}.mode: Unsupported value: "vlan": supported values: "bridge", "overlay", "routed", "macvlan"'],
    ),
    (
        "bad podCIDR",
        topology("networks: [{podCIDRs: [10.0.0.0]}]"),
        [
            f'{NET}.podCIDRs[0]: Invalid value: "10.0.0.0": '
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ],
    ),
    (
        "two podCIDRs of a family",
        topology("networks: [{podCIDRs: [10.1.0.0/16, 10.2.0.0/16]}]"),
        [f'{NET}.podCIDRs[1]: Invalid value: "10.2.0.0/16": may not have a second IPv4 CIDR beside 10.1.0.0/16'],
    ),
    (
        "two underlay CIDRs of a family",
        topology("underlayCIDRs: [10.1.0.0/16, 10.2.0.0/16]"),
        ['spec.underlayCIDRs[1]: Invalid value: "10.2.0.0/16": may not have a second IPv4 CIDR beside 10.1.0.0/16'],
    ),
    (
        "loopback podCIDR",
        topology("networks: [{podCIDRs: [127.0.0.0/16]}]"),
        [f'{NET}.podCIDRs[0]: Invalid value: "127.0.0.0/16": must hold addresses that a pod can have'],
    ),
    (
        "podCIDR in the underlay",
        topology("networks: [{podCIDRs: [100.64.1.0/24]}], underlayCIDRs: [100.64.0.0/16]"),
        [
            f'{NET}.podCIDRs[0]: Invalid value: "100.64.1.0/24": '
            "overlaps underlay CIDR 100.64.0.0/16 (spec.underlayCIDRs)"
        ],
    ),
    (
        "host in a podCIDR",
        topology("networks: [{podCIDRs: [10.244.0.0/16]}], hosts: [{name: a, addresses: [10.244.0.1]}]"),
        [
            'spec.hosts[0].addresses[0]: Invalid value: "10.244.0.1": '
            'is inside podCIDR 10.244.0.0/16 of network "default"'
        ],
    ),
    (
        "two hosts with an address",
        topology("hosts: [{name: a, addresses: [192.0.2.1]}, {name: b, addresses: [192.0.2.2, 192.0.2.1]}]"),
        ['spec.hosts[1].addresses[1]: Duplicate value: "192.0.2.1": host "a" has it'],
    ),
    (
        "bad address",
        topology("hosts: [{name: a, addresses: [192.0.2.0/24]}]"),
        [
            'spec.hosts[0].addresses[0]: Invalid value: "192.0.2.0/24": '
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        ],
    ),
    (
        "multicast address",
        topology("hosts: [{name: a, addresses: [224.0.0.1]}]"),
        ['spec.hosts[0].addresses[0]: Invalid value: "224.0.0.1": must be an address that a machine can have'],
    ),
    ("two nodes of a name", topology("nodes: [{name: a}, {name: a}]"), ['spec.nodes[1].name: Duplicate value: "a"']),
    (
        "two hosts of a name",
        topology("hosts: [{name: a, addresses: [192.0.2.1]}, {name: a, addresses: [192.0.2.2]}]"),
        ['spec.hosts[1].name: Duplicate value: "a"'],
    ),
    (
        "node label",
        topology("nodes: [{name: a, labels: {b: 1}}]"),
        ["spec.nodes[0].labels.b: Invalid value: 1: must be a string; put it in quotes"],
    ),
    (
        "a network called none",
        topology("networks: [{name: none}]"),
        [f'{NET}.name: Invalid value: "none": may not be the name of a network: for a pod it means loopback only'],
    ),
    ("unknown field", topology("network: []"), ['spec.network: unknown field "network"; did you mean "networks"?']),
    (
        "unknown field of a network",
        topology("networks: [{podCIDR: 10.1.0.0/16}]"),
        [f'{NET}.podCIDR: unknown field "podCIDR"; did you mean "podCIDRs"?'],
    ),
    (
        "unknown field of the policy settings",
        topology("policy: {ipBlockPod: ignore}"),
        ['spec.policy.ipBlockPod: unknown field "ipBlockPod"; did you mean "ipBlockPods"?'],
    ),
    *(
        (
            f"value of {name}",
            topology(f"policy: {{{name}: maybe}}"),
            [f'spec.policy.{name}: Unsupported value: "maybe": supported values: {values}'],
        )
        for name, values in (
            ("icmp", '"rules-without-ports", "allow"'),
            ("deny", '"drop", "reject"'),
            ("ipBlockPods", '"match", "ignore"'),
            ("ownNode", '"allow", "enforce"'),
            ("hostNetworkPeers", '"ignore", "match"'),
            ("established", '"keep", "reevaluate"'),
        )
    ),
    ("duplicate field", topology("nodes: [], nodes: []"), ["spec.nodes: duplicate field"]),
    (
        "version",
        "{apiVersion: netlab/v1, kind: Topology}",
        ['apiVersion: Invalid value: "netlab/v1": no Topology that netlab reads; write "netlab/v1alpha1"'],
    ),
    (
        "kind",
        "{apiVersion: netlab/v1alpha1, kind: Topolgy}",
        ['kind: Unsupported value: "Topolgy": supported values: "Topology", "Scenario"'],
    ),
]


@pytest.mark.parametrize(("text", "messages"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_fields_that_do_not_fit_are_refused(
    problems: Callable[[str], list[str]], text: str, messages: list[str]
) -> None:
    """Each error has its path."""
    assert messages == problems(text)


@pytest.mark.parametrize(
    ("spec", "unwritten"),
    [
        ("", [{"mode", "podCIDRs"}, {"underlayCIDRs", *RANGES}]),
        ("networks: [{}]", [{"mode", "podCIDRs"}, {"underlayCIDRs", *RANGES}]),
        ("networks: [{mode: routed}], underlayCIDRs: []", [{"podCIDRs"}, {"underlayCIDRs", *RANGES}]),
        ("networks: [{podCIDRs: [10.1.0.0/16]}], underlayCIDRs: [10.2.0.0/16]", [{"mode"}, {*RANGES}]),
        ("networks: [{mode: bridge, podCIDRs: [10.244.0.0/16]}]", [set(), {"underlayCIDRs", *RANGES}]),
    ],
)
def test_unwritten_fields_are_known(read_text: Read, spec: str, unwritten: list[set[str]]) -> None:
    """A written value counts as written, even if it equals the default."""
    objects, _ = read_text(topology(spec))

    assert objects.topology is not None
    assert unwritten == [objects.topology.networks[0].unwritten, objects.topology.unwritten]


@pytest.mark.parametrize(
    "spec",
    [
        "underlayCIDRs: [10.244.0.0/24]",
        "hosts: [{name: a, addresses: [10.244.0.1]}]",
        "networks: [{podCIDRs: [100.64.1.0/24]}]",
        "networks: [{podCIDRs: [100.64.0.0/14]}]",
        "networks: [{}, {name: b, podCIDRs: [10.244.0.0/16]}]",
    ],
)
def test_a_default_collides_with_nothing(problems: Callable[[str], list[str]], spec: str) -> None:
    """A written range may overlap a default one. Another default is then used."""
    assert [] == problems(topology(spec))


def test_networks_may_not_overlap(problems: Callable[[str], list[str]]) -> None:
    """It is reported together with a missing podCIDR."""
    found = problems(
        topology("networks: [{name: a, podCIDRs: [10.1.0.0/16]}, {name: b, podCIDRs: [10.1.2.0/24]}, {name: a}]")
    )

    assert [
        "spec.networks[2].podCIDRs: Required value: only the first network has a default",
        'spec.networks[2].name: Duplicate value: "a"',
        'spec.networks[1].podCIDRs[0]: Invalid value: "10.1.2.0/24": overlaps podCIDR 10.1.0.0/16 of network "a"',
    ] == [message for message in found if "not supported yet" not in message]


def test_masked_host_bits_have_a_warning(read_text: Read) -> None:
    """They are accepted, and probably a mistake."""
    objects, (problem,) = read_text(topology("networks: [{podCIDRs: [10.1.2.3/16]}]"))

    assert objects.topology is not None
    assert (ip_network("10.1.0.0/16"),) == objects.topology.networks[0].pod_cidrs
    assert ("warning", "spec.networks[0].podCIDRs[0]") == (problem.severity, problem.path)


def test_a_second_topology_is_an_error(read_text: Read) -> None:
    """With the same or another name. The message has the place of the first one."""
    _, problems = read_text(f"{topology('')}\n---\n{topology('', 'other')}\n---\n{topology('')}\n")

    assert [
        "x.yaml:3: Topology other: a second Topology: the first is at x.yaml:1",
        "x.yaml:5: Topology lab: a second Topology: the first is at x.yaml:1",
    ] == [str(p) for p in problems]
