"""What policies mean under the settings ``namedPorts`` and ``except``, for the evaluator.

The ruleset follows the same settings on its own (``ruleset.peers``, ``ruleset.allows``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netlab.cluster.policies_in_force import policies_in_force, released_policies
from netlab.cluster.types import Cluster, Pod
from netlab.frozen import frozen
from netlab.objects.changed_policies import (
    ChangedPolicy,
    ChangedRule,
    changed_policy,
    changed_rule,
    settings_text,
)
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


def is_plain(settings: TopologyPolicy) -> bool:
    """Say whether rules mean what was read."""
    return settings.named_ports in ("resolve", "refuse-policy") and settings.except_ == "per-peer"


def policies_meant(cluster: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return the policies that have an effect, as the settings mean them."""
    if is_plain(cluster.policy):
        return policies_in_force(cluster)
    found: tuple[NetworkPolicy, ...] | None = cluster.memo.get("policy.meant_policies")
    if found is None:
        found = tuple(_meant(cluster, policy) for policy in policies_in_force(cluster))
        cluster.memo["policy.meant_policies"] = found
    return found


def policies_read(cluster: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return every policy whose fields verdicts and reasons depend on: as meant, as written, and those released."""
    meant = policies_meant(cluster)
    if meant is cluster.policies:
        return meant
    return (*meant, *cluster.policies)


def settings_of(rule: Rule) -> str:
    """Return the settings that changed a rule, as the suffix of a reason."""
    return settings_text(rule.settings) if isinstance(rule, ChangedRule) else ""


def selection_text(policies: Sequence[NetworkPolicy], pod: Pod) -> str:
    """Return, as the suffix of a reason, the settings without which none of these policies would isolate a pod."""
    found: list[str] = []
    for policy in policies:
        if not isinstance(policy, ChangedPolicy) or not policy.settings:
            return ""
        if policy.written is not None and policy.written.pod_selector.matches(pod.labels):
            return ""
        found += policy.settings
    return settings_text(found)


def without_effect(cluster: Cluster, pod: Pod, direction: Direction) -> str:
    """Return, as text, the policies that would isolate a pod if a setting did not leave them without effect."""
    texts = []
    for one in released_policies(cluster):
        policy = one.policy
        here = direction in one.directions and policy.meta.namespace == pod.namespace and pod.selectable
        if here and policy.pod_selector.matches(pod.labels):
            texts.append(f"NetworkPolicy {policy.meta.key} {one.why} ({one.setting})")
    return " and ".join(texts)


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


def _meant(cluster: Cluster, policy: NetworkPolicy) -> NetworkPolicy:
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
