"""A tracer: evaluates the text of a ruleset for a packet, without a kernel.

A packet passes the base chains of all tables in the order of hooks and priorities: those of the bridge family for its
frame, then prerouting and input, or prerouting, forward and postrouting, or output and postrouting. DNAT changes the
packet on its way. An unknown rule is an error, not a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from ipaddress import ip_address
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.types import Address
from netlab.ruleset import Ruleset
from netlab.testing.nft_text import Hit, Number, SetText, Tables, TraceError, read
from netlab.testing.statements import number_of, statements

__all__ = ["Link", "MatchedRule", "Packet", "Trace", "TraceError", "Tracer"]

_PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132}
_WITH_PORTS = (6, 17, 132)


@frozen
class Link:
    """The node's end of a link: its interface name, and the MAC address of the other end.

    ``bridge`` is the bridge that the link is a port of, or "".
    """

    ifname: str
    mac: str = ""
    bridge: str = ""


@frozen
class Packet:
    """A packet that a node forwards, receives (``for_node``) or sends (``from_node``).

    ``protocol`` is TCP, UDP, SCTP, ICMP (of either family) or the number of an IP protocol as text. ``port`` is the
    port that the connection was opened to. ``state`` is the state in connection tracking. ``reply``: the packet goes
    from the destination of the connection to its source.

    ``came_by`` and ``goes_by`` are the links, for rules that read them. ``fields`` has further fields by nft's name
    (``icmpv6 type``, ``ether type``, ``arp saddr ip``, ``@th,64,128``).
    """

    source: Address | str
    destination: Address | str
    protocol: str = "TCP"
    port: int | None = None
    state: Literal["new", "established", "related", "invalid", "untracked"] = "new"
    for_node: bool = False
    from_node: bool = False
    reply: bool = False
    came_by: Link | None = None
    goes_by: Link | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@frozen
class MatchedRule:
    """A rule that matched, and the comments of the elements that it found."""

    chain: str
    rule: str
    comment: str = ""
    table: str = "inet netlab"


@frozen
class Trace:
    """The verdict on a packet, and the rules that matched, in order.

    ``destination`` and ``port`` are those after DNAT. ``masqueraded``: the packet leaves with the node's address.
    ``state`` is the packet's state at the end; a rule may have changed it to ``untracked``.
    """

    verdict: Literal["accept", "drop"]
    rules: tuple[MatchedRule, ...]
    destination: Address
    port: int | None
    masqueraded: bool
    state: str


class Tracer:
    """Evaluates a ruleset, or its text, for packets.

    Raises:
      TraceError: if the text has something that ``netlab.ruleset`` never writes, or that the kernel would refuse.
    """

    def __init__(self, ruleset: Ruleset | str) -> None:
        self.tables: Tables = read(ruleset if isinstance(ruleset, str) else ruleset.text())
        for chain in self.tables.chains.values():
            for rule in chain.rules:
                statements(rule)

    def verdict(self, packet: Packet) -> Trace:
        """Return the verdict on a packet and the rules that matched."""
        run = _Run(packet, self.tables)
        dropped = any(run.hook(family, hook) == "drop" for family, hook in run.hooks())
        return Trace(
            "drop" if dropped else "accept",
            tuple(run.rules),
            run.destination,
            run.port,
            run.masqueraded,
            run.state,
        )


class _Run:
    """The state of one packet while it passes the hooks, and the rules that matched so far."""

    def __init__(self, packet: Packet, tables: Tables) -> None:
        self.packet = packet
        self.source, self.destination = ip_address(packet.source), ip_address(packet.destination)
        self.protocol = _protocol(packet.protocol, self.source.version)
        self.port = packet.port
        self.tables = tables
        self.state: str = packet.state
        self.local = packet.for_node
        self.translated = self.masqueraded = False
        self.registers = {"meta priority": 0, "ct mark": 0, "meta mark": 0}
        self.rules: list[MatchedRule] = []
        self.family = ""

    def hooks(self) -> Iterator[tuple[str, str]]:
        """Yield the family and name of each hook that the packet passes. A hook may change which hook is next."""
        came, goes = self.packet.came_by, self.packet.goes_by
        if came is not None and came.bridge:
            yield "bridge", "prerouting"
        routed = self.packet.fields.get("ether type", "ip") in ("ip", "ip6")
        if self.packet.from_node:
            yield from (("inet", "output"), ("inet", "postrouting"))
            return
        if routed:
            yield "inet", "prerouting"
        if came is not None and goes is not None and came.bridge and came.bridge == goes.bridge and not self.translated:
            yield "bridge", "forward"
        if routed:
            yield from [("inet", "input")] if self.local else [("inet", "forward"), ("inet", "postrouting")]

    def hook(self, family: str, hook: str) -> str:
        """Run the base chains of a hook. Chains of type nat see only the packet that opens a connection."""
        self.family = family
        for chain in self.tables.hooked(family, hook):
            if chain.type == "nat" and self.state != "new":
                continue
            if (self.chain(chain.table, chain.name) or chain.policy) == "drop":
                return "drop"
        return "accept"

    def chain(self, table: str, name: str) -> str | None:
        """Run a chain; return its verdict, or None if the chain ends or returns without one."""
        for rule in self.tables.chains[table, name].rules:
            comments: list[str] = []
            outcome = self._rule(rule, comments)
            if outcome is None:
                continue
            self.rules.append(MatchedRule(name, rule, "; ".join(comments), table))
            verb, _, target = outcome.partition(" ")
            if verb == "return":
                return None
            if verb in ("accept", "drop"):
                return verb
            if verb in ("jump", "goto"):
                verdict = self.chain(table, target)
                if verdict is not None or verb == "goto":
                    return verdict
        return None

    def _rule(self, rule: str, comments: list[str]) -> str | None:
        """Run a rule; return its verdict, ``continue`` without one, or None if a statement does not match."""
        for act, match in statements(rule):
            outcome = act(self, match, comments)
            if outcome != "continue":
                return outcome
        return "continue"

    def field(self, name: str) -> Number | None:
        """Return the value of a field, by nft's name; None if the packet does not have the field."""
        if name in self.registers:
            return self.registers[name]
        if name in self.packet.fields:
            return number_of(self.packet.fields[name])
        if name.startswith("ct "):
            return self._of_connection(name)
        match name.split():
            case ["meta", "l4proto"]:
                return self.protocol
            case [("th" | "udp") as header, ("dport" | "sport") as side]:
                known = self.protocol == _PROTOCOLS["UDP"] if header == "udp" else self.protocol in _WITH_PORTS
                return self.port if known and (side == "sport") == self.packet.reply else None
            case [("iifname" | "oifname") as side]:
                link = self.packet.came_by if side == "iifname" else self.packet.goes_by
                return "" if link is None else link.ifname if self.family == "bridge" else link.bridge or link.ifname
            case ["ether", "type"]:
                return "ip" if self.source.version == 4 else "ip6"
            case ["ether", side]:
                link = self.packet.came_by if side == "saddr" else self.packet.goes_by
                return link.mac if link is not None else None
            case [("ip" | "ip6") as word, side] if self.field("ether type") in ("ip", "ip6"):
                address = self.source if side == "saddr" else self.destination
                return int(address) if (word == "ip") == (address.version == 4) else None
            case _:
                return None

    def _of_connection(self, name: str) -> Number | None:
        """Return a field of the connection; None for an untracked packet."""
        if self.state == "untracked":
            return None
        if name == "ct direction":
            return "reply" if self.packet.reply else "original"
        _, direction, word, _ = name.split()
        opener, target = (self.destination, self.source) if self.packet.reply else (self.source, self.destination)
        address = opener if direction == "original" else target
        return int(address) if (word == "ip") == (address.version == 4) else None

    def has(self, fields: Sequence[str]) -> bool:
        """Say whether the packet has all of these fields."""
        return all(self.field(name) is not None for name in fields)

    def look_up(self, fields: Sequence[str], name: str, comments: list[str]) -> Hit | None:
        """Look the packet's fields up in a set; append the comment of the element to ``comments``."""
        found: SetText = self.tables.sets[name]
        if "th dport" in fields and "meta l4proto" not in fields:
            raise TraceError(f"@{name}: th dport without its protocol reads other bytes of an ICMP packet")
        if len(fields) != len(found.types):
            raise TraceError(f"@{name}: {len(fields)} fields for a key of {len(found.types)}")
        key = [number for field in fields if (number := self.field(field)) is not None]
        hit = found.find(tuple(key)) if len(key) == len(fields) else None
        if hit is not None and hit.comment:
            comments.append(hit.comment)
        return hit

    def send_to(self, destination: int, port: int) -> None:
        """Change the packet's destination (DNAT); the node then forwards it."""
        self.destination, self.port = type(self.destination)(destination), port
        self.translated, self.local = True, False


def _protocol(name: str, family: int) -> int:
    if name.isdecimal():
        return int(name)
    return _PROTOCOLS["ICMPV6" if name == "ICMP" and family == 6 else name]
