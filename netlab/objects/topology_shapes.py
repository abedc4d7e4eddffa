"""The fields of a Topology, as declarations."""

from __future__ import annotations

from typing import get_args

from netlab import modes
from netlab.objects import names
from netlab.objects.field_types import ADDRESS, CIDR, Choice, OnFlag, Part, Parts, Root, Text, Texts, Unread
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import WrittenByServer
from netlab.objects.shapes import Shape
from netlab.objects.topology import (
    Deny,
    Established,
    Hairpin,
    HostNetworkPeers,
    Icmp,
    IpBlockPods,
    OwnNode,
    Topology,
)

DEFAULT = Topology()


class MetadataShape(WrittenByServer, strict=True):
    """The metadata of a Topology."""

    name = Text("name", "The lab's name.", default=DEFAULT.name)
    labels = labels_of("labels", "Labels, which netlab checks and does not use.")
    generate_name = Unread("generateName", "Not read.")
    namespace = Unread("namespace", "Not read, as the kind has no namespace.")
    annotations = Unread("annotations", "Not read.")
    owners = Unread("ownerReferences", "Not read.")


def _modes() -> list[str]:
    return [each.name for each in modes.of_networks()]


class NetworkShape(Shape, strict=True):
    """A network of pods; the first one is the default network."""

    name = Text("name", "The network's name; the first network is `default`.", check=names.dns_label)
    mode = Choice(
        "mode",
        "How pods are wired; by default `overlay` on two or more nodes.",
        values=_modes,
        default=DEFAULT.networks[0].mode,
    )
    pod_cidrs = Texts(
        "podCIDRs",
        "The ranges of the pods' addresses, at most one per IP family. The first network's follow the exported pods.",
        pattern=CIDR,
        default="of the first: " + ", ".join(f"`{cidr}`" for cidr in DEFAULT.networks[0].pod_cidrs),
    )


class NodeShape(Shape, strict=True):
    """A node of the cluster."""

    name = Text("name", "The node's name; by default `node-1`, `node-2` and so on.", check=names.dns_label)
    labels = labels_of("labels", "Labels, as of a Kubernetes Node.")


class HostShape(Shape, strict=True):
    """A machine outside the cluster, on the underlay."""

    name = Text("name", "The host's name.", check=names.dns_label, required=True)
    addresses = Texts("addresses", "The host's addresses.", pattern=ADDRESS, required=True)
    hostnames = Texts("hostnames", "DNS names that the lab answers with the host's addresses.")


class PolicyShape(Shape, strict=True):
    """Behaviour of policies that Kubernetes leaves to the implementation."""

    icmp = Choice[Icmp](
        "icmp",
        "Whether ICMP is allowed by rules without ports only, or always.",
        values=get_args(Icmp),
        default=DEFAULT.policy.icmp,
    )
    deny = Choice[Deny](
        "deny",
        "Whether denied packets are dropped, or answered with an ICMP error.",
        values=get_args(Deny),
        default=DEFAULT.policy.deny,
    )
    ip_block_pods = Choice[IpBlockPods](
        "ipBlockPods",
        "Whether an ipBlock matches addresses of pods.",
        values=get_args(IpBlockPods),
        default=DEFAULT.policy.ip_block_pods,
    )
    own_node = Choice[OwnNode](
        "ownNode",
        "Whether a pod may send to its own node whatever its egress rules are.",
        values=get_args(OwnNode),
        default=DEFAULT.policy.own_node,
    )
    host_network_peers = Choice[HostNetworkPeers](
        "hostNetworkPeers",
        "Whether selectors of peers match host-network pods, by their node's address.",
        values=get_args(HostNetworkPeers),
        default=DEFAULT.policy.host_network_peers,
    )
    established = Choice[Established](
        "established",
        "Whether an allowed connection stays open after a change, or policies judge each packet.",
        values=get_args(Established),
        default=DEFAULT.policy.established,
    )
    hairpin = Choice[Hairpin](
        "hairpin",
        "Whether policies apply to a pod that reaches itself through a Service.",
        values=get_args(Hairpin),
        default=DEFAULT.policy.hairpin,
    )


class SpecShape(Shape, strict=True):
    """The spec of a Topology."""

    networks = Parts("networks", "The networks of pods.", shape=NetworkShape, default="one network, `default`")
    nodes = Parts(
        "nodes",
        "The nodes; those of Kubernetes Node objects are added.",
        shape=NodeShape,
        default="the pods' nodeNames",
    )
    hosts = Parts("hosts", "Machines outside the cluster.", shape=HostShape)
    underlay_cidrs = Texts(
        "underlayCIDRs",
        "The ranges of the nodes' own addresses, at most one per IP family. They follow the exported nodes.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in DEFAULT.underlay_cidrs),
    )
    service_cidrs = Texts(
        "serviceCIDRs",
        "The ranges of the Services' addresses, at most one per IP family.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in DEFAULT.service_cidrs),
    )
    load_balancer_cidrs = Texts(
        "loadBalancerCIDRs",
        "The ranges of the addresses of load balancers, at most one per IP family.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in DEFAULT.load_balancer_cidrs),
    )
    node_ports = Text(
        "nodePortRange", "The range of the nodes' ports for Services.", default="-".join(map(str, DEFAULT.node_ports))
    )
    cluster_domain = Text("clusterDomain", "The DNS domain of the cluster.", default=DEFAULT.cluster_domain)
    dns = OnFlag("dns", "Whether the lab answers DNS.")
    policy = Part("policy", "Behaviour of policies that Kubernetes leaves open.", shape=PolicyShape)


class TopologyRoot(Root, strict=True):
    """A lab: its networks, its nodes and the hosts outside."""

    metadata = Part("metadata", "The lab's name.", shape=MetadataShape)
    spec = Part("spec", "The lab's networks, nodes and hosts.", shape=SpecShape)
