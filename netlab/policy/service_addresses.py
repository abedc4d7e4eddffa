"""Warns of ipBlocks that hold virtual addresses of Services only.

Nodes translate such an address before policy applies, so policies see the address of the endpoint
(https://kubernetes.io/docs/concepts/services-networking/network-policies/, "Behavior of ipBlock selectors").
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.services.routes import services_by_outer_address
from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.services import Service
from netlab.objects.types import Address, Prefix
from netlab.policy.matching import field_of
from netlab.policy.problems import warning
from netlab.policy.reasons import labels_text

# Bits of a host of the widest service range.
_WIDEST = {4: 20, 6: 20}


def addresses_of_services(cluster: Cluster, policy: NetworkPolicy) -> Iterator[Problem]:
    """Warn of ipBlocks in the service range, and of those that are the address of one Service."""
    owners = _owners(cluster)
    for rule in (*policy.ingress, *policy.egress):
        for number, peer in enumerate(rule.peers):
            block = peer.ip_block
            if block is None:
                continue
            message = _message(cluster, owners, block.cidr)
            if message:
                path = f"{rule.path}.{field_of(rule)}[{number}].ipBlock.cidr"
                yield warning(policy, path, message, "service-address")


def service_addresses_text(cluster: Cluster, prefix: Prefix) -> str:
    """Return the message about a range of addresses that holds virtual addresses of Services only, else ""."""
    return _message(cluster, _owners(cluster), prefix)


def _owners(cluster: Cluster) -> dict[Address, tuple[Service, str]]:
    """Return the Service of each virtual address that no machine has, and the type of the address as text."""
    known: dict[Address, tuple[Service, str]] | None = cluster.memo.get("policy.service_addresses")
    if known is None:
        known = cluster.memo["policy.service_addresses"] = {}
        for service in cluster.services:
            for address in service.cluster_ips:
                known.setdefault(address, (service, "the ClusterIP"))
        for address, (first, *_) in services_by_outer_address(cluster).items():
            if address not in cluster.by_address:
                what = "an external IP" if address in first.external_ips else "a load-balancer address"
                known.setdefault(address, (first, what))
    return known


def _message(cluster: Cluster, owners: dict[Address, tuple[Service, str]], cidr: Prefix) -> str:
    """Return the message about an ipBlock, "" if packets that policies see may have one of its addresses."""
    address = cidr.network_address
    if cidr.num_addresses == 1 and address in owners:
        service, what = owners[address]
        instead = f"select its pods, {labels_text(service.selector)}" if service.selector else "write its endpoints"
        return (
            f"{address} is {what} of Service {service.meta.key}, so it matches no packet: policies see the address of"
            f" the endpoint; {instead}"
        )
    for whole in cluster.service_cidrs:
        if whole.version == cidr.version and cidr.subnet_of(whole):  # type: ignore[arg-type]
            return (
                f"{cidr} is in the service range {whole}, so it matches no packet: policies see the address of the"
                " endpoint; select the pods behind the Service"
            )
        if _means(cluster, cidr, whole):
            return (
                f"{cidr} holds the service range {whole} and no address of the lab's pods, nodes and hosts: policies"
                " see the address of the endpoint; select the pods behind the Service"
            )
    return ""


def _means(cluster: Cluster, cidr: Prefix, own: Prefix) -> bool:
    """Say whether a block is probably written for a service range: it holds it, and no address of a packet."""
    # kubeadm's default is 10.96.0.0/12; a wider block is a network of its own.
    if cidr.version != own.version or cidr.max_prefixlen - cidr.prefixlen > _WIDEST[cidr.version]:
        return False
    if not own.subnet_of(cidr):  # type: ignore[arg-type]
        return False
    ranges = (*cluster.underlay_cidrs, *(one for network in cluster.networks for one in network.pod_cidrs))
    return not any(cidr.overlaps(one) for one in ranges if one.version == cidr.version) and not any(
        address in cidr for address in cluster.by_address
    )
