"""A tracer: evaluates the text of a ruleset for a packet, without a kernel.

A packet passes the base chains of all tables in the order of hooks and priorities: those of the bridge family for its
frame, then prerouting and input, or prerouting, forward and postrouting, or output and postrouting. DNAT changes the
packet on its way. An unknown rule is an error, not a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from ipaddress import ip_address
from typing import Literal

from netlab.frozen import frozen
from netlab.objects.types import Address
from netlab.ruleset import Ruleset
from netlab.ruleset.service_hash import SEED, chosen
from netlab.testing.nft_text import Chain, Hit, Number, SetText, Tables, TraceError, class_number, read
from netlab.testing.statements import Statement, number_of, statements

__all__ = ["Link", "MatchedRule", "Packet", "Trace", "TraceError", "Tracer"]

_PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132}
_WITH_PORTS = (6, 17, 132)
_Chains = Mapping[tuple[str, str], Sequence[tuple[str, Sequence[Statement]]]]
"""The rules of chains by table and name, each with its statements."""


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
    port that the connection was opened to, ``source_port`` the one that it was opened from. ``state`` is the state in
    connection tracking. ``reply``: the packet goes from the destination of the connection to its source.

    ``came_by`` and ``goes_by`` are the links, for rules that read them. ``fields`` has further fields by nft's name
    (``icmpv6 type``, ``ether type``, ``arp saddr ip``, ``@th,64,128``). ``node_addresses`` are those of the node: a
    packet that DNAT sends to one of them is not forwarded.
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
    source_port: int = 40000
    node_addresses: Sequence[Address] = ()


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
    ``state`` is the packet's state at the end; a rule may have changed it to ``untracked``. ``rejected`` is the answer
    to a rejected packet in nft's words (``tcp reset``), else "".
    """

    verdict: Literal["accept", "drop"]
    rules: tuple[MatchedRule, ...]
    destination: Address
    port: int | None
    masqueraded: bool
    state: str
    rejected: str = ""


class Tracer:
    """Evaluates a ruleset, or its text, for packets. Maps that packets fill keep their elements until ``forget``.

    Raises:
      TraceError: if the text has something that ``netlab.ruleset`` never writes, or that the kernel would refuse.
    """

    def __init__(self, ruleset: Ruleset | str) -> None:
        self.tables: Tables = read(ruleset if isinstance(ruleset, str) else ruleset.text())
        self._chains: _Chains = {
            key: [(rule, statements(rule)) for rule in chain.rules] for key, chain in self.tables.chains.items()
        }
        self._hooked = self.tables.hooked()

    def verdict(self, packet: Packet) -> Trace:
        """Return the verdict on a packet and the rules that matched."""
        run = _Run(packet, self.tables.sets, self._chains, self._hooked)
        dropped = any(run.hook(family, hook) == "drop" for family, hook in run.hooks())
        return Trace(
            "drop" if dropped else "accept",
            tuple(run.rules),
            run.destination,
            run.port,
            run.masqueraded,
            run.state,
            run.rejected,
        )

    def forget(self) -> None:
        """Remove the elements that packets added (sessionAffinity)."""
        for one in self.tables.sets.values():
            if one.dynamic:
                one.exact.clear()


class _Run:
    """The state of one packet while it passes the hooks, and the rules that matched so far."""

    def __init__(
        self,
        packet: Packet,
        sets: Mapping[str, SetText],
        chains: _Chains,
        hooked: Mapping[tuple[str, str], list[Chain]],
    ) -> None:
        self.packet = packet
        self.source, self.destination = _address(packet.source), _address(packet.destination)
        self.protocol = _protocol(packet.protocol, self.source.version)
        self.port = packet.port
        self.sets, self.chains, self.hooked = sets, chains, hooked
        self.state: str = packet.state
        self.local = packet.for_node
        self.translated = self.masqueraded = False
        self.registers = {"meta priority": 0, "ct mark": 0, "meta mark": 0}
        self.rules: list[MatchedRule] = []
        self.family = self.rejected = ""

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
        for chain in self.hooked.get((family, hook), ()):
            # After a nat chain translates the packet, no later nat chain of the hook sees it.
            if chain.type == "nat" and (self.state != "new" or (self.translated and hook != "postrouting")):
                continue
            if (self.chain(chain.table, chain.name) or chain.policy) == "drop":
                return "drop"
        return "accept"

    def chain(self, table: str, name: str) -> str | None:
        """Run a chain; return its verdict, or None if the chain ends or returns without one."""
        for rule, parts in self.chains[table, name]:
            comments: list[str] = []
            outcome = self._rule(parts, comments)
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

    def _rule(self, parts: Sequence[Statement], comments: list[str]) -> str | None:
        """Return the verdict of a rule, ``continue`` without one, or None if a statement does not match."""
        for run in parts:
            outcome = run(self, comments)
            if outcome != "continue":
                return outcome
        return "continue"

    def field(self, name: str) -> Number | None:
        """Return the value of a field, by nft's name; None if the packet does not have the field."""
        if name in self.registers:
            return self.registers[name]
        if name.startswith("meta priority & "):
            return self.registers["meta priority"] & class_number(name.rpartition(" ")[2])
        if name in self.packet.fields:
            return number_of(self.packet.fields[name])
        read = _FIELDS.get(name)
        return read(self) if read is not None else None

    def port_at(self, side: str, protocols: Sequence[int]) -> Number | None:
        """Return the port of the connection, if the packet has it at this side (``dport`` or ``sport``)."""
        return self.port if self.protocol in protocols and (side == "sport") == self.packet.reply else None

    def name_of(self, link: Link | None) -> Number | None:
        """Return the interface name of a link, as chains of this family see it."""
        return "" if link is None else link.ifname if self.family == "bridge" else link.bridge or link.ifname

    def number(self, address: Address, word: str) -> Number | None:
        """Return an address as a number, if the packet has an IP header and it is of this family."""
        fields = self.packet.fields
        if "ether type" in fields and fields["ether type"] not in ("ip", "ip6"):
            return None
        return _of_family(address, word)

    def of_connection(self, direction: str, word: str) -> Number | None:
        """Return the source of a direction of the connection; None for an untracked packet."""
        if self.state == "untracked":
            return None
        opener, target = (self.destination, self.source) if self.packet.reply else (self.source, self.destination)
        return _of_family(opener if direction == "original" else target, word)

    def direction(self) -> Number | None:
        """Return the direction of the packet in its connection; None for an untracked packet."""
        return None if self.state == "untracked" else "reply" if self.packet.reply else "original"

    def update(self, fields: Sequence[str], name: str, value: int | None) -> None:
        """Add an element to a map unless it has one with this key, the packet's fields; None removes the element."""
        found = self.sets[name]
        if not found.dynamic or len(fields) != len(found.types):
            raise TraceError(f"@{name}: packets cannot add an element of {len(fields)} fields")
        key = tuple(number for one in fields if (number := self.field(one)) is not None)
        if value is None:
            found.exact.pop(key, None)
        else:
            found.exact.setdefault(key, Hit((value,), ""))

    def choice(self, family: str, count: int, seed: int) -> int | None:
        """Return nft's ``jhash`` of the packet's source address and port; None for a packet of another family."""
        if seed != SEED:
            raise TraceError(f"jhash with seed {seed:#x}")
        own = self.number(self.source, family)
        return None if own is None or self.packet.reply else chosen(self.source, self.packet.source_port, count)

    def has(self, fields: Sequence[str]) -> bool:
        """Say whether the packet has all of these fields."""
        return all(self.field(name) is not None for name in fields)

    def look_up(self, fields: Sequence[str], name: str, comments: list[str]) -> Hit | None:
        """Look the packet's fields up in a set; append the comment of the element to ``comments``."""
        found = self.sets[name]
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
        self.translated, self.local = True, self.destination in self.packet.node_addresses


_FIELDS: dict[str, Callable[[_Run], Number | None]] = {
    "meta nfproto": lambda run: f"ipv{run.source.version}",
    # The last 96 bits of an IPv6 source address.
    "@nh,96,96": lambda run: int(run.source) & ((1 << 96) - 1) if run.source.version == 6 else None,
    # ``Packet.fields`` has the DSCP of probes.
    "ip dscp": lambda run: 0 if run.source.version == 4 else None,
    "ip6 dscp": lambda run: 0 if run.source.version == 6 else None,
    "meta l4proto": lambda run: run.protocol,
    "th dport": lambda run: run.port_at("dport", _WITH_PORTS),
    "th sport": lambda run: run.port_at("sport", _WITH_PORTS),
    "udp dport": lambda run: run.port_at("dport", (_PROTOCOLS["UDP"],)),
    "udp sport": lambda run: run.port_at("sport", (_PROTOCOLS["UDP"],)),
    # ICMP of probes is an echo request; ``Packet.fields`` has the type of any other.
    "icmp type": lambda run: "echo-request" if run.protocol == _PROTOCOLS["ICMP"] else None,
    "icmpv6 type": lambda run: "echo-request" if run.protocol == _PROTOCOLS["ICMPV6"] else None,
    "iifname": lambda run: run.name_of(run.packet.came_by),
    "oifname": lambda run: run.name_of(run.packet.goes_by),
    "ether type": lambda run: "ip" if run.source.version == 4 else "ip6",
    "ether saddr": lambda run: run.packet.came_by.mac if run.packet.came_by is not None else None,
    "ether daddr": lambda run: run.packet.goes_by.mac if run.packet.goes_by is not None else None,
    "ip saddr": lambda run: run.number(run.source, "ip"),
    "ip daddr": lambda run: run.number(run.destination, "ip"),
    "ip6 saddr": lambda run: run.number(run.source, "ip6"),
    "ip6 daddr": lambda run: run.number(run.destination, "ip6"),
    "ct direction": lambda run: run.direction(),
    "ct original ip saddr": lambda run: run.of_connection("original", "ip"),
    "ct original ip6 saddr": lambda run: run.of_connection("original", "ip6"),
    "ct reply ip saddr": lambda run: run.of_connection("reply", "ip"),
    "ct reply ip6 saddr": lambda run: run.of_connection("reply", "ip6"),
}


def _of_family(address: Address, word: str) -> int | None:
    return int(address) if (word == "ip") == (address.version == 4) else None


def _address(text: Address | str) -> Address:
    return ip_address(text) if isinstance(text, str) else text


def _protocol(name: str, family: int) -> int:
    if name.isdecimal():
        return int(name)
    return _PROTOCOLS["ICMPV6" if name == "ICMP" and family == 6 else name]
