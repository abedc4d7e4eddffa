"""Topology: the lab's shape. Everything in it has a default; unknown and duplicate fields are errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from netlab import modes
from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import UNUSUAL_CIDR, cidr_warnings
from netlab.objects.core import addresses, prefixes
from netlab.objects.fields import Fields, duplicate, invalid, required
from netlab.objects.kind import NETLAB_VERSION, Kind
from netlab.objects.label_selectors import check_labels
from netlab.objects.meta import OBJECT_META, open_document
from netlab.objects.sound import as_it_is
from netlab.objects.types import (
    Address,
    Document,
    Prefix,
    Topology,
    TopologyHost,
    TopologyNetwork,
    TopologyNode,
    TopologyPolicy,
)

_DEFAULT = Topology()
LOOPBACK_ONLY = modes.NONE.name
"""The value of a pod's network annotation that names no network: the pod has a loopback interface only."""
_NOT_FOR_PODS: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("::/127"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)


@dataclass(slots=True)
class _Placed:
    """Every valid CIDR and address with its path, for the checks across the whole Topology."""

    pod_cidrs: list[tuple[str, str, Prefix]] = field(default_factory=list)
    hosts: list[tuple[str, str, Address]] = field(default_factory=list)


def topology(document: Document) -> tuple[Topology, list[Problem]]:
    """Decode a Topology and check that its parts fit together."""
    root = open_document(document, strict=True)
    root.only("apiVersion", "kind", "metadata", "spec")
    spec = root.sub("spec")
    spec.only("networks", "nodes", "hosts", "underlayCIDRs", "policy")
    placed = _Placed()
    networks = tuple(_network(item, index, placed) for index, item in enumerate(spec.mappings("networks")))
    underlay = tuple(cidr for _, cidr in _cidrs(spec, "underlayCIDRs"))
    found = Topology(
        _lab_name(root.sub("metadata")),
        networks or _DEFAULT.networks,
        tuple(_node(item, index) for index, item in enumerate(spec.mappings("nodes"))),
        tuple(_host(item, placed) for item in spec.mappings("hosts")),
        underlay or _DEFAULT.underlay_cidrs,
        document.source,
        _policy(spec.sub("policy")),
        frozenset() if underlay else _DEFAULT.unwritten,
    )
    _unique_names(root, found.networks)
    _unique_names(root, found.nodes)
    _unique_names(root, found.hosts)
    _check_cidrs(root, placed, underlay)
    _check_hosts(root, placed)
    return found, root.report.problems


def _lab_name(metadata: Fields) -> str:
    metadata.only(*OBJECT_META)
    name = metadata.string("name", _DEFAULT.name)
    for message in names.dns_label(name):
        metadata.error("name", invalid(name, message))
    check_labels(metadata, "labels", metadata.string_map("labels"))
    return name


def _label_name(fields: Fields, default: str) -> str:
    name = fields.string("name", default)
    if not name:
        fields.error("name", required())
        return ""
    for message in names.dns_label(name):
        fields.error("name", invalid(name, message))
    return name


def _network(fields: Fields, index: int, placed: _Placed) -> TopologyNetwork:
    fields.only("name", "mode", "podCIDRs")
    default = _DEFAULT.networks[0]
    name = _label_name(fields, "" if index else default.name)
    if name == LOOPBACK_ONLY:
        fields.error("name", invalid(name, "may not be the name of a network: for a pod it means loopback only"))
    cidrs = _cidrs(fields, "podCIDRs")
    if index and not fields.data.get("podCIDRs"):
        fields.error("podCIDRs", required("only the first network has a default"))
    placed.pod_cidrs += [(name, path, cidr) for path, cidr in cidrs]
    for path, cidr in cidrs:
        if any(_overlap(cidr, other) for other in _NOT_FOR_PODS):
            fields.report.error(path, invalid(str(cidr), "must hold addresses that a pod can have"))
    mode = fields.choice("mode", [each.name for each in modes.of_networks()], default.mode)
    unwritten = frozenset(field for field in ("mode", "podCIDRs") if not fields.data.get(field))
    own = tuple(cidr for _, cidr in cidrs) if index or cidrs else default.pod_cidrs
    return TopologyNetwork(name, mode, own, fields.path, unwritten)


def _cidrs(fields: Fields, name: str) -> list[tuple[str, Prefix]]:
    """Decode a list of CIDRs that has at most one per IP family."""
    written = fields.strings(name)
    cidrs = prefixes(fields, written)
    for path, text in written:
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
    fields.only("name", "labels")
    labels = fields.string_map("labels")
    check_labels(fields, "labels", labels)
    return TopologyNode(_label_name(fields, f"node-{index + 1}"), labels, fields.path)


def _host(fields: Fields, placed: _Placed) -> TopologyHost:
    fields.only("name", "addresses")
    name = _label_name(fields, "")
    found = addresses(fields, fields.strings("addresses"))
    if not fields.data.get("addresses"):
        fields.error("addresses", required("a host has at least one address"))
    for path, address in found:
        if _not_a_hosts(address):
            fields.report.error(path, invalid(str(address), "must be an address that a machine can have"))
    placed.hosts += [(name, path, address) for path, address in found]
    return TopologyHost(name, tuple(address for _, address in found), fields.path)


def _policy(fields: Fields) -> TopologyPolicy:
    fields.only("icmp", "deny", "ipBlockPods", "ownNode", "hostNetworkPeers", "established")
    default = _DEFAULT.policy
    return TopologyPolicy(
        icmp=fields.choice("icmp", ("rules-without-ports", "allow"), default.icmp),
        deny=fields.choice("deny", ("drop", "reject"), default.deny),
        ip_block_pods=fields.choice("ipBlockPods", ("match", "ignore"), default.ip_block_pods),
        own_node=fields.choice("ownNode", ("allow", "enforce"), default.own_node),
        host_network_peers=fields.choice("hostNetworkPeers", ("ignore", "match"), default.host_network_peers),
        established=fields.choice("established", ("keep", "reevaluate"), default.established),
    )


def _not_a_hosts(address: Address) -> bool:
    # 169.254.0.0/16 is fine: a cloud's metadata service is just what a policy may have to block.
    return (
        address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or (address.is_reserved if address.version == 4 else address.is_link_local)
    )


def _unique_names(root: Fields, several: Sequence[TopologyNetwork | TopologyNode | TopologyHost]) -> None:
    seen = set()
    for one in several:
        if one.name and one.name in seen:
            root.report.error(f"{one.path}.name", duplicate(one.name))
        seen.add(one.name)


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.version == other.version and one.overlaps(other)


def _check_cidrs(root: Fields, placed: _Placed, underlay_cidrs: Sequence[Prefix]) -> None:
    """Report podCIDRs that overlap those of another network or the underlay's."""
    for (name, _, cidr), (other, path, later) in combinations(placed.pod_cidrs, 2):
        if name != other and _overlap(cidr, later):
            root.report.error(path, invalid(str(later), f'overlaps podCIDR {cidr} of network "{name}"'))
    for _, path, cidr in placed.pod_cidrs:
        for underlay in underlay_cidrs:
            if _overlap(cidr, underlay):
                root.report.error(path, invalid(str(cidr), f"overlaps underlay CIDR {underlay} (spec.underlayCIDRs)"))


def _check_hosts(root: Fields, placed: _Placed) -> None:
    """Report host addresses that stand twice or inside a podCIDR."""
    owners: dict[Address, str] = {}
    for host, path, address in placed.hosts:
        if address in owners:
            root.report.error(path, f'{duplicate(str(address))}: host "{owners[address]}" has it')
        owners.setdefault(address, host)
        for network, _, cidr in placed.pod_cidrs:
            if address.version == cidr.version and address in cidr:
                root.report.error(path, invalid(str(address), f'is inside podCIDR {cidr} of network "{network}"'))


KIND = Kind(
    "Topology",
    NETLAB_VERSION,
    Topology,
    topology,
    namespaced=False,
    doubts=(
        (r"metadata\b.*|spec\.policy\b.*", ()),
        (r"spec\.hosts\b.*", ("hosts",)),
        (r"spec\.nodes\b.*", ("nodes", "addresses", "places")),
        (r"spec\.underlayCIDRs\b.*|spec\.networks\[\d+\]\.podCIDRs\b.*", ("addresses",)),
        (r"spec\.networks\b.*", ("networks", "addresses")),
        (r".*", ("nodes", "networks", "hosts", "addresses", "places")),
    ),
    sound=as_it_is,
)
