"""Addresses of pods, of nodes and outside of the cluster; and which of them the openings of a side have."""

from __future__ import annotations

from ipaddress import ip_network

from netlab.cluster.node_sources import address_to_network, chosen_network
from netlab.cluster.types import Cluster, Pod, address_of
from netlab.objects.types import Prefix
from netlab.policy.address_sets import ALL_ADDRESSES, NO_MACHINE, AddressSet, address_set
from netlab.policy.openings import AddressOpening
from netlab.policy.pod_peers import PodPeers


def in_families(cluster: Cluster, one: AddressOpening) -> AddressSet:
    """Return the addresses of an opening that are of the cluster's IP families."""
    found = AddressSet()
    for family in cluster.families:
        found |= one.addresses.of(family)
    return found


def pod_ranges(cluster: Cluster) -> AddressSet:
    """Return the addresses that pods may have."""
    found: AddressSet | None = cluster.memo.get("policy.pod_ranges")
    if found is None:
        cidrs = [prefix for network in cluster.networks for prefix in network.pod_cidrs]
        found = cluster.memo["policy.pod_ranges"] = address_set(cidrs)
    return found


def outside_addresses(cluster: Cluster) -> AddressSet:
    """Return the addresses outside of the cluster: all but those of pods, Services, nodes and of no machine."""
    found: AddressSet | None = cluster.memo.get("policy.outside")
    if found is None:
        inside: list[Prefix] = [prefix for network in cluster.networks for prefix in network.pod_cidrs]
        inside += cluster.service_cidrs
        inside += [ip_network(address) for node in cluster.nodes for address in node.addresses]
        inside += [ip_network(address) for pod in cluster.pods for address in pod.addresses]
        inside += NO_MACHINE
        found = cluster.memo["policy.outside"] = ALL_ADDRESSES - address_set(inside)
    return found


def every_pod(cluster: Cluster, addresses: AddressSet) -> bool:
    """Say whether all pods that may come have one of the addresses, in some IP family."""
    if cluster.policy.ip_block_pods == "ignore":
        return False
    ranges = pod_ranges(cluster)
    return any(of and of.within(addresses) for of in (ranges.of(4), ranges.of(6)))


def nodes_admitted(cluster: Cluster, pod: Pod, one: AddressOpening) -> list[str]:
    """Return the nodes whose packets an opening of a pod has, by the address that the pod sees."""
    if cluster.policy.ip_block_nodes == "ignore":
        return []
    network = chosen_network(pod)
    found = []
    for node in cluster.nodes:
        seen = [address_to_network(cluster, node, network, family) or address_of(node, family) for family in (4, 6)]
        if any(address is not None and address in one.addresses for address in seen):
            found.append(node.name)
    return found


def nodes_matched(cluster: Cluster, peers: PodPeers) -> list[str]:
    """Return the nodes that peers match by their host-network pods, if the Topology's settings say so."""
    if cluster.policy.host_network_peers != "match":
        return []
    found = {
        pod.node
        for pod in cluster.pods
        if pod.host_network and peers.has(cluster.namespaces[pod.namespace], pod.labels)
    }
    return [node.name for node in cluster.nodes if node.name in found]
