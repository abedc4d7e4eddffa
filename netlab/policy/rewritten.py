"""Policies rewritten as the settings ``namedPorts`` and ``except`` mean them, for the evaluator.

The ruleset follows the same settings on its own (``ruleset.rule_settings``, ``ruleset.allows``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.changed_policies import changed_policy, changed_rule
from netlab.objects.policies import IPBlock, NetworkPolicy, PolicyPort, Rule
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Address, Direction, Prefix

_CONFLICT = "namedPorts: skip-on-conflict"


@frozen
class PerRuleBlock(IPBlock):
    """An ipBlock without the exceptions of all ipBlocks of its rule."""

    of_rule: tuple[Prefix, ...] = ()

    def contains(self, address: Address) -> bool:
        if address.version != self.cidr.version or address not in self.cidr:
            return False
        return not any(address.version == one.version and address in one for one in self.of_rule)


@frozen
class LongestPrefixBlock(IPBlock):
    """An ipBlock of a rule where the longest of all prefixes that hold an address decides.

    That an exception wins over a cidr of the same length is a guess.
    """

    blocks: tuple[IPBlock, ...] = ()

    def contains(self, address: Address) -> bool:
        if address.version != self.cidr.version or address not in self.cidr:
            return False
        allowed = max(_lengths(address, [block.cidr for block in self.blocks]), default=-1)
        denied = max(_lengths(address, [one for block in self.blocks for one in block.excepts]), default=-1)
        return allowed > denied


def _lengths(address: Address, prefixes: list[Prefix]) -> list[int]:
    return [one.prefixlen for one in prefixes if one.version == address.version and address in one]


def rewritten(cluster: Cluster, policy: NetworkPolicy) -> NetworkPolicy:
    """Return a policy as the settings mean it, the same object if they mean what it says."""
    ingress = tuple(_rule(cluster, rule, "ingress") for rule in policy.ingress)
    egress = tuple(_rule(cluster, rule, "egress") for rule in policy.egress)
    if ingress == policy.ingress and egress == policy.egress:
        return policy
    return changed_policy(policy, ingress=ingress, egress=egress)


def _rule(cluster: Cluster, rule: Rule, direction: Direction) -> Rule:
    named = [item for item in rule.ports if isinstance(item.port, str)]
    if named and cluster.policy.named_ports == "whole-protocol":
        ports = tuple(PolicyPort(item.protocol) if item in named else item for item in rule.ports)
        rule = changed_rule(rule, "namedPorts: whole-protocol", ports=ports)
    elif direction == "egress" and cluster.policy.named_ports == "skip-on-conflict":
        skipped = [item for item in named if len(numbers_of_name(cluster, str(item.port), item.protocol)) > 1]
        if skipped:
            # Port 0 matches no packet. A rule without ports would match all.
            ports = tuple(PolicyPort(item.protocol, 0) if item in skipped else item for item in rule.ports)
            rule = changed_rule(rule, _CONFLICT, ports=ports)
    return _blocks(cluster.policy, rule)


def _blocks(settings: TopologyPolicy, rule: Rule) -> Rule:
    blocks = tuple(peer.ip_block for peer in rule.peers if peer.ip_block is not None)
    excepts = tuple(one for block in blocks for one in block.excepts)
    if settings.except_ == "per-peer" or not excepts or len(blocks) < 2:
        return rule

    def meant(block: IPBlock) -> IPBlock:
        if settings.except_ == "per-rule":
            return PerRuleBlock(block.cidr, block.excepts, excepts)
        return LongestPrefixBlock(block.cidr, block.excepts, blocks)

    peers = tuple(replace(peer, ip_block=meant(peer.ip_block)) if peer.ip_block else peer for peer in rule.peers)
    return changed_rule(rule, f"except: {settings.except_}", peers=peers)


def numbers_of_name(cluster: Cluster, name: str, protocol: str) -> frozenset[int]:
    """Return the numbers that the pods of a cluster give to a named port."""
    known: Mapping[tuple[str, str], frozenset[int]] | None = cluster.memo.get("policy.port_numbers")
    if known is None:
        found: dict[tuple[str, str], set[int]] = {}
        for pod in cluster.pods:
            for port in pod.ports if pod.selectable else ():
                found.setdefault((port.name, port.protocol), set()).add(port.port)
        known = cluster.memo["policy.port_numbers"] = {key: frozenset(of) for key, of in found.items()}
    return known.get((name, protocol), frozenset())
