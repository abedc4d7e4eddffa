"""Warnings about exported addresses that the lab cannot keep: one for all pods, one for all nodes, one for Services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cluster.nodes import NodeDraft
from netlab.cluster.pods import PodDraft
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Address
from netlab.quantity import few

if TYPE_CHECKING:
    from netlab.objects.services import Service

_MOST = 5


@frozen
class _MovedAddress:
    """An address of the cluster that its owner does not have in the lab; ``new`` is the lab's address, or None.

    ``at`` is the place of the warning.
    """

    owner: str
    old: Address
    new: Address | None
    at: Problem


def moved_address_warnings(
    drafts: Iterable[PodDraft],
    nodes: Iterable[NodeDraft],
    pod_ips: Mapping[str, tuple[Address, ...]],
    underlay: Mapping[str, tuple[Address, ...]],
    policies: Sequence[NetworkPolicy],
) -> list[Problem]:
    """Return a warning if a pod of ``pod_ips`` has not the addresses that it states, and one if a node has not.

    A warning names the ipBlocks that match only one of the two addresses.
    """
    of_pods = [
        _MovedAddress(f"pod {d.ref}", a, _replacement(a, pod_ips[d.ref]), d.problem("status.podIPs", ""))
        for d in drafts
        if d.addresses and d.ref in pod_ips
        for a in d.addresses
        if a not in pod_ips[d.ref]
    ]
    of_nodes = [
        _MovedAddress(f"node {n.name}", a, new, n.problem("status.addresses", ""))
        for n in nodes
        for new in underlay[n.name]
        if (a := n.first(new.version)) is not None and new not in (*n.addresses, *n.seen)
    ]
    return [_warning(moves, policies) for moves in (of_pods, of_nodes) if moves]


def moved_service_warnings(
    written: Iterable[Service], allocated: Iterable[Service], policies: Sequence[NetworkPolicy]
) -> list[Problem]:
    """Return a warning if Services have other addresses than they write, as no default range holds these.

    The addresses are cluster IPs and ``loadBalancerIP``. ``written`` are the Services of the input, ``allocated`` those
    of the cluster.
    """
    stated = [
        service
        for service in written
        if (service.cluster_ips or service.load_balancer_ip) and service.type != "ExternalName"
    ]
    if not stated:
        return []
    from netlab.cluster.services.families import problem_of

    stored = {service.meta.key: service for service in allocated}
    cluster_ips = {key: service.cluster_ips for key, service in stored.items()}
    moves = [
        _MovedAddress(
            f"Service {service.meta.key}",
            address,
            _replacement(address, cluster_ips.get(service.meta.key, ())),
            problem_of(service, "spec.clusterIPs", ""),
        )
        for service in stated
        for address in service.cluster_ips
        if address not in cluster_ips.get(service.meta.key, ())
    ]
    for service in stated:
        asked, found = service.load_balancer_ip, stored.get(service.meta.key)
        if asked is None or service.load_balancer or found is None:
            continue
        own = [one.address for one in found.load_balancer if one.address is not None]
        if asked not in own:
            owner, at = f"load balancer of Service {service.meta.key}", problem_of(service, "spec.loadBalancerIP", "")
            moves.append(_MovedAddress(owner, asked, _replacement(asked, own), at))
    return [_warning(moves, policies)] if moves else []


def _replacement(old: Address, own: Iterable[Address]) -> Address | None:
    return next((a for a in own if a.version == old.version), None)


def _warning(moves: Sequence[_MovedAddress], policies: Sequence[NetworkPolicy]) -> Problem:
    first = moves[0]
    text = _listed([_change(move) for move in moves])
    if blocks := [*_blocks(moves, policies)]:
        text += (
            "; an ipBlock that holds only one of the two addresses can make verdicts differ from the cluster's:"
            f" {_listed(blocks)}"
        )
    return replace(first.at, message=text, severity="warning", rule="address-moved")


def _change(move: _MovedAddress) -> str:
    return (
        f"{move.owner} has {move.old} on the cluster and {move.new or f'no IPv{move.old.version} address'} in the lab"
    )


def _listed(items: Sequence[str]) -> str:
    return few(items, _MOST)


def _blocks(moves: Sequence[_MovedAddress], policies: Sequence[NetworkPolicy]) -> Iterator[str]:
    """Yield every ipBlock that matches either the old or the new address of a pod or node, but not both."""
    for policy in policies:
        for direction, field in (("ingress", "from"), ("egress", "to")):
            for rule in policy.rules("ingress" if direction == "ingress" else "egress"):
                for i, peer in enumerate(rule.peers):
                    block = peer.ip_block
                    if block is not None and any(
                        block.contains(m.old) != (m.new is not None and block.contains(m.new)) for m in moves
                    ):
                        yield f"{block.cidr} in NetworkPolicy {policy.meta.key}, {rule.path}.{field}[{i}]"
