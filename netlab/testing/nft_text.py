"""Reads the nft text that ``netlab.ruleset`` writes, for the tracer: sets with their elements, chains with their rules.

Not a parser of nft's language: a line that netlab does not write is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}
_SET = re.compile(r"(?:set|map) (\w+) \{")
_CHAIN = re.compile(r"chain (\w+) \{")
_TYPE = re.compile(r"type ([\w .]+?)(?: : (mark|classid))?")
_HOOK = re.compile(r"type (?:filter|nat) hook (\w+) priority [\w-]+; policy (accept|drop);")
_ELEMENT = re.compile(r'([^" ]+(?: \. [^" ]+)*)(?: comment "([^"]*)")?(?: : (\S+))?')


class TraceError(ValueError):
    """The text holds what netlab never writes, or what the kernel would refuse."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a lookup found: the value of a map's element, and its comment."""

    value: int | None
    comment: str


@dataclass(slots=True)
class SetText:
    """A set or map: its key's types, and its elements by key; of interval sets the key's last part is a range."""

    name: str
    types: tuple[str, ...] = ()
    value: str = ""
    interval: bool = False
    exact: dict[tuple[int, ...], Hit] = field(default_factory=dict)
    ranges: dict[tuple[int, ...], list[tuple[int, int, Hit]]] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Add an element as it is written; raises TraceError where the kernel would find it there already."""
        match = _ELEMENT.fullmatch(line)
        if match is None:
            raise TraceError(f"{self.name}: element {line!r}")
        parts = match[1].split(" . ")
        if len(parts) != len(self.types) or bool(self.value) != (match[3] is not None):
            raise TraceError(f"{self.name}: element {line!r}")
        try:
            *head, (first, last) = [_numbers(kind, part) for kind, part in zip(self.types, parts, strict=True)]
            hit = Hit(None if match[3] is None else _numbers(self.value, match[3])[0], match[2] or "")
        except (KeyError, ValueError) as error:
            raise TraceError(f"{self.name}: element {line!r}") from error
        if any(low != high for low, high in head) or (first != last and not self.interval):
            raise TraceError(f"{self.name}: a range in {line!r}")
        key = tuple(low for low, _ in head)
        if not self.interval:
            if (*key, first) in self.exact:
                raise TraceError(f"{self.name}: {line!r} is there twice")
            self.exact[*key, first] = hit
            return
        beside = self.ranges.setdefault(key, [])
        if any(low <= last and first <= high for low, high, _ in beside):
            raise TraceError(f"{self.name}: {line!r} overlaps another element")
        beside.append((first, last, hit))

    def find(self, key: tuple[int, ...]) -> Hit | None:
        """Return what stands at a key."""
        if not self.interval:
            return self.exact.get(key)
        return next((hit for low, high, hit in self.ranges.get(key[:-1], ()) if low <= key[-1] <= high), None)


@dataclass(slots=True)
class Chain:
    """A chain and its rules; ``hook`` is "" unless it is a base chain."""

    name: str
    hook: str = ""
    policy: str = "accept"
    rules: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tables:
    """The sets and chains of table ``inet netlab``."""

    sets: dict[str, SetText]
    chains: dict[str, Chain]


def read(text: str) -> Tables:
    """Read a ruleset's text; raises TraceError at the first line that netlab does not write."""
    tables = Tables({}, {})
    for block in re.split(r"(?m)^}$", text):
        lines = iter([line for raw in block.splitlines() if (line := raw.strip()) and not line.startswith("#")])
        for line in lines:
            if line == "table inet netlab {":
                _table(lines, tables)
            elif line == "table bridge netlab {":
                break
            elif not re.fullmatch(r"(?:table|delete table) (?:inet|bridge) netlab", line):
                raise TraceError(f"line {line!r}")
    return tables


def _table(lines: Iterator[str], into: Tables) -> None:
    for line in lines:
        if match := _SET.fullmatch(line):
            into.sets[match[1]] = _set(lines, match[1])
        elif match := _CHAIN.fullmatch(line):
            into.chains[match[1]] = _chain(lines, match[1])
        else:
            raise TraceError(f"line {line!r}")


def _set(lines: Iterator[str], name: str) -> SetText:
    found = SetText(name)
    for line in lines:
        if line == "}":
            return found
        if match := _TYPE.fullmatch(line):
            found.types, found.value = tuple(match[1].split(" . ")), match[2] or ""
        elif line == "flags interval":
            found.interval = True
        elif line == "elements = {":
            for element in lines:
                if element == "}":
                    break
                found.add(element.removesuffix(","))
        else:
            raise TraceError(f"{name}: line {line!r}")
    raise TraceError(f"{name}: no end")


def _chain(lines: Iterator[str], name: str) -> Chain:
    found = Chain(name)
    for line in lines:
        if line == "}":
            return found
        if match := _HOOK.fullmatch(line):
            found.hook, found.policy = match[1], match[2]
        else:
            found.rules.append(line)
    raise TraceError(f"{name}: no end")


def _numbers(kind: str, text: str) -> tuple[int, int]:
    """Return the first and last number that a part of a key stands for."""
    first, dash, last = text.partition("-")
    match kind:
        case "ipv4_addr" | "ipv6_addr" if dash:
            return int(ip_address(first)), int(ip_address(last))
        case "ipv4_addr" | "ipv6_addr":
            network = ip_network(text)
            return int(network.network_address), int(network.broadcast_address)
        case "inet_service":
            return int(first), int(last or first)
        case "mark":
            return int(text, 16), int(text, 16)
        case "classid":
            major, _, minor = text.partition(":")
            number = (int(major, 16) << 16) | int(minor, 16)
            return number, number
        case "inet_proto":
            return _PROTOCOLS[text], _PROTOCOLS[text]
        case _:
            raise TraceError(f"type {kind!r}")
