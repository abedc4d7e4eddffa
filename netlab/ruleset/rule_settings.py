"""Rules as the settings ``namedPorts`` and ``except`` of ``spec.policy`` mean them, for the ruleset.

The evaluator follows the same settings on its own (``policy.rewritten``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import replace

from netlab.cluster.types import Pod
from netlab.objects.policies import IPBlock, Peer, PolicyPort
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Prefix, Protocol

NameAndProtocol = tuple[str, Protocol]
NO_CONFLICT: frozenset[NameAndProtocol] = frozenset()


def peers_meant(peers: tuple[Peer, ...], settings: TopologyPolicy) -> tuple[Peer, ...]:
    """Return the peers of a rule, with the exceptions that each of its ipBlocks has under the settings."""
    blocks = [peer.ip_block for peer in peers if peer.ip_block is not None]
    excepts = dict.fromkeys(one for block in blocks for one in block.excepts)
    if settings.except_ == "per-peer" or not excepts:
        return peers
    holes: dict[Prefix, tuple[Prefix, ...]] = {}
    for block in blocks:
        inside = [one for one in excepts if _is_within(one, block.cidr)]
        if settings.except_ == "longest-prefix":
            # A longer cidr decides about its own addresses, and has a range of its own.
            inside += [b.cidr for b in blocks if b.cidr != block.cidr and _is_within(b.cidr, block.cidr)]
        else:
            inside += [one for one in excepts if one != block.cidr and _is_within(block.cidr, one)]
        holes[block.cidr] = tuple(dict.fromkeys(inside))
    return tuple(
        replace(peer, ip_block=IPBlock(peer.ip_block.cidr, holes[peer.ip_block.cidr])) if peer.ip_block else peer
        for peer in peers
    )


def ports_meant(ports: tuple[PolicyPort, ...], settings: TopologyPolicy) -> tuple[PolicyPort, ...]:
    """Return the ports of a rule; with ``namedPorts: whole-protocol`` a named port is every port of its protocol."""
    if settings.named_ports != "whole-protocol":
        return ports
    return tuple(PolicyPort(port.protocol) if isinstance(port.port, str) else port for port in ports)


def names_in_conflict(pods: Iterable[Pod], settings: TopologyPolicy) -> Set[NameAndProtocol]:
    """Return the named ports that egress rules skip, as pods give them different numbers."""
    if settings.named_ports != "skip-on-conflict":
        return NO_CONFLICT
    numbers: defaultdict[NameAndProtocol, set[int]] = defaultdict(set)
    for pod in pods:
        for port in pod.ports if pod.selectable else ():
            numbers[port.name, port.protocol].add(port.port)
    return frozenset(key for key, found in numbers.items() if key[0] and len(found) > 1)


def _is_within(inner: Prefix, outer: Prefix) -> bool:
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer
