"""Topology as a value: a lab's networks, nodes, outside hosts, and settings of policy that Kubernetes leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from netlab import modes
from netlab.frozen import frozen
from netlab.objects.types import Address, Prefix, Source


@frozen
class TopologyNetwork:
    """One network of a Topology; ``pod_cidrs`` has at most one prefix per IP family.

    ``unwritten`` has the fields that the input leaves out (``mode``, ``podCIDRs``). ``resolve`` chooses their values.
    """

    name: str = "default"
    mode: str = modes.ONE_NODE
    pod_cidrs: tuple[Prefix, ...] = (IPv4Network("10.244.0.0/16"),)
    path: str = "spec.networks[0]"
    unwritten: frozenset[str] = frozenset()

    @property
    def traits(self) -> modes.Mode:
        """The traits of its mode."""
        return modes.of(self.mode)


@frozen
class TopologyNode:
    """One node of a Topology."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    path: str = ""


@frozen
class TopologyHost:
    """A machine outside the cluster, on the underlay; DNS of the cluster answers ``hostnames`` with its addresses."""

    name: str
    addresses: tuple[Address, ...]
    path: str = ""
    hostnames: tuple[str, ...] = ()


Icmp = Literal["rules-without-ports", "allow"]
Deny = Literal["drop", "reject"]
IpBlockPods = Literal["match", "ignore"]
OwnNode = Literal["allow", "enforce"]
HostNetworkPeers = Literal["ignore", "match"]
Established = Literal["keep", "reevaluate"]
Hairpin = Literal["subject", "exempt"]


@frozen
class TopologyPolicy:
    """Behaviour of policies that Kubernetes leaves to the implementation: ``spec.policy`` of a Topology.

    ``icmp`` (``icmp``): with ``rules-without-ports``, ICMP is allowed by rules without ports only, as such a rule
    allows every protocol; with ``allow``, all ICMP is allowed.

    ``deny`` (``deny``): ``drop`` drops denied packets; ``reject`` answers them with ICMP "administratively
    prohibited", so that clients fail at once. The verdict is deny in both cases.

    ``ip_block_pods`` (``ipBlockPods``): with ``match``, an ipBlock matches all addresses in it, those of pods too; with
    ``ignore``, it does not match addresses of pods, so that only selectors do.

    ``own_node`` (``ownNode``): with ``allow``, a pod may always send to its own node, as the first section of the
    documentation says; with ``enforce``, the pod's egress policy applies, as its section on isolation says, which
    exempts ingress only. A node may always send to its own pods.

    ``host_network_peers`` (``hostNetworkPeers``): with ``ignore``, selectors of peers match no host-network pods; with
    ``match``, they match them by their node's addresses, and so all of that node. No policy selects a host-network pod
    as its subject.

    ``established`` (``established``): with ``keep``, an allowed connection stays open when policies change; with
    ``reevaluate``, the policies in force judge every packet, replies too. A connection that they no longer allow stops
    at the change, and continues when they allow it again. Each packet then takes the look-ups that with ``keep`` only
    the first one takes.

    ``hairpin`` (``hairpin``): a pod that reaches itself through a Service; with ``subject``, the pod's policies apply;
    with ``exempt``, they do not.
    """

    icmp: Icmp = "rules-without-ports"
    deny: Deny = "drop"
    ip_block_pods: IpBlockPods = "match"
    own_node: OwnNode = "allow"
    host_network_peers: HostNetworkPeers = "ignore"
    established: Established = "keep"
    hairpin: Hairpin = "subject"


@frozen
class Topology:
    """A lab's networks, nodes and hosts; fields that the input leaves out have their defaults.

    ``unwritten`` has the fields that the input leaves out (``underlayCIDRs``, ``serviceCIDRs``,
    ``loadBalancerCIDRs``). ``resolve`` chooses their values. The fields after it are those of ``Cluster``.
    """

    name: str = "default"
    networks: tuple[TopologyNetwork, ...] = (TopologyNetwork(unwritten=frozenset({"mode", "podCIDRs"})),)
    nodes: tuple[TopologyNode, ...] = ()
    hosts: tuple[TopologyHost, ...] = ()
    underlay_cidrs: tuple[Prefix, ...] = (IPv4Network("100.64.0.0/16"), IPv6Network("fd00:100:64::/64"))
    source: Source = field(default_factory=Source, compare=False)
    policy: TopologyPolicy = TopologyPolicy()
    unwritten: frozenset[str] = frozenset({"underlayCIDRs", "serviceCIDRs", "loadBalancerCIDRs"})
    service_cidrs: tuple[Prefix, ...] = (IPv4Network("10.96.0.0/16"), IPv6Network("fd00:10:96::/112"))
    load_balancer_cidrs: tuple[Prefix, ...] = (IPv4Network("198.18.0.0/24"), IPv6Network("fd00:198:18::/112"))
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_domain: str = "cluster.local"
    dns: bool = True
