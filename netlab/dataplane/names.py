"""The names and MACs of a lab's namespaces and links: pure functions of the cluster, so that no file keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

from netlab.cluster.types import Cluster, Host, Network, Node, Pod
from netlab.errors import UsageError
from netlab.objects.names import LabName, dns_label, dns_subdomain
from netlab.objects.types import Address, Prefix

PREFIX = "netlab."
UNDERLAY_DEVICE = "underlay0"
POD_DEVICE = "eth0"
# The tunnel of an underlay to those of other machines.
TUNNEL = "machines"
# The same inside of WireGuard, and the WireGuard device. Other names: a tunnel in the clear never takes its place.
ENCRYPTED_TUNNEL = "encrypted"
WIREGUARD = "wireguard"
_FILE_NAME_MAX = 255
_INTERFACE_NAME_MAX = 15
_PORT_PREFIX = "veth"
_MOST_DIGITS = 11


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _namespace(*parts: str) -> str:
    """Join the parts of a namespace's name; cut a name that is too long for a file (pods' names: 253 letters)."""
    name = ".".join(parts)
    if len(name) <= _FILE_NAME_MAX:
        return name
    # 16 bytes, so that no two names with the same digest can be found.
    digest = blake2b(name.encode(), digest_size=16).hexdigest()
    return f"{name[: _FILE_NAME_MAX - 1 - len(digest)]}-{digest}"


def belongs(lab: str, namespace: object) -> bool:
    """Return whether a network namespace's name is one of the lab's. Others are neither entered nor removed."""
    from netlab.kernel import netns

    return isinstance(namespace, str) and namespace.startswith(f"{PREFIX}{lab}.") and netns.is_name(namespace)


def check(cluster: Cluster) -> None:
    """Check that names can be parts of the names of namespaces and links, and that no two links share a name.

    Objects from files were checked before; objects that a program made were not.

    Raises:
      UsageError: with everything that is wrong.
    """
    LabName(cluster.name)
    wrong = [*_wrong("node", (n.name for n in cluster.nodes), dns_subdomain)]
    wrong += _wrong("host", (h.name for h in cluster.hosts), dns_label)
    wrong += _wrong("network", (n.name for n in cluster.networks), dns_label)
    wrong += _wrong("namespace", dict.fromkeys(p.namespace for p in cluster.pods), dns_label)
    wrong += _wrong("pod", (p.name for p in cluster.pods), dns_subdomain)
    machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
    for endpoint in (*machines, *cluster.pods):
        # The zone of an IPv6 address may be any text.
        for address in endpoint.addresses:
            if isinstance(address, IPv6Address) and address.scope_id is not None:
                wrong.append(f"{endpoint.ref}: address {str(address)!r} has a zone")
    wrong += _twice((machine.ref, underlay_port_name(machine.ref)) for machine in machines)
    wrong += _twice(_links_of_every_node(cluster))
    wrong += _ports_twice(cluster)
    wrong += _wrong_tunnels(cluster)
    if wrong:
        raise UsageError(*wrong)


def _wrong(what: str, found: Iterable[str], rule: Callable[[str], tuple[str, ...]]) -> Iterator[str]:
    for name in found:
        yield from (f"{what} {name!r}: {message}" for message in rule(name))


def _links_of_every_node(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield the owners and the names of the links that every node may have."""
    yield "the node's own link", UNDERLAY_DEVICE
    for network in cluster.networks:
        yield network.name, bridge_name(network)
    for network in cluster.networks:
        if network.traits.transport.tunnel:
            yield f"the tunnel of {network.name}", tunnel_name(cluster, network)


def _wrong_tunnels(cluster: Cluster) -> Iterator[str]:
    """Yield what is wrong with the tunnels: the kernel has one of a kind, and each carries some families."""
    first: dict[tuple[object, ...], str] = {}
    low, high = cluster.node_ports
    for network in cluster.networks:
        transport, port = network.traits.transport, network.traits.tunnel_port
        if not transport.tunnel:
            continue
        for cidr in network.pod_cidrs:
            if cidr.version not in transport.families:
                yield f"network {network.name!r}: transport {transport.name} does not carry IPv{cidr.version}: {cidr}"
        kind = (vni(cluster, network), port) if transport.tunnel == "vxlan" else ()
        other = first.setdefault((transport.tunnel, *kind), network.name)
        if other != network.name:
            what = "one VNI and UDP port" if kind else f"one tunnel of kind {transport.tunnel}"
            yield f"networks {other!r} and {network.name!r} would have {what}: give one of them another wiring"
        if kind and low <= port <= high:
            yield f"network {network.name!r}: its tunnelPort {port} is a port of nodePortRange {low}-{high}"


def _twice(links: Iterable[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for owner, link in links:
        other = first.setdefault(link, owner)
        if other != owner:
            yield _one_name(other, owner, link)


def _ports_twice(cluster: Cluster) -> Iterator[str]:
    """Yield what is wrong with the ports of pods. A node has those of its own pods; of 100,000, two have one name."""
    everywhere = {link: owner for owner, link in _links_of_every_node(cluster)}
    first: dict[tuple[str, str], str] = {}
    for pod in cluster.pods:
        link = port_name(pod)
        other = everywhere.get(link) or first.setdefault((pod.node, link), pod.ref)
        if other != pod.ref:
            yield _one_name(other, pod.ref, link)


def _one_name(one: str, other: str, link: str) -> str:
    return f"{one} and {other} would have one interface name, {link}: rename one of them"


def pod_namespace(lab: str, pod: Pod) -> str:
    """Return the network namespace of a pod: its node's in host mode."""
    if pod.host_network:
        return node_namespace(lab, pod.node)
    return own_namespace(lab, pod.namespace, pod.name)


def own_namespace(lab: str, namespace: str, pod: str) -> str:
    """Return the network namespace of a pod that has one of its own, by the pod's namespace and name."""
    return _namespace(f"{PREFIX}{lab}", "pod", namespace, pod)


def node_namespace(lab: str, node: str) -> str:
    return _namespace(f"{PREFIX}{lab}", "node", node)


def host_namespace(lab: str, host: str) -> str:
    return _namespace(f"{PREFIX}{lab}", "host", host)


def underlay_namespace(lab: str) -> str:
    return _namespace(f"{PREFIX}{lab}", "underlay")


def endpoint_namespace(lab: str, endpoint: Pod | Node | Host) -> str:
    """Return the network namespace of any endpoint."""
    if isinstance(endpoint, Pod):
        return pod_namespace(lab, endpoint)
    if isinstance(endpoint, Node):
        return node_namespace(lab, endpoint.name)
    return host_namespace(lab, endpoint.name)


def bridge_name(network: Network) -> str:
    """Return the name of a network's bridge on every node: by default ``br-NETWORK``, cut to an interface name."""
    chosen = network.traits.wiring.bridge_name
    if chosen:
        return chosen
    name = f"br-{network.name}"
    return name if len(name) <= _INTERFACE_NAME_MAX else f"{name[:6]}-{_digest(name)}"


def port_name(pod: Pod) -> str:
    """Return the name of a pod's link on its node: a prefix and hexadecimal digits.

    By default it is ``veth`` and eight digits, as CNI plugins name it. Another prefix has up to eleven, as with Calico.
    """
    prefix = pod.traits.wiring.port_prefix
    if prefix in ("", _PORT_PREFIX):
        return f"{_PORT_PREFIX}{_digest(pod.ref)}"
    digits = blake2b(pod.ref.encode(), digest_size=6).hexdigest()[:_MOST_DIGITS]
    return f"{prefix}{digits}"[:_INTERFACE_NAME_MAX]


def underlay_port_name(ref: str) -> str:
    """Return the name of a node's or host's port on the underlay's bridge."""
    return f"port{_digest(ref)}"


_OF_ADDRESS = b"\x0a\x58"


def mac_of(address: Address) -> str:
    """Return the MAC of the interface with the address: 0a:58 and the IPv4 address, as kubenet chooses it.

    The MAC follows from the address, so a neighbour entry is never stale. An IPv6 address is hashed to four bytes.
    """
    tail = address.packed if address.version == 4 else blake2b(address.packed, digest_size=4).digest()
    return (_OF_ADDRESS + tail).hex(":")


def is_of_pod(mac: str) -> bool:
    """Return whether a MAC can be that of ``mac_of``."""
    return mac.startswith(_OF_ADDRESS.hex(":"))


def port_mac(ref: str) -> str:
    """Return the MAC of a bridge or of its port. It differs from the MACs of addresses, and no frame goes to it."""
    return (b"\x0a\x59" + blake2b(ref.encode(), digest_size=4).digest()).hex(":")


def mac_of_port(pod: Pod) -> str:
    """Return the MAC of a pod's link on its node."""
    return pod.traits.wiring.port_mac or port_mac(pod.ref)


def vni(cluster: Cluster, network: Network) -> int:
    """Return the VXLAN network identifier of a network; by default the first has 1, as in flannel."""
    return network.traits.wiring.vni or 1 + cluster.networks.index(network)


def tunnel_name(cluster: Cluster, network: Network) -> str:
    """Return the name of a network's tunnel device on every node: by default ``vxlan.VNI`` or ``ipip.NUMBER``."""
    tunnel = network.traits.transport.tunnel
    number = vni(cluster, network) if tunnel == "vxlan" else 1 + cluster.networks.index(network)
    return network.traits.wiring.tunnel_name or f"{tunnel}.{number}"


def tunnel_address(prefix: Prefix) -> Address:
    """Return the address of a node's tunnel device: the first of its pods' prefix, which no pod has."""
    return prefix[0]


def single(address: Address) -> Prefix:
    """Return the prefix of one address: /32 or /128."""
    return ip_network(f"{address}/{address.max_prefixlen}")


def default_route(family: int) -> Prefix:
    """Return the prefix of the default route of a family."""
    return IPv4Network("0.0.0.0/0") if family == 4 else IPv6Network("::/0")


def gateway_of(prefix: Prefix) -> Address:
    """Return a node's own address in its pods' prefix: the first."""
    return prefix[1]


def outside_shares(cluster: Cluster, network: Network) -> dict[str, list[Address]]:
    """Return, by node, the addresses of a network's pods that are outside of their node's prefixes."""
    found: dict[str, list[Address]] = {node.name: [] for node in cluster.nodes}
    nodes = {node.name: node for node in cluster.nodes}
    for pod in cluster.pods:
        if pod.network == network.name:
            found[pod.node] += [a for a in pod.addresses if not nodes[pod.node].holds(network.name, a)]
    return found
