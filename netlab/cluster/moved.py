"""Exported addresses that the lab could not keep: a warning of the pods' and one of the nodes', with the ipBlocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netlab.cluster.nodes import NodeDraft
from netlab.cluster.pods import PodDraft
from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Address

_MOST = 5


@frozen
class Move:
    """One address that is not kept: whose it was, and the one that stands in for it, None where there is none."""

    owner: str
    old: Address
    new: Address | None
    at: Problem


def moved(
    drafts: Iterable[PodDraft],
    nodes: Iterable[NodeDraft],
    pod_ips: Mapping[str, tuple[Address, ...]],
    underlay: Mapping[str, tuple[Address, ...]],
    policies: Sequence[NetworkPolicy],
) -> list[Problem]:
    """Return the warnings: none where every pod of ``pod_ips`` and every node has the addresses that it states."""
    of_pods = [
        Move(f"pod {d.ref}", a, _instead(a, pod_ips[d.ref]), d.problem("status.podIPs", ""))
        for d in drafts
        if d.addresses and d.ref in pod_ips
        for a in d.addresses
        if a not in pod_ips[d.ref]
    ]
    of_nodes = [
        Move(f"node {n.name}", a, new, n.problem("status.addresses", ""))
        for n in nodes
        for new in underlay[n.name]
        if (a := n.first(new.version)) is not None and new not in (*n.addresses, *n.seen)
    ]
    return [_told(moves, policies) for moves in (of_pods, of_nodes) if moves]


def _instead(old: Address, own: Iterable[Address]) -> Address | None:
    return next((a for a in own if a.version == old.version), None)


def _told(moves: Sequence[Move], policies: Sequence[NetworkPolicy]) -> Problem:
    first = moves[0]
    text = _listed([_change(move) for move in moves])
    if blocks := [*_blocks(moves, policies)]:
        text += (
            "; an ipBlock that holds only one of the two addresses can make verdicts differ from the cluster's:"
            f" {_listed(blocks)}"
        )
    return replace(first.at, message=text, severity="warning", rule="address-moved")


def _change(move: Move) -> str:
    return (
        f"{move.owner} has {move.old} on the cluster and {move.new or f'no IPv{move.old.version} address'} in the lab"
    )


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MOST} more" if len(items) > _MOST else ""
    return ", ".join(items[:_MOST]) + more


def _blocks(moves: Sequence[Move], policies: Sequence[NetworkPolicy]) -> Iterator[str]:
    """Yield every ipBlock that holds an old address and not the new one, or the other way round."""
    for policy in policies:
        for direction, field in (("ingress", "from"), ("egress", "to")):
            for rule in policy.rules("ingress" if direction == "ingress" else "egress"):
                for i, peer in enumerate(rule.peers):
                    block = peer.ip_block
                    if block is not None and any(
                        block.contains(m.old) != (m.new is not None and block.contains(m.new)) for m in moves
                    ):
                        yield f"{block.cidr} in NetworkPolicy {policy.meta.key}, {rule.path}.{field}[{i}]"
