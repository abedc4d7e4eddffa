"""Allows: what the policies of a class let in or out, as pairs of an identity and ports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from netlab.frozen import frozen
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Protocol
from netlab.ruleset.classes import PolicyClass
from netlab.ruleset.peers import PolicyWords, RuleWords, Signature
from netlab.ruleset.views import View

EVERY_PORT = (0, 65535)


@frozen
class Allow:
    """One thing that a class allows: ports ``first`` to ``last`` of a protocol with one identity.

    ``peer`` None is every address; ``protocol`` None is every protocol, those without ports included.
    """

    peer: Signature | None
    protocol: Protocol | None = None
    first: int = EVERY_PORT[0]
    last: int = EVERY_PORT[1]

    @property
    def is_range(self) -> bool:
        """Whether it is more than one port of a protocol."""
        return self.protocol is not None and self.first != self.last


def allows(policy_class: PolicyClass, policies: Mapping[str, PolicyWords], seen: View) -> dict[Allow, tuple[str, ...]]:
    """Return everything a class allows, with the keys of the policies that do; ranges of ports never overlap.

    ``policies`` has the class's policies by key; only identities that the node can meet are considered.
    """
    found: defaultdict[Allow, dict[str, None]] = defaultdict(dict)
    for key in policy_class.policies:
        for rule in policies[key].rules(policy_class.direction):
            for allow in allows_of(rule, policy_class, seen):
                found[allow][key] = None
    return _without_overlap({allow: tuple(keys) for allow, keys in found.items()})


def allows_of(rule: RuleWords, policy_class: PolicyClass, seen: View) -> Iterator[Allow]:
    """Yield what a rule of a class allows, on a node that can meet what is ``seen``; some of it may come twice."""
    peers: dict[Signature | None, None] = {None: None}
    if rule.peers:
        peers = dict.fromkeys(signature for text in rule.peers for signature in seen.carriers.get(text, ()))
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
        else:
            # The name is the destination's, so it means nothing for an address that is not a pod's, even in an
            # ipBlock or with no peers at all.
            for number, signature in seen.resolved(port.port, port.protocol):
                if signature in peers or not rule.peers:
                    yield Allow(signature, port.protocol, number, number)


def _numbers(port: PolicyPort) -> tuple[int, int]:
    if not isinstance(port.port, int):
        return EVERY_PORT
    return port.port, port.end_port or port.port


def _without_overlap(found: Mapping[Allow, tuple[str, ...]]) -> dict[Allow, tuple[str, ...]]:
    """Join the ranges of one peer and protocol that overlap or touch: the kernel refuses overlaps in a set."""
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
