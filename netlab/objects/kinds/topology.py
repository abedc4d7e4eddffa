"""Topology: a lab's networks, nodes and hosts. Every field has a default; unknown and duplicate fields are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab import modes
from netlab.errors import Problem
from netlab.modes.wiring import Wiring
from netlab.objects import names, versions
from netlab.objects.addresses import UNUSUAL_CIDR, cidr_warnings
from netlab.objects.core_v1 import addresses, prefixes
from netlab.objects.field_types import Text, Texts
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.meta import open_document
from netlab.objects.topology import (
    LOOPBACK_ONLY,
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
from netlab.objects.topology_shapes import (
    DEFAULT,
    HostShape,
    LinkShape,
    MetadataShape,
    NetworkShape,
    NodeShape,
    PolicyShape,
    SpecShape,
    TopologyRoot,
    WiringShape,
)
from netlab.objects.types import Document, Prefix
from netlab.objects.usable import whole

if TYPE_CHECKING:
    from netlab.objects.links import TopologyLink

_MOST_PORT = 65535
_VXLAN = 8472
_MOST_ENDS = 2
_LONGEST_RANGE = len("65535-65535")


def topology(document: Document) -> tuple[Topology, list[Problem]]:
    """Decode a Topology, and check the rules across its fields."""
    root = open_document(document, strict=True)
    TopologyRoot.only(root)
    spec = TopologyRoot.spec.read(root)
    SpecShape.only(spec)
    written = WrittenAddresses()
    networks = tuple(_network(item, index, written) for index, item in enumerate(SpecShape.networks.read(spec)))
    underlay = tuple(cidr for _, cidr in _cidrs(spec, SpecShape.underlay_cidrs))
    ranges = (SpecShape.service_cidrs, SpecShape.load_balancer_cidrs)
    services, balancers = (_virtual(spec, field, written) for field in ranges)
    domain = _cluster_domain(spec)
    version = SpecShape.kubernetes_version.read(spec)
    if versions.parse(version) is None:
        SpecShape.kubernetes_version.error(spec, invalid(version, versions.RULE))
    found = Topology(
        _lab_name(TopologyRoot.metadata.read(root)),
        networks or DEFAULT.networks,
        tuple(_node(item, index) for index, item in enumerate(SpecShape.nodes.read(spec))),
        tuple(_host(item, written) for item in SpecShape.hosts.read(spec)),
        underlay or DEFAULT.underlay_cidrs,
        document.source,
        policy_of(SpecShape.policy.read(spec)),
        frozenset(field.name for field in (SpecShape.underlay_cidrs, *ranges) if field.empty(spec)),
        services or DEFAULT.service_cidrs,
        balancers or DEFAULT.load_balancer_cidrs,
        _node_ports(spec),
        domain,
        SpecShape.dns.read(spec),
        _profile(spec),
        tuple(_link(item) for item in SpecShape.links.read(spec)),
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
        elif field is SpecShape.service_cidrs:
            check_service_size(spec, path, cidr)
    written.virtual += [(field.name, path, cidr) for path, cidr in cidrs]
    return tuple(cidr for _, cidr in cidrs)


def _cluster_domain(spec: Fields) -> str:
    domain = SpecShape.cluster_domain.read(spec)
    if SpecShape.cluster_domain.missing(spec):
        return DEFAULT.cluster_domain
    messages = names.dns_subdomain(domain)
    for message in messages:
        SpecShape.cluster_domain.error(spec, invalid(domain, message))
    return DEFAULT.cluster_domain if messages else domain


def _profile(spec: Fields) -> str:
    """Decode the name of a profile; a path is refused, as the input may be untrusted."""
    name = SpecShape.profile.read(spec)
    if name and names.dns_subdomain(name.replace("+", "-")):
        message = "must be the name of a profile; a file is named with --as"
        SpecShape.profile.error(spec, invalid(name, message))
        return ""
    return name


def _node_ports(spec: Fields) -> tuple[int, int]:
    text = SpecShape.node_ports.read(spec)
    low, dash, high = text.partition("-")
    fits = low.isascii() and low.isdecimal() and high.isascii() and high.isdecimal() and len(text) <= _LONGEST_RANGE
    if dash and fits and 1 <= int(low) <= int(high) <= _MOST_PORT:
        if int(low) <= _VXLAN <= int(high):
            message = f"must not hold {_VXLAN}, at which nodes take packets of VXLAN"
            SpecShape.node_ports.error(spec, invalid(text, message))
        return int(low), int(high)
    message = f"must be two ports from 1 to {_MOST_PORT}, such as {SpecShape.node_ports.default}"
    SpecShape.node_ports.error(spec, invalid(text, message))
    return DEFAULT.node_ports


def _lab_name(metadata: Fields) -> str:
    MetadataShape.only(metadata)
    name = MetadataShape.name.read(metadata)
    for message in names.dns_label(name):
        MetadataShape.name.error(metadata, invalid(name, message))
    MetadataShape.labels.read(metadata)
    return name


def _name(fields: Fields, field: Text, default: str = "") -> str:
    name = field.read(fields, default)
    if not name:
        field.error(fields, required())
    return name


def _network(fields: Fields, index: int, written: WrittenAddresses) -> TopologyNetwork:
    NetworkShape.only(fields)
    default = DEFAULT.networks[0]
    name = _name(fields, NetworkShape.name, "" if index else default.name)
    if name == LOOPBACK_ONLY:
        message = "may not be the name of a network: for a pod it means loopback only"
        NetworkShape.name.error(fields, invalid(name, message))
    cidrs = _cidrs(fields, NetworkShape.pod_cidrs)
    if index and NetworkShape.pod_cidrs.empty(fields) and not NetworkShape.conflist.has(fields):
        NetworkShape.pod_cidrs.error(fields, required("only the first network has a default"))
    written.pod_cidrs += [(name, path, cidr) for path, cidr in cidrs]
    for path, cidr in cidrs:
        if not fits_pods(cidr):
            fields.report.error(path, invalid(str(cidr), "must hold addresses that a pod can have"))
    mode = NetworkShape.mode.read(fields)
    unwritten = frozenset(field.name for field in (NetworkShape.mode, NetworkShape.pod_cidrs) if field.empty(fields))
    own = tuple(cidr for _, cidr in cidrs) if index or cidrs else default.pod_cidrs
    wiring = wiring_of(NetworkShape.wiring.read(fields))
    if modes.of(mode).attachment.by_plugins or NetworkShape.conflist.has(fields):
        from netlab.objects.topology_plugins import with_plugins

        own, found = with_plugins(fields, NetworkShape, mode, wiring, own)
        unwritten -= {NetworkShape.pod_cidrs.name} if found is not None and found.ranges else set()
        written.pod_cidrs += [(name, NetworkShape.conflist.at(fields), cidr) for cidr in own if not cidrs and found]
        return TopologyNetwork(name, mode, own, fields.path, unwritten, wiring, conflist=found)
    try:
        modes.wired(modes.of(mode), wiring)
    except ValueError as error:
        # The mode may be chosen later, or by a profile.
        if NetworkShape.mode.has(fields) or (wiring.attachment and wiring.transport):
            NetworkShape.wiring.error(fields, str(error))
    return TopologyNetwork(name, mode, own, fields.path, unwritten, wiring)


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
    NodeShape.only(fields)
    labels = NodeShape.labels.read(fields)
    name = _name(fields, NodeShape.name, f"node-{index + 1}")
    return TopologyNode(name, labels, fields.path, NodeShape.machine.read(fields))


def _host(fields: Fields, written: WrittenAddresses) -> TopologyHost:
    HostShape.only(fields)
    name = _name(fields, HostShape.name)
    found = addresses(fields, HostShape.addresses.read(fields))
    if HostShape.addresses.empty(fields):
        HostShape.addresses.error(fields, required("a host has at least one address"))
    for path, address in found:
        if not fits_hosts(address):
            fields.report.error(path, invalid(str(address), "must be an address that a machine can have"))
    written.hosts += [(name, path, address) for path, address in found]
    hostnames = HostShape.hostnames.read(fields)
    written.hostnames += [(name, path, text) for path, text in hostnames]
    addresses_of = tuple(address for _, address in found)
    machine = HostShape.machine.read(fields)
    return TopologyHost(name, addresses_of, fields.path, tuple(text for _, text in hostnames), machine)


def _link(fields: Fields) -> TopologyLink:
    # Imported here, as most Topologies have no links.
    from netlab.objects import links

    LinkShape.only(fields)
    ends = [text for _, text in LinkShape.between.read(fields)]
    if not ends:
        LinkShape.between.error(fields, required("the name of one machine or of two"))
    elif len(ends) > _MOST_ENDS or len({*ends}) < len(ends) or not all(ends):
        LinkShape.between.error(fields, invalid(ends, "must be the name of one machine, or of two different ones"))
    values: dict[str, int] = {}
    for attribute, one in LinkShape.attributes().items():
        if one is LinkShape.between or not one.has(fields):
            continue
        text = one.read(fields)
        try:
            values[attribute] = links.read(attribute, text) if isinstance(fields.data[one.name], str) else 0
        except ValueError as error:
            one.error(fields, invalid(text, str(error)))
    found = links.Netem(**values)
    for name, message in links.contradictions(found):
        fields.error(name, message)
    if not values:
        fields.report.error(fields.path, "must say how the link is: delay, jitter, loss, rate, ...")
    return links.TopologyLink(tuple(ends), found, fields.path)


def policy_of(fields: Fields) -> TopologyPolicy:
    """Decode ``spec.policy``."""
    PolicyShape.only(fields)
    values = {attribute: one.read(fields) for attribute, one in PolicyShape.attributes().items()}
    written = frozenset(attribute for attribute, one in PolicyShape.attributes().items() if one.has(fields))
    return TopologyPolicy(**values, written=written)


def wiring_of(fields: Fields) -> Wiring:
    """Decode the choices of a network's wiring."""
    WiringShape.only(fields)
    return Wiring(**{attribute: one.read(fields) for attribute, one in WiringShape.attributes().items()})


KIND = Kind(
    "Topology",
    NETLAB_VERSION,
    Topology,
    topology,
    namespaced=False,
    unknown_if_wrong=(
        (r"metadata\b.*|spec\.(policy|profile|nodePortRange|clusterDomain|dns|kubernetesVersion)\b.*", ()),
        (r"spec\.links\b.*", ()),
        (r"spec\.hosts\b.*", ("hosts",)),
        (r"spec\.nodes\b.*", ("nodes", "addresses", "places")),
        (r"spec\.(underlay|service|loadBalancer)CIDRs\b.*|spec\.networks\[\d+\]\.podCIDRs\b.*", ("addresses",)),
        (r"spec\.networks\b.*", ("networks", "addresses")),
        (r".*", ("nodes", "networks", "hosts", "addresses", "places")),
    ),
    usable=whole,
    shape=TopologyRoot,
)
