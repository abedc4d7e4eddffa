"""Topology: its fields, its defaults, and the rules across its fields."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from name_messages import SUBDOMAIN

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


def test_the_fields_of_services_are_decoded(read_text: Read) -> None:
    """Ranges, node ports, the cluster's domain, DNS, host names and hairpin."""
    objects, problems = read_text(
        topology(
            'serviceCIDRs: [172.20.0.0/16, "fd00:1::/112"], loadBalancerCIDRs: [203.0.113.0/24], '
            "nodePortRange: 30000-30099, clusterDomain: lab.example, dns: false, policy: {hairpin: exempt}, "
            "hosts: [{name: a, addresses: [192.0.2.1], hostnames: [api.example.com, b.example]}]"
        )
    )
    found = objects.topology

    assert found is not None
    assert [] == problems
    assert (ip_network("172.20.0.0/16"), ip_network("fd00:1::/112")) == found.service_cidrs
    assert (ip_network("203.0.113.0/24"),) == found.load_balancer_cidrs
    assert ((30000, 30099), "lab.example", False, "exempt") == (
        found.node_ports,
        found.cluster_domain,
        found.dns,
        found.policy.hairpin,
    )
    assert ("api.example.com", "b.example") == found.hosts[0].hostnames
    assert {"underlayCIDRs"} == found.unwritten


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
HOST = "{name: a, addresses: [192.0.2.1]"
DOTS = "must not contain dots"
WRONG = [
    ("lab name", topology("", "a.b"), [f'metadata.name: Invalid value: "a.b": {DOTS}']),
    (
        "long lab name",
        topology("", "a" * 64),
        [f'metadata.name: Invalid value: "{"a" * 64}": must be no more than 63 characters'],
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
        [f'{NET}.mode: Unsupported value: "vlan": supported values: "bridge", "overlay", "routed", "macvlan", "cni"'],
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
            ("icmp", '"rules-without-ports", "allow", "basic-always"'),
            ("deny", '"drop", "reject"'),
            ("ipBlockPods", '"match", "ignore"'),
            ("ownNode", '"allow", "enforce"'),
            ("hostNetworkPeers", '"ignore", "match"'),
            ("established", '"keep", "reevaluate"'),
            ("hairpin", '"subject", "exempt", "unwired"'),
        )
    ),
    (
        "service range too large",
        topology('serviceCIDRs: [10.96.0.0/11, "fd00:10:96::/64"]'),
        [
            'spec.serviceCIDRs[0]: Invalid value: "10.96.0.0/11": must be a range from /12 to /28',
            'spec.serviceCIDRs[1]: Invalid value: "fd00:10:96::/64": must be a range from /108 to /124',
        ],
    ),
    (
        "service range too small",
        topology("serviceCIDRs: [10.96.0.0/29]"),
        ['spec.serviceCIDRs[0]: Invalid value: "10.96.0.0/29": must be a range from /12 to /28'],
    ),
    (
        "service range of loopback",
        topology("serviceCIDRs: [127.0.0.0/16]"),
        ['spec.serviceCIDRs[0]: Invalid value: "127.0.0.0/16": must hold addresses that a Service can have'],
    ),
    (
        "two service ranges of a family",
        topology("serviceCIDRs: [10.1.0.0/16, 10.2.0.0/16]"),
        ['spec.serviceCIDRs[1]: Invalid value: "10.2.0.0/16": may not have a second IPv4 CIDR beside 10.1.0.0/16'],
    ),
    (
        "service range in a podCIDR",
        topology("networks: [{podCIDRs: [10.1.0.0/16]}], serviceCIDRs: [10.1.9.0/24]"),
        ['spec.serviceCIDRs[0]: Invalid value: "10.1.9.0/24": overlaps podCIDR 10.1.0.0/16 of network "default"'],
    ),
    (
        "service range in the underlay",
        topology("underlayCIDRs: [10.1.0.0/16], serviceCIDRs: [10.1.9.0/24]"),
        ['spec.serviceCIDRs[0]: Invalid value: "10.1.9.0/24": overlaps underlay CIDR 10.1.0.0/16 (spec.underlayCIDRs)'],
    ),
    (
        "load balancers in the service range",
        topology("serviceCIDRs: [10.1.0.0/16], loadBalancerCIDRs: [10.1.9.0/24]"),
        ['spec.loadBalancerCIDRs[0]: Invalid value: "10.1.9.0/24": overlaps 10.1.0.0/16 (spec.serviceCIDRs)'],
    ),
    (
        "host in the range of load balancers",
        topology("loadBalancerCIDRs: [192.0.2.0/24], hosts: [{name: a, addresses: [192.0.2.1]}]"),
        ['spec.hosts[0].addresses[0]: Invalid value: "192.0.2.1": is inside 192.0.2.0/24 (spec.loadBalancerCIDRs)'],
    ),
    *(
        (
            f"node ports {text}",
            topology(f"nodePortRange: {text}"),
            [f'spec.nodePortRange: Invalid value: "{text}": must be two ports from 1 to 65535, such as 30000-32767'],
        )
        for text in ("a", "0-9", "9-8", "1-65536", "-1-9", "30000-", "٣-٤")
    ),
    (
        "node ports with the port of VXLAN",
        topology("nodePortRange: 1-65535"),
        ['spec.nodePortRange: Invalid value: "1-65535": must not hold 8472, at which nodes take packets of VXLAN'],
    ),
    (
        "cluster domain",
        topology("clusterDomain: a_b"),
        [f'spec.clusterDomain: Invalid value: "a_b": {SUBDOMAIN}'],
    ),
    (
        "hostname with a wildcard",
        topology(f"hosts: [{HOST}, hostnames: ['*.example.com']}}]"),
        [f'spec.hosts[0].hostnames[0]: Invalid value: "*.example.com": {SUBDOMAIN}'],
    ),
    (
        "hostname that is an address",
        topology(f"hosts: [{HOST}, hostnames: [192.0.2.7]}}]"),
        ['spec.hosts[0].hostnames[0]: Invalid value: "192.0.2.7": must be a DNS name, not an IP address'],
    ),
    (
        "hostname in the cluster's domain",
        topology(f"hosts: [{HOST}, hostnames: [db.shop.svc.cluster.local]}}]"),
        [
            'spec.hosts[0].hostnames[0]: Invalid value: "db.shop.svc.cluster.local": '
            "is in the cluster's domain, cluster.local"
        ],
    ),
    (
        "hostname twice",
        topology(f"hosts: [{HOST}, hostnames: [a.b]}}, {{name: b, addresses: [192.0.2.2], hostnames: [a.b]}}]"),
        ['spec.hosts[1].hostnames[0]: Duplicate value: "a.b": host "a" has it'],
    ),
    ("dns", topology("dns: 1"), ["spec.dns: Invalid value: 1: must be a boolean"]),
    ("duplicate field", topology("nodes: [], nodes: []"), ["spec.nodes: duplicate field"]),
    (
        "version",
        "{apiVersion: netlab/v1, kind: Topology}",
        ['apiVersion: Invalid value: "netlab/v1": no Topology that netlab reads; write "netlab/v1alpha1"'],
    ),
    (
        "kind",
        "{apiVersion: netlab/v1alpha1, kind: Topolgy}",
        [
            'kind: Unsupported value: "Topolgy": supported values: "Topology", "Profile", "Scenario", "Invariants",'
            ' "Lesson"'
        ],
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
