"""Policies of Cilium as the policies of two tiers that the ruleset compiles.

The evaluator reads the same policies on its own (``policy.tiers.cilium``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from netlab.cluster.node_addresses import addresses_of_nodes
from netlab.cluster.types import Cluster
from netlab.objects.cilium_policies import CiliumPolicy, CiliumRule, CiliumSpec
from netlab.objects.cluster_policies import PodsPeer
from netlab.objects.policies import IPBlock, Peer
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import DIRECTIONS, Direction, Meta
from netlab.ruleset.tiers import TierPolicy, TierRule

_EVERY = LabelSelector()
_EVERYWHERE = tuple(Peer(ip_block=IPBlock(ip_network(cidr))) for cidr in ("0.0.0.0/0", "::/0"))


def with_rules(cluster: Cluster) -> Sequence[TierPolicy]:
    """Return the policies of the tier before NetworkPolicy: all deny rules, and then all allow rules."""
    known: Sequence[TierPolicy] | None = cluster.memo.get("ruleset.cilium")
    if known is None:
        nodes = tuple(
            Peer(ip_block=IPBlock(ip_network(a)))
            for a in dict.fromkeys(addresses_of_nodes(cluster.networks, cluster.nodes))
        )
        known = cluster.memo["ruleset.cilium"] = [
            _policy(policy, spec, nodes, denies=denies)
            for denies in (True, False)
            for policy in cluster.cilium_policies
            for spec in policy.specs
        ]
    return known


def isolating(cluster: Cluster) -> Sequence[TierPolicy]:
    """Return the policies of the tier after NetworkPolicy: each denies all to the pods that a spec isolates."""
    known: Sequence[TierPolicy] | None = cluster.memo.get("ruleset.cilium_default")
    if known is None:
        deny = (TierRule("deny", _EVERYWHERE),)
        known = cluster.memo["ruleset.cilium_default"] = [
            TierPolicy(
                _meta(policy, spec, "isolation"),
                _pods(spec.subject),
                *(deny if direction in spec.isolates else () for direction in DIRECTIONS),
            )
            for policy in cluster.cilium_policies
            for spec in policy.specs
            if spec.isolates
        ]
    return known


def _policy(policy: CiliumPolicy, spec: CiliumSpec, nodes: tuple[Peer, ...], *, denies: bool) -> TierPolicy:
    def rules(direction: Direction) -> tuple[TierRule, ...]:
        of = (rule for rule in spec.rules(direction) if rule.denies == denies)
        return tuple(one for rule in of for one in _rules(rule, nodes))

    meta = _meta(policy, spec, "deny rules" if denies else "allow rules")
    return TierPolicy(meta, _pods(spec.subject), *(rules(direction) for direction in DIRECTIONS))


def _meta(policy: CiliumPolicy, spec: CiliumSpec, part: str) -> Meta:
    """Return a name that no other policy has: it begins with the kind."""
    return Meta(f"{policy.ref} {spec.path} {part}")


def _rules(rule: CiliumRule, nodes: tuple[Peer, ...]) -> Iterator[TierRule]:
    """Yield a rule for peers that settings do not change, and one for CIDRs, which match neither pods nor nodes."""
    whole: list[Peer] = []
    blocks: list[Peer] = []
    for peer in rule.peers:
        if peer.pods is not None:
            whole.append(_pods(peer.pods))
        elif peer.block is not None:
            blocks.append(Peer(ip_block=peer.block))
        elif peer.place == "world":
            blocks += _EVERYWHERE
        else:
            whole += nodes if peer.place == "nodes" else _EVERYWHERE
    for peers, is_whole in ((whole, True), (blocks, False)):
        if peers:
            yield TierRule("deny" if rule.denies else "allow", tuple(dict.fromkeys(peers)), rule.ports, is_whole)


def _pods(peer: PodsPeer) -> Peer:
    return Peer(peer.pods or _EVERY, peer.namespaces or _EVERY)
