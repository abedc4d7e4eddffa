"""Allows: what the policies of a class allow, as pairs of an identity and ports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set

from netlab.frozen import frozen
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Protocol
from netlab.ruleset.address_space import AddressSpace
from netlab.ruleset.classes import PolicyClass
from netlab.ruleset.peers import PolicyPeers, RulePeers, Signature
from netlab.ruleset.rule_settings import NO_CONFLICT, NameAndProtocol

EVERY_PORT = (0, 65535)


@frozen
class Allow:
    """Ports ``first`` to ``last`` (both included) of a protocol, to or from one identity.

    ``peer`` None is every address. ``protocol`` None is every protocol, also those without ports.
    """

    peer: Signature | None
    protocol: Protocol | None = None
    first: int = EVERY_PORT[0]
    last: int = EVERY_PORT[1]

    @property
    def is_range(self) -> bool:
        """Whether these are several ports of a protocol."""
        return self.protocol is not None and self.first != self.last


def allows(
    policy_class: PolicyClass,
    policies: Mapping[str, PolicyPeers],
    space: AddressSpace,
    skipped: Set[NameAndProtocol] = NO_CONFLICT,
) -> dict[Allow, tuple[str, ...]]:
    """Return what a class allows, each with the keys of the policies that allow it. Ranges of ports do not overlap.

    ``policies`` has the policies of the class by key. ``space`` has the identities that the node can meet. Egress rules
    skip the named ports ``skipped``.
    """
    found: defaultdict[Allow, dict[str, None]] = defaultdict(dict)
    for key in policy_class.policies:
        for rule in policies[key].rules(policy_class.direction):
            for allow in allows_of(rule, policy_class, space, skipped):
                found[allow][key] = None
    return _without_overlap({allow: tuple(keys) for allow, keys in found.items()})


def allows_of(
    rule: RulePeers, policy_class: PolicyClass, space: AddressSpace, skipped: Set[NameAndProtocol] = NO_CONFLICT
) -> Iterator[Allow]:
    """Yield what a rule of a class allows on a node of an address space; some of it may come twice."""
    peers: dict[Signature | None, None] = {None: None}
    if rule.peers:
        peers = dict.fromkeys(signature for text in rule.peers for signature in space.identities.get(text, ()))
    if not rule.ports:
        yield from (Allow(peer) for peer in peers)
    for port in rule.ports:
        if not isinstance(port.port, str):
            first, last = _numbers(port)
            yield from (Allow(peer, port.protocol, first, last) for peer in peers)
        elif policy_class.direction == "ingress":
            number = policy_class.number_of(port.port, port.protocol)
            if number is not None:
                yield from (Allow(peer, port.protocol, number, number) for peer in peers)
        elif (port.port, port.protocol) not in skipped:
            # The destination pod defines the name. An address that is not a pod's has no named ports, even if an
            # ipBlock covers it or the rule has no peers.
            for number, signature in space.resolved(port.port, port.protocol):
                if signature in peers or not rule.peers:
                    yield Allow(signature, port.protocol, number, number)


def _numbers(port: PolicyPort) -> tuple[int, int]:
    if not isinstance(port.port, int):
        return EVERY_PORT
    return port.port, port.end_port or port.port


def _without_overlap(found: Mapping[Allow, tuple[str, ...]]) -> dict[Allow, tuple[str, ...]]:
    """Join the ranges of one peer and protocol that overlap or touch, as the kernel refuses overlaps in a set."""
    joined = {allow: keys for allow, keys in found.items() if not allow.is_range}
    for ranges in _alike(allow for allow in found if allow.is_range):
        ranges.sort(key=lambda a: a.first)
        begin, end, keys = ranges[0].first, ranges[0].last, dict.fromkeys(found[ranges[0]])
        for allow in ranges[1:]:
            if allow.first > end + 1:
                joined[Allow(allow.peer, allow.protocol, begin, end)] = tuple(keys)
                begin, end, keys = allow.first, allow.last, {}
            end = max(end, allow.last)
            keys.update(dict.fromkeys(found[allow]))
        joined[Allow(ranges[0].peer, ranges[0].protocol, begin, end)] = tuple(keys)
    return joined


def _alike(ranges: Iterable[Allow]) -> list[list[Allow]]:
    """Group ranges by peer and protocol."""
    groups: defaultdict[tuple[Signature | None, Protocol | None], list[Allow]] = defaultdict(list)
    for allow in ranges:
        groups[allow.peer, allow.protocol].append(allow)
    return list(groups.values())
