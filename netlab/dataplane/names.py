"""Names and addresses of what a lab is made of: a pure function of the cluster, so that they need not be remembered."""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network, ip_network

from netlab.cluster.types import Cluster, Host, Network, Node, Pod
from netlab.objects.types import Address, Prefix

PREFIX = "netlab."
UNDERLAY_DEVICE = "underlay0"
POD_DEVICE = "eth0"
_FILE_NAME_MAX = 255
_INTERFACE_NAME_MAX = 15


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _namespace(*parts: str) -> str:
    """Join the parts of a namespace's name; one too long for a file name (pod names may have 253 letters) is cut."""
    name = ".".join(parts)
    if len(name) <= _FILE_NAME_MAX:
        return name
    return f"{name[: _FILE_NAME_MAX - 9]}-{_digest(name)}"


def pod_namespace(lab: str, pod: Pod) -> str:
    """Return the network namespace in which a pod lives: its node's in host mode."""
    if pod.attachment == "host":
        return node_namespace(lab, pod.node)
    return _namespace(f"{PREFIX}{lab}", "pod", pod.namespace, pod.name)


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
    """Return the name of a network's bridge on every node: ``br-NETWORK``, shortened to an interface name."""
    name = f"br-{network.name}"
    return name if len(name) <= _INTERFACE_NAME_MAX else f"{name[:6]}-{_digest(name)}"


def port_name(pod: Pod) -> str:
    """Return the name of a pod's port on its node: ``veth`` and eight hexadecimal digits, as CNI plugins name it."""
    return f"veth{_digest(pod.ref)}"


def underlay_port_name(ref: str) -> str:
    """Return the name of a node's or host's port on the underlay's bridge."""
    return f"port{_digest(ref)}"


def mac_of(address: Address) -> str:
    """Return the MAC of the interface that has the address: 0a:58 and the IPv4 address, as kubenet gives them out.

    An address names its MAC for good, so a neighbour entry is never stale. An IPv6 address is hashed to four bytes.
    """
    tail = address.packed if address.version == 4 else blake2b(address.packed, digest_size=4).digest()
    return (b"\x0a\x58" + tail).hex(":")


def port_mac(ref: str) -> str:
    """Return the MAC of a bridge, or of a port on one: it differs from every address's, and is never spoken to."""
    return (b"\x0a\x59" + blake2b(ref.encode(), digest_size=4).digest()).hex(":")


def single(address: Address) -> Prefix:
    """Return the prefix of one address: /32 or /128."""
    return ip_network(f"{address}/{address.max_prefixlen}")


def default_route(family: int) -> Prefix:
    """Return the prefix of the default route of a family."""
    return IPv4Network("0.0.0.0/0") if family == 4 else IPv6Network("::/0")


def gateway_of(prefix: Prefix) -> Address:
    """Return a node's own address in its pods' prefix: the first."""
    return prefix[1]


def alone(cluster: Cluster, network: Network) -> dict[str, list[Address]]:
    """Return the addresses of a network's pods that are not of their node's prefix, by node."""
    found: dict[str, list[Address]] = {node.name: [] for node in cluster.nodes}
    nodes = {node.name: node for node in cluster.nodes}
    for pod in cluster.pods:
        if pod.network == network.name:
            found[pod.node] += [a for a in pod.addresses if not nodes[pod.node].holds(network.name, a)]
    return found
