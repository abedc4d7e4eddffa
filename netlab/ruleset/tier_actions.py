"""What the tiers of a class decide about connections with one identity: an action for each port.

All tiers of a class are folded into one function of protocol and port, so a packet needs no look-up for each tier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from netlab.frozen import NamedTuple
from netlab.objects.types import Direction, Protocol
from netlab.ruleset.allows import EVERY_PORT
from netlab.ruleset.peers import Member, NamedPort, PolicyPeers, RulePeers
from netlab.ruleset.rule_settings import NameAndProtocol
from netlab.ruleset.tier_classes import Step, TierClass
from netlab.ruleset.tiers import TierPolicy
from netlab.verdicts import Action

PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
_Spans = list[tuple[int, int]]


class Decided(NamedTuple):
    """An action, and the name of what decided: a tier, the key of its policy and its rule; "" if no rule did."""

    action: Action
    by: str = ""


class PortSpan(NamedTuple):
    """The action for the ports ``first`` to ``last``, both included."""

    first: int
    last: int
    decided: Decided


class Actions(NamedTuple):
    """The actions for connections of a class with one identity.

    ``ports`` has, for each protocol, disjoint spans that cover every port, in order. ``other`` is the action for every
    other protocol.
    """

    ports: Mapping[Protocol, tuple[PortSpan, ...]]
    other: Decided


class _Rule(NamedTuple):
    action: Action
    by: str
    written: RulePeers


class StepRules:
    """The rules of one step, by the peers that they name.

    ``peers`` has the rules of all policies by key, with their peers as texts. ``tiers`` has the policies by key.
    """

    def __init__(
        self, step: Step, direction: Direction, peers: Mapping[str, PolicyPeers], tiers: Mapping[str, TierPolicy]
    ) -> None:
        self._rules: list[_Rule] = []
        for key in step.policies:
            rules = zip(peers[key].rules(direction), tiers[key].rules(direction), strict=True)
            self._rules += [
                _Rule(written.action, f"{step.tier} {key} {written.name}".rstrip(), rule) for rule, written in rules
            ]
        self._by_peer: defaultdict[str, list[int]] = defaultdict(list)
        for number, rule in enumerate(self._rules):
            for text in dict.fromkeys(rule.written.peers):
                self._by_peer[text].append(number)
        self.peers: Set[str] = self._by_peer.keys()
        """The texts of all peers of the rules."""
        ports = [port for rule in self._rules for port in rule.written.ports]
        named = [(port.port, port.protocol) for port in ports if isinstance(port.port, str)]
        self.named = frozenset(named if direction == "egress" else ())
        """The named ports of egress rules, by name and protocol."""
        self.has_ranges = any(port.end_port not in (None, port.port) for port in ports)
        """Whether a rule names a range of ports. Without one, only single ports differ from other ports."""

    def matching(self, members: Set[Member]) -> list[_Rule]:
        """Return the rules for an identity with some members, in their order."""
        numbers = {number for m in members if isinstance(m, str) for number in self._by_peer.get(m, ())}
        return [self._rules[number] for number in sorted(numbers)]


class ClassRules:
    """The rules of a class, step by step, with their actions."""

    def __init__(self, tier_class: TierClass, steps: Sequence[StepRules]) -> None:
        self._class = tier_class
        self._steps = steps
        self.peers: frozenset[str] = frozenset().union(*(step.peers for step in steps))
        self.named: frozenset[NameAndProtocol] = frozenset().union(*(step.named for step in steps))
        self.has_ranges = any(step.has_ranges for step in steps)
        self.default: Action = "pass" if tier_class.passes else "allow"
        """The action where no rule decides."""

    def relevant(self, signature: Set[Member]) -> frozenset[Member]:
        """Return the members of a signature that the rules read: with equal ones the actions are equal."""
        return frozenset(
            member
            for member in signature
            if member in self.peers or (isinstance(member, NamedPort) and (member.name, member.protocol) in self.named)
        )

    def actions(self, members: frozenset[Member]) -> Actions:
        """Return the actions for connections with an identity that has these members."""
        left: dict[Protocol, _Spans] = {protocol: [EVERY_PORT] for protocol in PROTOCOLS}
        decided: dict[Protocol, list[PortSpan]] = {protocol: [] for protocol in PROTOCOLS}
        other: Decided | None = None
        for step in self._steps:
            passed: dict[Protocol, _Spans] = {protocol: [] for protocol in PROTOCOLS}
            passes = False
            for rule in step.matching(members):
                for protocol, first, last in self._ports(rule, members):
                    taken, left[protocol] = _taken(left[protocol], (first, last))
                    if rule.action == "pass":
                        passed[protocol] += taken
                    else:
                        decided[protocol] += [PortSpan(*span, Decided(rule.action, rule.by)) for span in taken]
                if not rule.written.ports and other is None and not passes:
                    if rule.action == "pass":
                        passes = True
                    else:
                        other = Decided(rule.action, rule.by)
            for protocol, spans in passed.items():
                left[protocol] = sorted([*left[protocol], *spans])
        rest = Decided(self.default)
        for protocol, spans in left.items():
            decided[protocol] += [PortSpan(*span, rest) for span in spans]
        return Actions({protocol: _joined(spans) for protocol, spans in decided.items()}, other or rest)

    def _ports(self, rule: _Rule, members: Set[Member]) -> Iterator[tuple[Protocol, int, int]]:
        ports = rule.written.ports
        if not ports:
            yield from ((protocol, *EVERY_PORT) for protocol in PROTOCOLS)
        for port in ports:
            if isinstance(port.port, int):
                yield port.protocol, port.port, port.end_port or port.port
            elif self._class.direction == "ingress":
                for name, protocol, number in self._class.ports:
                    if (name, protocol) == (port.port, port.protocol):
                        yield protocol, number, number
            else:
                # The destination pod defines the name; an address that is not a pod's has no named ports.
                for member in members:
                    if isinstance(member, NamedPort) and (member.name, member.protocol) == (port.port, port.protocol):
                        yield member.protocol, member.number, member.number


def different(one: Sequence[PortSpan], other: Sequence[PortSpan]) -> list[PortSpan]:
    """Return the parts of ``one`` where the other has another action; both cover every port."""
    found: list[PortSpan] = []
    rest = list(other)
    for span in one:
        while rest and rest[0].last < span.first:
            rest.pop(0)
        for theirs in rest:
            if theirs.first > span.last:
                break
            if theirs.decided.action != span.decided.action:
                found.append(PortSpan(max(span.first, theirs.first), min(span.last, theirs.last), span.decided))
    return list(_joined(found))


def _taken(left: _Spans, wanted: tuple[int, int]) -> tuple[_Spans, _Spans]:
    """Return the parts of some spans inside and outside of the wanted one."""
    inside: _Spans = []
    outside: _Spans = []
    for first, last in left:
        low, high = max(first, wanted[0]), min(last, wanted[1])
        if low > high:
            outside.append((first, last))
            continue
        inside.append((low, high))
        outside += [(first, low - 1)] if first < low else []
        outside += [(high + 1, last)] if high < last else []
    return inside, outside


def _joined(spans: Sequence[PortSpan]) -> tuple[PortSpan, ...]:
    """Return spans by port; neighbours with one decision are one span."""
    found: list[PortSpan] = []
    for span in sorted(spans, key=lambda one: one.first):
        if found and found[-1].decided == span.decided and found[-1].last + 1 == span.first:
            found[-1] = PortSpan(found[-1].first, span.last, span.decided)
        else:
            found.append(span)
    return tuple(found)
