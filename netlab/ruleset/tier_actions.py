"""What the tiers of a class decide about connections with one identity: an action for each port.

All tiers are folded into one function of protocol and port, so a packet needs no look-up for each tier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Literal, NamedTuple

from netlab.objects.types import Protocol
from netlab.ruleset.allows import EVERY_PORT
from netlab.ruleset.peers import Member, NamedPort, PolicyPeers, RulePeers
from netlab.ruleset.rule_settings import NO_CONFLICT, NameAndProtocol
from netlab.ruleset.tier_classes import NETWORK_POLICY, TierClass
from netlab.ruleset.tiers import TierPolicy
from netlab.verdicts import Action

PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
Final = Literal["allow", "deny"]
_Spans = list[tuple[int, int]]


class Decided(NamedTuple):
    """An action, and the name of what decided: a tier with the key of its policy, or "" if no rule did."""

    action: Final
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
    skipped: Set[NameAndProtocol]


class ClassRules:
    """The rules of a class, step by step, with their actions.

    ``peers`` has the rules of all policies by key, with their peers as texts. ``tiers`` has the policies of tiers by
    key. NetworkPolicy's egress rules skip the named ports ``skipped``.
    """

    def __init__(
        self,
        tier_class: TierClass,
        peers: Mapping[str, PolicyPeers],
        tiers: Mapping[str, TierPolicy],
        skipped: Set[NameAndProtocol] = NO_CONFLICT,
    ) -> None:
        self._class = tier_class
        self._steps: list[list[_Rule]] = []
        for step in tier_class.steps:
            rules: list[_Rule] = []
            for key in step.policies:
                found = peers[key].rules(tier_class.direction)
                by = f"{step.tier} {key}"
                if step.tier == NETWORK_POLICY:
                    rules += [_Rule("allow", by, rule, skipped) for rule in found]
                    continue
                written = tiers[key].rules(tier_class.direction)
                rules += [_Rule(w.action, by, r, NO_CONFLICT) for r, w in zip(found, written, strict=True)]
            self._steps.append(rules)
        every = [rule.written for rules in self._steps for rule in rules]
        self.peers = frozenset(text for rule in every for text in rule.peers)
        """The texts of all peers of the rules."""
        egress = tier_class.direction == "egress"
        ports = (port for rule in every for port in rule.ports if egress)
        self.named = frozenset((port.port, port.protocol) for port in ports if isinstance(port.port, str))
        """The named ports of egress rules, by name and protocol."""
        self.has_ranges = any(
            port.port is None or port.end_port not in (None, port.port) for rule in every for port in rule.ports
        )
        """Whether a rule names a range of ports. Without one, only single ports differ from what else is found."""
        self.anywhere = any(not rule.peers for rule in every)
        """Whether a rule is about every address."""

    def relevant(self, signature: Set[Member]) -> frozenset[Member]:
        """Return the members of a signature that the rules read: with equal ones the actions are equal."""
        return frozenset(
            member
            for member in signature
            if member in self.peers or (isinstance(member, NamedPort) and (member.name, member.protocol) in self.named)
        )

    def actions(self, members: frozenset[Member]) -> Actions:
        """Return the actions for connections with an identity that has these members; without any: any other one."""
        left: dict[Protocol, _Spans] = {protocol: [EVERY_PORT] for protocol in PROTOCOLS}
        decided: dict[Protocol, list[PortSpan]] = {protocol: [] for protocol in PROTOCOLS}
        other: Decided | None = None
        for rules in self._steps:
            passed: dict[Protocol, _Spans] = {protocol: [] for protocol in PROTOCOLS}
            passes = False
            for rule in rules:
                if rule.written.peers and members.isdisjoint(rule.written.peers):
                    continue
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
        rest = Decided("deny" if self._class.denies else "allow")
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
            elif port.port is None:
                yield port.protocol, *EVERY_PORT
            elif self._class.direction == "ingress":
                for name, protocol, number in self._class.ports:
                    if (name, protocol) == (port.port, port.protocol):
                        yield protocol, number, number
            elif (port.port, port.protocol) not in rule.skipped:
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
