"""Peers and ports of NetworkPolicy rules: whether they match a flow, and if not, why.

A function named ``…_mismatch_text`` returns "" for a match, else the first mismatch as text. So a verdict and its
explanation cannot disagree.

Source: the Kubernetes API reference (NetworkPolicySpec, networking.k8s.io/v1). It leaves some answers to the
implementation. Here:

* Selectors do not match host-network pods, unless the Topology's ``spec.policy.hostNetworkPeers`` is ``match``.
* An ipBlock matches pod addresses too, unless ``spec.policy.ipBlockPods`` is ``ignore``. It matches addresses of nodes
  too, unless ``ipBlockNodes`` is ``ignore``.
* A rule without ports allows ICMP. A rule with ports does not.
* A named port is the first container port of the destination pod with this name and protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.cluster.node_addresses import is_node_address
from netlab.cluster.paths import node_of
from netlab.cluster.types import Cluster, Endpoint, Host, Node, Pod
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.controllers import is_known
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address
from netlab.policy.problems import some

ANY_PEER = -1
"""In place of a peer's number: the rule lists no peers, so it matches every peer."""

_MOST_PEERS = 5


def matching_peer(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, other: Endpoint | None, address: Address
) -> int | None:
    """Return the number of the first item of ``from`` or ``to`` that matches, None if none does.

    It is ``ANY_PEER`` if the rule lists no peers. ``other`` is the other end, None if it is no endpoint of the lab.
    ``address`` is its address as the selected pod sees it.
    """
    if not rule.peers:
        return ANY_PEER
    for number, peer in enumerate(rule.peers):
        # Nearly all of thousands of ipBlocks end here: to write why one does not match takes most of the time.
        if peer.ip_block is not None and not peer.ip_block.contains(address):
            continue
        if not peer_mismatch_text(cluster, policy, peer, other, address):
            return number
    return None


def peers_mismatch_text(
    cluster: Cluster, policy: NetworkPolicy, rule: Rule, other: Endpoint | None, address: Address
) -> str:
    """Return the mismatch of every item of ``from`` or ``to``; "" if one matches."""
    if matching_peer(cluster, policy, rule, other, address) is not None:
        return ""
    field = field_of(rule)
    alike: dict[str, list[str]] = {}
    for number, peer in enumerate(rule.peers):
        why = _full_mismatch_text(cluster, policy, peer, other, address)
        alike.setdefault(why, []).append(f"{field}[{number}]")
    texts = [f"{some(items)}: {why}" for why, items in alike.items()]
    more = f"; {len(texts) - _MOST_PEERS} more reasons" if len(texts) > _MOST_PEERS else ""
    return f"{'; '.join(texts[:_MOST_PEERS])}{more}"


def field_of(rule: Rule) -> str:
    """Return the name of the field that lists a rule's peers."""
    return "to" if rule.path.startswith("spec.egress") else "from"


def peer_path(rule: Rule, number: int) -> str:
    """Return the field path of an item of a rule's ``from`` or ``to``; that of the rule for ``ANY_PEER``."""
    return rule.path if number == ANY_PEER else f"{rule.path}.{field_of(rule)}[{number}]"


def _full_mismatch_text(
    cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: Endpoint | None, address: Address
) -> str:
    """Return every mismatch of an item of ``from`` or ``to``, and the number of its requirements that match."""
    why = peer_mismatch_text(cluster, policy, peer, other, address)
    if peer.ip_block is not None or not isinstance(other, Pod) or not other.selectable:
        return why
    labels = cluster.namespaces[other.namespace]
    of_space = [] if peer.namespace_selector is None else selector_mismatch_texts(peer.namespace_selector, labels)
    of_pod = [] if peer.pod_selector is None else selector_mismatch_texts(peer.pod_selector, other.labels)
    if peer.namespace_selector is None and other.namespace != policy.meta.namespace:
        parts = [f"namespace {policy.meta.namespace}, found {other.namespace}"]
    else:
        parts = [_of_namespace(cluster, other.namespace, " and ".join(of_space))] if of_space else []
    left = _size(peer.namespace_selector) + _size(peer.pod_selector) - len(of_space) - len(of_pod)
    parts += [f"pod label {' and '.join(of_pod)}"] if of_pod else []
    rest = "the other requirement matches" if left == 1 else f"the other {left} requirements match"
    return " and ".join(parts) + (f" ({rest})" if left else "")


def _size(selector: LabelSelector | None) -> int:
    return 0 if selector is None else len(selector.match_labels) + len(selector.match_expressions)


def ports_mismatch_text(rule: Rule, destination: Endpoint | None, protocol: str, port: int | None) -> str:
    """Return the mismatch of a rule's ports, "" if one item matches. A rule without ports matches everything."""
    if ports_match(rule, destination, protocol, port):
        return ""
    if port is None:
        return f"port: the rule lists ports, {protocol} has none"
    wanted = " or ".join(_port_text(item, destination) for item in rule.ports)
    return f"port: {wanted}, asked {port}/{protocol}"


def ports_match(rule: Rule, destination: Endpoint | None, protocol: str, port: int | None) -> bool:
    """Say whether an item of a rule's ports matches, as ``ports_mismatch_text`` does, without its text."""
    if not rule.ports:
        return True
    return port is not None and any(port_matches(item, destination, protocol, port) for item in rule.ports)


def port_matches(item: PolicyPort, destination: Endpoint | None, protocol: str, port: int) -> bool:
    """Say whether one item of ``ports`` matches a port of the destination. The pod need not declare a numbered port."""
    if item.protocol != protocol:
        return False
    if item.port is None:
        return True
    if isinstance(item.port, str):
        return container_port(destination, item.port, protocol) == port
    return item.port <= port <= (item.end_port or item.port)


def container_port(destination: Endpoint | None, name: str, protocol: str) -> int | None:
    """Return the number of a pod's first container port with a name and protocol; None if there is none.

    Nodes and outside hosts have no named ports. Policies see a host-network pod as its node.
    """
    if not isinstance(destination, Pod) or not destination.selectable:
        return None
    return next((p.port for p in destination.ports if p.name == name and p.protocol == protocol), None)


def peer_mismatch_text(
    cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: Endpoint | None, address: Address
) -> str:
    """Return the mismatch of one item of ``from`` or ``to``; the arguments are those of ``matching_peer``."""
    if peer.ip_block is not None:
        if cluster.policy.ip_block_pods == "ignore" and isinstance(other, Pod) and other.selectable:
            return f"{_block_text(peer.ip_block)} does not match pods such as {other.ref} (ipBlockPods: ignore)"
        if cluster.policy.ip_block_nodes == "ignore" and is_node_address(cluster, address):
            ignored = f"does not match addresses of nodes such as {address} (ipBlockNodes: ignore)"
            return f"{_block_text(peer.ip_block)} {ignored}"
        return "" if peer.ip_block.contains(address) else f"{_block_text(peer.ip_block)}, found {address}"
    node = node_of(other) if other is not None and cluster.policy.host_network_peers == "match" else None
    if node is not None:
        if any(not _selectors_mismatch_text(cluster, policy, peer, pod) for pod in _hosted(cluster).get(node, ())):
            return ""
        return f"selectors match pods only, and no host-network pod of {node} matches"
    if not isinstance(other, Pod):
        return f"selectors match pods only, {_kind_text(other, address)}"
    if not other.selectable:
        return f"selectors do not match host-network pods such as {other.ref}"
    return _selectors_mismatch_text(cluster, policy, peer, other)


def _hosted(cluster: Cluster) -> Mapping[str, Sequence[Pod]]:
    """Return the host-network pods by node."""
    found: dict[str, list[Pod]] | None = cluster.memo.get("policy.hosted")
    if found is None:
        found = cluster.memo["policy.hosted"] = {}
        for pod in cluster.pods:
            if pod.host_network:
                found.setdefault(pod.node, []).append(pod)
    return found


def _selectors_mismatch_text(cluster: Cluster, policy: NetworkPolicy, peer: Peer, other: Pod) -> str:
    why = namespace_mismatch_text(cluster, policy, peer, other.namespace)
    if why:
        return why
    if peer.pod_selector is not None:
        why = selector_mismatch_text(peer.pod_selector, other.labels)
        if why:
            return f"pod label {why}"
    return ""


def namespace_mismatch_text(cluster: Cluster, policy: NetworkPolicy | ClusterPolicy, peer: Peer, namespace: str) -> str:
    """Return the mismatch of a namespace and a peer: its namespaceSelector, or else the policy's own namespace."""
    own = policy.meta.namespace
    if peer.namespace_selector is None:
        return "" if namespace == own else f"namespace {own}, found {namespace}"
    why = selector_mismatch_text(peer.namespace_selector, cluster.namespaces[namespace])
    return _of_namespace(cluster, namespace, why) if why else ""


def _of_namespace(cluster: Cluster, namespace: str, why: str) -> str:
    unsure = namespace in cluster.undeclared and NAMESPACE_LABEL not in why
    return f"namespace label {why}{f' (namespace {namespace} is not in the input)' if unsure else ''}"


def selector_mismatch_text(selector: LabelSelector, labels: Mapping[str, str]) -> str:
    """Return the first requirement that labels do not satisfy and what they have instead; "" if they match."""
    for key, value in selector.match_labels:
        if labels.get(key) != value:
            return f"{key}={value}, {_found(labels, key)}"
    for requirement in selector.match_expressions:
        if not requirement.matches(labels):
            return f"{requirement}, {_found(labels, requirement.key)}"
    return ""


def selector_mismatch_texts(selector: LabelSelector, labels: Mapping[str, str]) -> list[str]:
    """Return, for every requirement that labels do not satisfy, the text of ``selector_mismatch_text``."""
    one = [LabelSelector((label,)) for label in selector.match_labels]
    one += [LabelSelector((), (requirement,)) for requirement in selector.match_expressions]
    return [why for each in one if (why := selector_mismatch_text(each, labels))]


def _found(labels: Mapping[str, str], key: str) -> str:
    if key not in labels:
        return f"found no {key}"
    return f"found {key}={labels[key]}" if is_known(key, labels[key]) else f"found {key} with a value that is not known"


def _block_text(block: IPBlock) -> str:
    but = f" except {', '.join(map(str, block.excepts))}" if block.excepts else ""
    return f"ipBlock {block.cidr}{but}"


def _kind_text(other: Endpoint | None, address: Address) -> str:
    if isinstance(other, Node):
        return f"{other.ref} is a node"
    if isinstance(other, Host):
        return f"{other.ref} is outside the cluster"
    return f"{address} is not the address of a pod"


def _port_text(item: PolicyPort, destination: Endpoint | None) -> str:
    if item.port is None:
        return f"every {item.protocol} port"
    if item.port == 0:
        return f"no {item.protocol} port"
    if isinstance(item.port, str):
        number = container_port(destination, item.port, item.protocol)
        owner = destination.ref if destination is not None else "the destination"
        meaning = f"which is {number} on {owner}" if number is not None else f"which {owner} does not have"
        return f"{item.port}/{item.protocol} ({meaning})"
    return f"{item.port}-{item.end_port}/{item.protocol}" if item.end_port else f"{item.port}/{item.protocol}"
