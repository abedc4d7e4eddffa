"""Topology, as a value: a lab's networks, nodes and outside hosts, and its choices in what Kubernetes leaves open."""

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

    ``unwritten`` names the fields that are not written (``mode``, ``podCIDRs``): the input may change their defaults.
    """

    name: str = "default"
    mode: str = modes.ONE_NODE
    pod_cidrs: tuple[Prefix, ...] = (IPv4Network("10.244.0.0/16"),)
    path: str = "spec.networks[0]"
    unwritten: frozenset[str] = frozenset()

    @property
    def traits(self) -> modes.Mode:
        """What its mode means."""
        return modes.of(self.mode)


@frozen
class TopologyNode:
    """One node of a Topology."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    path: str = ""


@frozen
class TopologyHost:
    """A machine outside the cluster, on the underlay."""

    name: str
    addresses: tuple[Address, ...]
    path: str = ""


Icmp = Literal["rules-without-ports", "allow"]
Deny = Literal["drop", "reject"]
IpBlockPods = Literal["match", "ignore"]
OwnNode = Literal["allow", "enforce"]
HostNetworkPeers = Literal["ignore", "match"]
Established = Literal["keep", "reevaluate"]


@frozen
class TopologyPolicy:
    """What policies do where Kubernetes leaves it to the implementation: ``spec.policy`` of a Topology.

    ``icmp`` (``icmp``): ``rules-without-ports`` lets ICMP through by rules that list no ports and by those only, as a
    rule without ports means every protocol; ``allow`` lets all ICMP pass, whatever the policies say.

    ``deny`` (``deny``): ``drop`` discards what is not allowed; ``reject`` answers it with ICMP "administratively
    prohibited", so that clients fail at once. Both are the verdict deny.

    ``ip_block_pods`` (``ipBlockPods``): ``match`` reads an ipBlock by addresses alone, those of pods too; ``ignore``
    has it mean addresses that are no pod's, so that only selectors let pods in.

    ``own_node`` (``ownNode``): ``allow`` leaves what a pod sends to its own node alone, as the documentation's first
    section has it; ``enforce`` puts it under the pod's egress, as its section on isolation has it, which exempts
    ingress only. What the node sends to its own pods passes either way.

    ``host_network_peers`` (``hostNetworkPeers``): ``ignore`` has selectors of peers mean no host-network pod;
    ``match`` has them mean it by its node's addresses, and so everything of that node, which has the same ones.
    Policies never select a host-network pod as their subject.

    ``established`` (``established``): ``keep`` lets a connection that was once allowed live on when policies change;
    ``reevaluate`` judges every packet, replies too, by the policies in force, so that a connection that they no longer
    allow is cut in the moment of the change, and flows again when they do. It costs each packet the lookups that
    otherwise only the first one pays.
    """

    icmp: Icmp = "rules-without-ports"
    deny: Deny = "drop"
    ip_block_pods: IpBlockPods = "match"
    own_node: OwnNode = "allow"
    host_network_peers: HostNetworkPeers = "ignore"
    established: Established = "keep"


@frozen
class Topology:
    """A lab's shape; every field has its default when the user wrote none.

    ``unwritten`` names the fields that are not written (``underlayCIDRs``): the input may change their defaults.
    """

    name: str = "default"
    networks: tuple[TopologyNetwork, ...] = (TopologyNetwork(unwritten=frozenset({"mode", "podCIDRs"})),)
    nodes: tuple[TopologyNode, ...] = ()
    hosts: tuple[TopologyHost, ...] = ()
    underlay_cidrs: tuple[Prefix, ...] = (IPv4Network("100.64.0.0/16"), IPv6Network("fd00:100:64::/64"))
    source: Source = field(default_factory=Source, compare=False)
    policy: TopologyPolicy = TopologyPolicy()
    unwritten: frozenset[str] = frozenset({"underlayCIDRs"})
