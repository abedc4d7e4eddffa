"""The fields of a Topology, as declarations."""

from __future__ import annotations

from typing import get_args

from netlab import modes
from netlab.modes.wiring import DefaultRoute, Masquerade, MtuPlace, PrefixLength, RemoteNodeSource
from netlab.objects import names, versions
from netlab.objects.field_types import (
    ADDRESS,
    CIDR,
    Choice,
    OneOf,
    OnFlag,
    Part,
    Parts,
    Raw,
    Root,
    Switch,
    Text,
    Texts,
    Unread,
    Whole,
)
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import WrittenByServer
from netlab.objects.shapes import Shape
from netlab.objects.topology import (
    Baseline,
    BaselineAdmin,
    ClusterPolicies,
    Deny,
    Directions,
    EndPort,
    Enforcement,
    Established,
    Except,
    Hairpin,
    HostNetworkPeers,
    Icmp,
    IpBlockNodes,
    IpBlockPods,
    Isolation,
    Multicast,
    NamedPorts,
    NodePorts,
    OwnNode,
    RejectWith,
    Sctp,
    Selectors,
    ServiceEgress,
    Topology,
    Unpublished,
)

DEFAULT = Topology()
_DECIMAL = r"[0-9]{1,12}(\.[0-9]{1,6})?"
_TIME, _SHARE, _RATE = (rf"^{_DECIMAL}{unit}$" for unit in ("(us|ms|s)", "%", "[kmgtKMGT]?bit"))


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


class WiringShape(Shape, strict=True):
    """Choices of a network's wiring that differ from those of its mode."""

    attachment = OneOf("attachment", "How a pod is joined to its node.", values=[*modes.ATTACHMENTS])
    transport = OneOf("transport", "How packets get from node to node.", values=[*modes.TRANSPORTS])
    masquerade = OneOf(
        "masquerade", "Which packets of pods get the address of their node.", values=get_args(Masquerade)
    )
    outside_routes = Switch("outsideRoutes", "Whether outside hosts have routes to the addresses of pods.")
    remote_node_source = OneOf(
        "remoteNodeSource",
        "The source address of a node's packets to pods of other nodes.",
        values=get_args(RemoteNodeSource),
    )
    bridge_name = Text("bridgeName", "The name of the bridge on each node.", check=names.interface)
    tunnel_name = Text("tunnelName", "The name of the tunnel device on each node.", check=names.interface)
    port_prefix = Text("portPrefix", "The start of the name of a pod's link on its node.", check=names.interface_start)
    port_mac = Text("portMAC", "The MAC of the pods' links on their node.", check=names.mac)
    vni = Whole("vni", "The VXLAN network identifier.", low=1, high=2**24 - 1)
    tunnel_port = Whole("tunnelPort", "The UDP port of the tunnel.", low=1, high=65535)
    mtu = Whole("mtu", "The MTU of pods, in bytes.", low=1280, high=65535)
    mtu_place = OneOf("mtuPlace", "Where pods have their MTU.", values=get_args(MtuPlace))
    prefix_length = OneOf(
        "prefixLength",
        "The length of a pod's prefix: that of one address, of the node's range, or of the podCIDR.",
        values=get_args(PrefixLength),
    )
    gateway = Text("gateway", "The IPv4 gateway of pods that have none in their range.", check=names.ipv4)
    default_route = OneOf(
        "defaultRoute", "Whether a pod's default route has a next hop.", values=get_args(DefaultRoute)
    )
    hairpin_mode = Switch(
        "hairpinMode", "Whether a bridge always sends frames of a pod back to it, unless `hairpin` is `unwired`."
    )
    proxy_arp = Switch("proxyARP", "Whether a node answers ARP for every address on the links of its pods.")


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
    wiring = Part("wiring", "Choices of wiring that differ from those of the mode.", shape=WiringShape)
    conflist = Raw(
        "conflist",
        "For mode `cni`: the file of a CNI network configuration list, relative to this file, or the list itself.",
        type=lambda: {"type": ["string", "object", "null"]},
    )


class NodeShape(Shape, strict=True):
    """A node of the cluster."""

    name = Text("name", "The node's name; by default `node-1`, `node-2` and so on.", check=names.dns_label)
    labels = labels_of("labels", "Labels, as of a Kubernetes Node.")
    machine = Text(
        "machine",
        "The machine that has the node, where a lab is on many machines; by default nodes are spread evenly.",
        check=names.dns_label,
    )


class HostShape(Shape, strict=True):
    """A machine outside the cluster, on the underlay."""

    name = Text("name", "The host's name.", check=names.dns_label, required=True)
    addresses = Texts("addresses", "The host's addresses.", pattern=ADDRESS, required=True)
    hostnames = Texts("hostnames", "DNS names that the lab answers with the host's addresses.")
    machine = Text(
        "machine",
        "The machine that has the host, where a lab is on many machines; by default the first one with nodes.",
        check=names.dns_label,
    )


class PolicyShape(Shape, strict=True):
    """Behaviour of policies that Kubernetes leaves to the implementation."""

    enforcement = Choice[Enforcement](
        "enforcement",
        "Whether anything enforces policies.",
        values=get_args(Enforcement),
        default=DEFAULT.policy.enforcement,
    )
    icmp = Choice[Icmp](
        "icmp",
        "Whether ICMP is allowed by rules without ports only, always, or always for its basic kinds.",
        values=get_args(Icmp),
        default=DEFAULT.policy.icmp,
    )
    sctp = Choice[Sctp](
        "sctp",
        "Whether policies judge SCTP, or all SCTP of pods is dropped.",
        values=get_args(Sctp),
        default=DEFAULT.policy.sctp,
    )
    deny = Choice[Deny](
        "deny",
        "Whether denied packets are dropped, or answered with an ICMP error.",
        values=get_args(Deny),
        default=DEFAULT.policy.deny,
    )
    reject_with = Choice[RejectWith](
        "rejectWith",
        "What a rejected packet is answered with.",
        values=get_args(RejectWith),
        default=DEFAULT.policy.reject_with,
    )
    ip_block_pods = Choice[IpBlockPods](
        "ipBlockPods",
        "Whether an ipBlock matches addresses of pods.",
        values=get_args(IpBlockPods),
        default=DEFAULT.policy.ip_block_pods,
    )
    ip_block_nodes = Choice[IpBlockNodes](
        "ipBlockNodes",
        "Whether an ipBlock matches addresses of nodes.",
        values=get_args(IpBlockNodes),
        default=DEFAULT.policy.ip_block_nodes,
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
    node_ports = Choice[NodePorts](
        "nodePorts",
        "Whether egress policies judge packets to node ports and Services at the own node.",
        values=get_args(NodePorts),
        default=DEFAULT.policy.node_ports,
    )
    named_ports = Choice[NamedPorts](
        "namedPorts",
        "What a named port of a rule means.",
        values=get_args(NamedPorts),
        default=DEFAULT.policy.named_ports,
    )
    end_port = Choice[EndPort](
        "endPort",
        "Whether `endPort` is read.",
        values=get_args(EndPort),
        default=DEFAULT.policy.end_port,
    )
    except_ = Choice[Except](
        "except",
        "Which ipBlocks an exception is subtracted from.",
        values=get_args(Except),
        default=DEFAULT.policy.except_,
    )
    directions = Choice[Directions](
        "directions",
        "Whether policies judge egress.",
        values=get_args(Directions),
        default=DEFAULT.policy.directions,
    )
    selectors = Choice[Selectors](
        "selectors",
        "Whether selectors read all labels, or the label `romana.io/segment` only.",
        values=get_args(Selectors),
        default=DEFAULT.policy.selectors,
    )
    isolation = Choice[Isolation](
        "isolation",
        "Whether policies isolate the pods that they select, or an annotation isolates a namespace.",
        values=get_args(Isolation),
        default=DEFAULT.policy.isolation,
    )
    multicast = Choice[Multicast](
        "multicast",
        "Whether policies judge packets to multicast addresses.",
        values=get_args(Multicast),
        default=DEFAULT.policy.multicast,
    )
    unpublished = Choice[Unpublished](
        "unpublished",
        "Whether packets from outside of a pod's network reach ports that are not published.",
        values=get_args(Unpublished),
        default=DEFAULT.policy.unpublished,
    )
    service_egress = Choice[ServiceEgress](
        "serviceEgress",
        "Whether egress policies judge the endpoint or the address of a Service.",
        values=get_args(ServiceEgress),
        default=DEFAULT.policy.service_egress,
    )
    baseline = Choice[Baseline](
        "baseline",
        "Whether the tier Baseline is asked in directions without isolation, or for pods without isolation.",
        values=get_args(Baseline),
        default=DEFAULT.policy.baseline,
    )
    baseline_admin = Choice[BaselineAdmin](
        "baselineAdmin",
        "Whether the BaselineAdminNetworkPolicy decides before or after all others of its tier.",
        values=get_args(BaselineAdmin),
        default=DEFAULT.policy.baseline_admin,
    )
    cluster_policies = Choice[ClusterPolicies](
        "clusterPolicies",
        "Which kinds of cluster-wide policies are read.",
        values=get_args(ClusterPolicies),
        default=DEFAULT.policy.cluster_policies,
    )


class LinkShape(Shape, strict=True):
    """A link that delays, loses or limits packets, in both directions."""

    between = Texts(
        "between",
        "Two nodes or hosts; or one node, host or pod (`NAMESPACE/POD`), for all packets that it sends and gets.",
        required=True,
        most=2,
    )
    delay = Text("delay", "How long each packet waits: `20ms`.", pattern=_TIME)
    jitter = Text("jitter", "How much the delay varies in each direction: `2ms`.", pattern=_TIME)
    loss = Text("loss", "The share of packets that are lost: `0.1%`.", pattern=_SHARE)
    duplicate = Text("duplicate", "The share of packets that are sent twice.", pattern=_SHARE)
    corrupt = Text("corrupt", "The share of packets with a wrong bit.", pattern=_SHARE)
    reorder = Text("reorder", "The share of packets that do not wait, and so overtake others.", pattern=_SHARE)
    rate = Text("rate", "The most bits a second: `100mbit`.", pattern=_RATE)


class SpecShape(Shape, strict=True):
    """The spec of a Topology."""

    profile = Text("profile", "The CNI whose wiring and policy behaviour the lab has: the name of a profile.")
    networks = Parts("networks", "The networks of pods.", shape=NetworkShape, default="one network, `default`")
    nodes = Parts(
        "nodes",
        "The nodes; those of Kubernetes Node objects are added.",
        shape=NodeShape,
        default="the pods' nodeNames",
    )
    hosts = Parts("hosts", "Machines outside the cluster.", shape=HostShape)
    links = Parts("links", "Links that delay, lose or limit packets.", shape=LinkShape)
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
    kubernetes_version = Text(
        versions.FIELD,
        "The version of Kubernetes by whose rules objects are accepted: where versions differ, this one counts.",
        default=versions.text(versions.NEWEST),
        pattern=versions.PATTERN,
    )
    policy = Part("policy", "Behaviour of policies that Kubernetes leaves open.", shape=PolicyShape)


class TopologyRoot(Root, strict=True):
    """A lab: its networks, its nodes and the hosts outside."""

    metadata = Part("metadata", "The lab's name.", shape=MetadataShape)
    spec = Part("spec", "The lab's networks, nodes and hosts.", shape=SpecShape)
