"""Reads the nft text that ``netlab.ruleset`` writes, for the tracer: tables, sets with their elements, chains of rules.

It is not a parser of nft's language: it refuses lines that netlab does not write. It names no table, set or chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from netlab.frozen import frozen

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_TABLE = re.compile(r"table ((?:inet|bridge) \w+)( \{)?")
_SET = re.compile(r"(set|map) (\w+) \{")
_CHAIN = re.compile(r"chain (\w+) \{")
_FIELD = r"[\w,@]+(?: [\w,@]+)*"
_TYPE = re.compile(rf"(?:type|typeof) ({_FIELD}(?: \. {_FIELD})*)(?: : ({_FIELD}(?: \. {_FIELD})*))?")
_TIMEOUT = re.compile(r"timeout \d+s")
_HOOK = re.compile(r"type (filter|nat) hook (\w+) priority ([\w-]+); policy (accept|drop);")
_ELEMENT = re.compile(
    r'((?:"[^"]*"|[^" ]+)(?: \. (?:"[^"]*"|[^" ]+))*)(?: comment "([^"]*)")?(?: : (\S+(?: \. \S+)*))?'
)

Number = int | str
"""A field's value: a number, or text such as an interface name or a MAC address."""


class TraceError(ValueError):
    """The text has something that netlab never writes, or that the kernel would refuse."""


@frozen
class Hit:
    """The element that a lookup found: its value (empty in a set) and its comment."""

    value: tuple[Number, ...]
    comment: str


_Ranges = tuple[tuple[tuple[int, int], ...], Hit]


@dataclass(slots=True)
class SetText:
    """A set or map: the types of its key and value, and its elements. In an interval set any field may be a range.

    ``dynamic``: packets add its elements.

    ``exact`` has the elements of other sets by key. ``ranges`` has the elements of an interval set by the single values
    before their first range, and ``heads`` the numbers of these values.
    """

    name: str
    types: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    interval: bool = False
    dynamic: bool = False
    exact: dict[tuple[Number, ...], Hit] = field(default_factory=dict)
    ranges: dict[tuple[Number, ...], list[_Ranges]] = field(default_factory=dict)
    heads: set[int] = field(default_factory=set)

    def add(self, line: str) -> None:
        """Add the element of a line.

        Raises:
          TraceError: if the line is not an element of this set, or overlaps another element.
        """
        match = _ELEMENT.fullmatch(line)
        if match is None:
            raise TraceError(f"{self.name}: element {line!r}")
        parts, value = match[1].split(" . "), match[3].split(" . ") if match[3] else []
        if len(parts) != len(self.types) or len(value) != len(self.value):
            raise TraceError(f"{self.name}: element {line!r}")
        try:
            spans = [_span(kind, part) for kind, part in zip(self.types, parts, strict=True)]
            hit = Hit(tuple(_span(kind, part)[0] for kind, part in zip(self.value, value, strict=True)), match[2] or "")
        except (KeyError, ValueError) as error:
            raise TraceError(f"{self.name}: element {line!r}: {error}") from error
        single = next((n for n, (low, high) in enumerate(spans) if low != high), len(spans))
        key = tuple(low for low, _ in spans)
        if not self.interval:
            if single < len(spans):
                raise TraceError(f"{self.name}: a range in {line!r}")
            if key in self.exact:
                raise TraceError(f"{self.name}: {line!r} is a duplicate")
            self.exact[key] = hit
            return
        # The last field counts as a range even if it is a single value, so that overlaps are found.
        head = min(single, len(spans) - 1)
        ranges = tuple((int(low), int(high)) for low, high in spans[head:])
        others = self.ranges.setdefault(key[:head], [])
        if any(all(a <= d and c <= b for (a, b), (c, d) in zip(ranges, other, strict=True)) for other, _ in others):
            raise TraceError(f"{self.name}: {line!r} overlaps another element")
        others.append((ranges, hit))
        self.heads.add(head)

    def find(self, key: tuple[Number, ...]) -> Hit | None:
        """Return the element at a key; None if there is none."""
        if not self.interval:
            return self.exact.get(key)
        for head in self.heads:
            for ranges, hit in self.ranges.get(key[:head], ()):
                if all(low <= int(part) <= high for (low, high), part in zip(ranges, key[head:], strict=True)):
                    return hit
        return None


@dataclass(slots=True)
class Chain:
    """A chain of a table and its rules; ``hook`` is "" unless it is a base chain."""

    table: str
    name: str
    type: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    rules: list[str] = field(default_factory=list)

    @property
    def family(self) -> str:
        """The family of its table: ``inet`` or ``bridge``."""
        return self.table.partition(" ")[0]


@frozen
class Tables:
    """The sets of all tables by name, which is unique over all tables, and the chains by table and name."""

    sets: dict[str, SetText]
    chains: dict[tuple[str, str], Chain]

    def hooked(self) -> dict[tuple[str, str], list[Chain]]:
        """Return the base chains by family and hook, sorted by priority."""
        found: dict[tuple[str, str], list[Chain]] = {}
        for chain in sorted(self.chains.values(), key=lambda chain: chain.priority):
            if chain.hook:
                found.setdefault((chain.family, chain.hook), []).append(chain)
        return found


def read(text: str) -> Tables:
    """Return the tables of a ruleset's text.

    Raises:
      TraceError: at the first line that netlab does not write.
    """
    tables = Tables({}, {})
    lines = iter([line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#")])
    for line in lines:
        match = _TABLE.fullmatch(line.removeprefix("delete "))
        if match is None or (match[2] and line.startswith("delete ")):
            raise TraceError(f"line {line!r}")
        if match[2]:
            _table(lines, match[1], tables)
    return tables


def _table(lines: Iterator[str], title: str, into: Tables) -> None:
    for line in lines:
        if line == "}":
            return
        if match := _SET.fullmatch(line):
            if match[2] in into.sets:
                raise TraceError(f"{match[2]}: two sets of this name")
            into.sets[match[2]] = _set(lines, match[2])
        elif match := _CHAIN.fullmatch(line):
            into.chains[title, match[1]] = _chain(lines, title, match[1])
        else:
            raise TraceError(f"line {line!r}")
    raise TraceError(f"{title}: no end")


def _set(lines: Iterator[str], name: str) -> SetText:
    found = SetText(name)
    for line in lines:
        if line == "}":
            return found
        if match := _TYPE.fullmatch(line):
            found.types = tuple(match[1].split(" . "))
            found.value = tuple(match[2].split(" . ")) if match[2] else ()
        elif line == "flags interval":
            found.interval = True
        elif line == "flags dynamic,timeout":
            found.dynamic = True
        elif found.dynamic and _TIMEOUT.fullmatch(line):
            pass
        elif line == "elements = {":
            for element in lines:
                if element == "}":
                    break
                found.add(element.removesuffix(","))
        else:
            raise TraceError(f"{name}: line {line!r}")
    raise TraceError(f"{name}: no end")


def _chain(lines: Iterator[str], title: str, name: str) -> Chain:
    found = Chain(title, name)
    for line in lines:
        if line == "}":
            return found
        if match := _HOOK.fullmatch(line):
            named = match[3].lstrip("-").isdecimal()
            if not named and (match[3] not in _PRIORITIES or not title.startswith("inet ")):
                raise TraceError(f"{name}: priority {match[3]!r}")
            found.priority = int(match[3]) if named else _PRIORITIES[match[3]]
            found.type, found.hook, found.policy = match[1], match[2], match[4]
        else:
            found.rules.append(line)
    raise TraceError(f"{name}: no end")


def _span(kind: str, text: str) -> tuple[Number, Number]:
    """Return the first and last value of one field of a key."""
    first, dash, last = text.partition("-")
    match kind:
        case "ipv4_addr" | "ipv6_addr" if dash:
            return int(ip_address(first)), int(ip_address(last))
        case "ipv4_addr" | "ipv6_addr":
            network = ip_network(text)
            return int(network.network_address), int(network.broadcast_address)
        case "inet_service":
            return int(first), int(last or first)
        case "mark" | "@th,64,128":
            return int(text, 16), int(text, 16)
        case "classid":
            number = class_number(text)
            return number, number
        case "inet_proto":
            return _PROTOCOLS[text], _PROTOCOLS[text]
        case "ifname" | "iifname":
            return text.strip('"'), text.strip('"')
        case "ether_addr":
            return text, text
        case _:
            raise TraceError(f"type {kind!r}")


def class_number(text: str) -> int:
    """Return the number of a classid, ``MAJOR:MINOR`` in hexadecimal, or ``none``."""
    if text == "none":
        return 0
    major, _, minor = text.partition(":")
    return (int(major, 16) << 16) | int(minor, 16)
