"""Topology: a lab's networks, nodes and hosts. Every field has a default; unknown and duplicate fields are errors."""

from __future__ import annotations

from typing import get_args

from netlab import modes
from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import UNUSUAL_CIDR, cidr_warnings
from netlab.objects.core_v1 import addresses, prefixes
from netlab.objects.field_types import ADDRESS, CIDR, Choice, OnFlag, Part, Parts, Root, Text, Texts, Unread
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.label_selectors import labels_of
from netlab.objects.meta import WrittenByServer, open_document
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
    TopologyHost,
    TopologyNetwork,
    TopologyNode,
    TopologyPolicy,
)
from netlab.objects.topology_checks import (
    WrittenAddresses,
    check_host_addresses,
    check_hostnames,
    check_names,
    check_pod_cidrs,
    check_service_size,
    check_virtual_ranges,
    fits_hosts,
    fits_pods,
)
from netlab.objects.types import Document, Prefix
from netlab.objects.usable import whole

_DEFAULT = Topology()
_MOST_PORT = 65535
_VXLAN = 8472
_LONGEST_RANGE = len("65535-65535")
LOOPBACK_ONLY = modes.NONE.name
"""The value of the annotation ``netlab/network`` for a pod with a loopback interface only."""


class _Metadata(WrittenByServer, strict=True):
    """The metadata of a Topology."""

    name = Text("name", "The lab's name.", default=_DEFAULT.name)
    labels = labels_of("labels", "Labels, which netlab checks and does not use.")
    generate_name = Unread("generateName", "Not read.")
    namespace = Unread("namespace", "Not read, as the kind has no namespace.")
    annotations = Unread("annotations", "Not read.")
    owners = Unread("ownerReferences", "Not read.")


def _modes() -> list[str]:
    return [each.name for each in modes.of_networks()]


class _Network(Shape, strict=True):
    """A network of pods; the first one is the default network."""

    name = Text("name", "The network's name; the first network is `default`.", check=names.dns_label)
    mode = Choice(
        "mode",
        "How pods are wired; by default `overlay` on two or more nodes.",
        values=_modes,
        default=_DEFAULT.networks[0].mode,
    )
    pod_cidrs = Texts(
        "podCIDRs",
        "The ranges of the pods' addresses, at most one per IP family. The first network's follow the exported pods.",
        pattern=CIDR,
        default="of the first: " + ", ".join(f"`{cidr}`" for cidr in _DEFAULT.networks[0].pod_cidrs),
    )


class _Node(Shape, strict=True):
    """A node of the cluster."""

    name = Text("name", "The node's name; by default `node-1`, `node-2` and so on.", check=names.dns_label)
    labels = labels_of("labels", "Labels, as of a Kubernetes Node.")


class _Host(Shape, strict=True):
    """A machine outside the cluster, on the underlay."""

    name = Text("name", "The host's name.", check=names.dns_label, required=True)
    addresses = Texts("addresses", "The host's addresses.", pattern=ADDRESS, required=True)
    hostnames = Texts("hostnames", "DNS names that the lab answers with the host's addresses.")


class _Policy(Shape, strict=True):
    """Behaviour of policies that Kubernetes leaves to the implementation."""

    icmp = Choice[Icmp](
        "icmp",
        "Whether ICMP is allowed by rules without ports only, or always.",
        values=get_args(Icmp),
        default=_DEFAULT.policy.icmp,
    )
    deny = Choice[Deny](
        "deny",
        "Whether denied packets are dropped, or answered with an ICMP error.",
        values=get_args(Deny),
        default=_DEFAULT.policy.deny,
    )
    ip_block_pods = Choice[IpBlockPods](
        "ipBlockPods",
        "Whether an ipBlock matches addresses of pods.",
        values=get_args(IpBlockPods),
        default=_DEFAULT.policy.ip_block_pods,
    )
    own_node = Choice[OwnNode](
        "ownNode",
        "Whether a pod may send to its own node whatever its egress rules are.",
        values=get_args(OwnNode),
        default=_DEFAULT.policy.own_node,
    )
    host_network_peers = Choice[HostNetworkPeers](
        "hostNetworkPeers",
        "Whether selectors of peers match host-network pods, by their node's address.",
        values=get_args(HostNetworkPeers),
        default=_DEFAULT.policy.host_network_peers,
    )
    established = Choice[Established](
        "established",
        "Whether an allowed connection stays open after a change, or policies judge each packet.",
        values=get_args(Established),
        default=_DEFAULT.policy.established,
    )
    hairpin = Choice[Hairpin](
        "hairpin",
        "Whether policies apply to a pod that reaches itself through a Service.",
        values=get_args(Hairpin),
        default=_DEFAULT.policy.hairpin,
    )


class _Spec(Shape, strict=True):
    """The spec of a Topology."""

    networks = Parts("networks", "The networks of pods.", shape=_Network, default="one network, `default`")
    nodes = Parts(
        "nodes", "The nodes; those of Kubernetes Node objects are added.", shape=_Node, default="the pods' nodeNames"
    )
    hosts = Parts("hosts", "Machines outside the cluster.", shape=_Host)
    underlay_cidrs = Texts(
        "underlayCIDRs",
        "The ranges of the nodes' own addresses, at most one per IP family. They follow the exported nodes.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in _DEFAULT.underlay_cidrs),
    )
    service_cidrs = Texts(
        "serviceCIDRs",
        "The ranges of the Services' addresses, at most one per IP family.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in _DEFAULT.service_cidrs),
    )
    load_balancer_cidrs = Texts(
        "loadBalancerCIDRs",
        "The ranges of the addresses of load balancers, at most one per IP family.",
        pattern=CIDR,
        default=", ".join(f"`{cidr}`" for cidr in _DEFAULT.load_balancer_cidrs),
    )
    node_ports = Text(
        "nodePortRange", "The range of the nodes' ports for Services.", default="-".join(map(str, _DEFAULT.node_ports))
    )
    cluster_domain = Text("clusterDomain", "The DNS domain of the cluster.", default=_DEFAULT.cluster_domain)
    dns = OnFlag("dns", "Whether the lab answers DNS.")
    policy = Part("policy", "Behaviour of policies that Kubernetes leaves open.", shape=_Policy)


class _Root(Root, strict=True):
    """A lab: its networks, its nodes and the hosts outside."""

    metadata = Part("metadata", "The lab's name.", shape=_Metadata)
    spec = Part("spec", "The lab's networks, nodes and hosts.", shape=_Spec)


def topology(document: Document) -> tuple[Topology, list[Problem]]:
    """Decode a Topology, and check the rules across its fields."""
    root = open_document(document, strict=True)
    _Root.only(root)
    spec = _Root.spec.read(root)
    _Spec.only(spec)
    written = WrittenAddresses()
    networks = tuple(_network(item, index, written) for index, item in enumerate(_Spec.networks.read(spec)))
    underlay = tuple(cidr for _, cidr in _cidrs(spec, _Spec.underlay_cidrs))
    ranges = (_Spec.service_cidrs, _Spec.load_balancer_cidrs)
    services, balancers = (_virtual(spec, field, written) for field in ranges)
    domain = _cluster_domain(spec)
    found = Topology(
        _lab_name(_Root.metadata.read(root)),
        networks or _DEFAULT.networks,
        tuple(_node(item, index) for index, item in enumerate(_Spec.nodes.read(spec))),
        tuple(_host(item, written) for item in _Spec.hosts.read(spec)),
        underlay or _DEFAULT.underlay_cidrs,
        document.source,
        _policy(_Spec.policy.read(spec)),
        frozenset(field.name for field in (_Spec.underlay_cidrs, *ranges) if field.empty(spec)),
        services or _DEFAULT.service_cidrs,
        balancers or _DEFAULT.load_balancer_cidrs,
        _node_ports(spec),
        domain,
        _Spec.dns.read(spec),
    )
    check_names(root, found.networks)
    check_names(root, found.nodes)
    check_names(root, found.hosts)
    check_pod_cidrs(root, written, underlay)
    check_host_addresses(root, written)
    check_virtual_ranges(root, written, underlay)
    check_hostnames(root, written, domain)
    return found, root.report.problems


def _virtual(spec: Fields, field: Texts, written: WrittenAddresses) -> tuple[Prefix, ...]:
    """Decode the ranges of Services or of load balancers."""
    cidrs = _cidrs(spec, field)
    for path, cidr in cidrs:
        if not fits_pods(cidr):
            spec.report.error(path, invalid(str(cidr), "must hold addresses that a Service can have"))
        elif field is _Spec.service_cidrs:
            check_service_size(spec, path, cidr)
    written.virtual += [(field.name, path, cidr) for path, cidr in cidrs]
    return tuple(cidr for _, cidr in cidrs)


def _cluster_domain(spec: Fields) -> str:
    domain = _Spec.cluster_domain.read(spec)
    if _Spec.cluster_domain.missing(spec):
        return _DEFAULT.cluster_domain
    messages = names.dns_subdomain(domain)
    for message in messages:
        _Spec.cluster_domain.error(spec, invalid(domain, message))
    return _DEFAULT.cluster_domain if messages else domain


def _node_ports(spec: Fields) -> tuple[int, int]:
    text = _Spec.node_ports.read(spec)
    low, dash, high = text.partition("-")
    fits = low.isascii() and low.isdecimal() and high.isascii() and high.isdecimal() and len(text) <= _LONGEST_RANGE
    if dash and fits and 1 <= int(low) <= int(high) <= _MOST_PORT:
        if int(low) <= _VXLAN <= int(high):
            message = f"must not hold {_VXLAN}, at which nodes take packets of VXLAN"
            _Spec.node_ports.error(spec, invalid(text, message))
        return int(low), int(high)
    message = f"must be two ports from 1 to {_MOST_PORT}, such as {_Spec.node_ports.default}"
    _Spec.node_ports.error(spec, invalid(text, message))
    return _DEFAULT.node_ports


def _lab_name(metadata: Fields) -> str:
    _Metadata.only(metadata)
    name = _Metadata.name.read(metadata)
    for message in names.dns_label(name):
        _Metadata.name.error(metadata, invalid(name, message))
    _Metadata.labels.read(metadata)
    return name


def _name(fields: Fields, field: Text, default: str = "") -> str:
    name = field.read(fields, default)
    if not name:
        field.error(fields, required())
    return name


def _network(fields: Fields, index: int, written: WrittenAddresses) -> TopologyNetwork:
    _Network.only(fields)
    default = _DEFAULT.networks[0]
    name = _name(fields, _Network.name, "" if index else default.name)
    if name == LOOPBACK_ONLY:
        message = "may not be the name of a network: for a pod it means loopback only"
        _Network.name.error(fields, invalid(name, message))
    cidrs = _cidrs(fields, _Network.pod_cidrs)
    if index and _Network.pod_cidrs.empty(fields):
        _Network.pod_cidrs.error(fields, required("only the first network has a default"))
    written.pod_cidrs += [(name, path, cidr) for path, cidr in cidrs]
    for path, cidr in cidrs:
        if not fits_pods(cidr):
            fields.report.error(path, invalid(str(cidr), "must hold addresses that a pod can have"))
    mode = _Network.mode.read(fields)
    unwritten = frozenset(field.name for field in (_Network.mode, _Network.pod_cidrs) if field.empty(fields))
    own = tuple(cidr for _, cidr in cidrs) if index or cidrs else default.pod_cidrs
    return TopologyNetwork(name, mode, own, fields.path, unwritten)


def _cidrs(fields: Fields, field: Texts) -> list[tuple[str, Prefix]]:
    """Decode a list of CIDRs, at most one per IP family, each with its path."""
    texts = field.read(fields)
    cidrs = prefixes(fields, texts)
    for path, text in texts:
        for warning in cidr_warnings(text):
            fields.report.warn(path, warning, UNUSUAL_CIDR)
    first: dict[int, Prefix] = {}
    for path, cidr in cidrs:
        if cidr.version in first:
            message = f"may not have a second IPv{cidr.version} CIDR beside {first[cidr.version]}"
            fields.report.error(path, invalid(str(cidr), message))
        first.setdefault(cidr.version, cidr)
    return cidrs


def _node(fields: Fields, index: int) -> TopologyNode:
    _Node.only(fields)
    labels = _Node.labels.read(fields)
    return TopologyNode(_name(fields, _Node.name, f"node-{index + 1}"), labels, fields.path)


def _host(fields: Fields, written: WrittenAddresses) -> TopologyHost:
    _Host.only(fields)
    name = _name(fields, _Host.name)
    found = addresses(fields, _Host.addresses.read(fields))
    if _Host.addresses.empty(fields):
        _Host.addresses.error(fields, required("a host has at least one address"))
    for path, address in found:
        if not fits_hosts(address):
            fields.report.error(path, invalid(str(address), "must be an address that a machine can have"))
    written.hosts += [(name, path, address) for path, address in found]
    hostnames = _Host.hostnames.read(fields)
    written.hostnames += [(name, path, text) for path, text in hostnames]
    addresses_of = tuple(address for _, address in found)
    return TopologyHost(name, addresses_of, fields.path, tuple(text for _, text in hostnames))


def _policy(fields: Fields) -> TopologyPolicy:
    _Policy.only(fields)
    return TopologyPolicy(
        icmp=_Policy.icmp.read(fields),
        deny=_Policy.deny.read(fields),
        ip_block_pods=_Policy.ip_block_pods.read(fields),
        own_node=_Policy.own_node.read(fields),
        host_network_peers=_Policy.host_network_peers.read(fields),
        established=_Policy.established.read(fields),
        hairpin=_Policy.hairpin.read(fields),
    )


KIND = Kind(
    "Topology",
    NETLAB_VERSION,
    Topology,
    topology,
    namespaced=False,
    unknown_if_wrong=(
        (r"metadata\b.*|spec\.(policy|nodePortRange|clusterDomain|dns)\b.*", ()),
        (r"spec\.hosts\b.*", ("hosts",)),
        (r"spec\.nodes\b.*", ("nodes", "addresses", "places")),
        (r"spec\.(underlay|service|loadBalancer)CIDRs\b.*|spec\.networks\[\d+\]\.podCIDRs\b.*", ("addresses",)),
        (r"spec\.networks\b.*", ("networks", "addresses")),
        (r".*", ("nodes", "networks", "hosts", "addresses", "places")),
    ),
    usable=whole,
    shape=_Root,
)
