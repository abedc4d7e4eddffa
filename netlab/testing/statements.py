"""The nft statements that ``netlab.ruleset`` writes, and their effect on a packet of the tracer.

Any other statement is an error, so the tracer never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Protocol

from netlab.testing.nft_text import Hit, Number, TraceError, class_number


class Packet(Protocol):
    """The state of a packet that statements read and write."""

    registers: dict[str, int]
    state: str
    local: bool
    translated: bool
    masqueraded: bool
    rejected: str

    def field(self, name: str) -> Number | None:
        """Return the value of a field, by nft's name; None if the packet does not have the field."""
        ...

    def look_up(self, fields: Sequence[str], name: str, comments: list[str]) -> Hit | None:
        """Look the packet's fields up in a set; append the comment of the element to ``comments``."""
        ...

    def update(self, fields: Sequence[str], name: str, value: int | None) -> None:
        """Add an element to a map unless it has one with this key, the packet's fields; None removes the element."""
        ...

    def choice(self, family: str, count: int, seed: int) -> int | None:
        """Return nft's ``jhash`` of the packet's source address and port; None for a packet of another family."""
        ...

    def has(self, fields: Sequence[str]) -> bool:
        """Say whether the packet has all of these fields."""
        ...

    def send_to(self, destination: int, port: int) -> None:
        """Change the packet's destination (DNAT)."""
        ...


Statement = Callable[[Packet, list[str]], str | None]
"""Runs for a packet, and appends the comments of elements that it finds; returns ``continue``, a verdict, or None if
the packet does not match.
"""


def _when(matches: bool) -> str | None:
    return "continue" if matches else None


def _fields(text: str) -> tuple[str, ...]:
    return tuple(text.split(" . "))


def _set_from_map(match: re.Match[str]) -> Statement:
    register, fields, name = match[1], _fields(match[2]), match[3]

    def run(packet: Packet, comments: list[str]) -> str | None:
        hit = packet.look_up(fields, name, comments)
        if hit is None or not hit.value:
            return None
        packet.registers[register] = int(hit.value[0])
        return "continue"

    return run


def _set(match: re.Match[str]) -> Statement:
    register, value = match[1], 0 if match[2] == "none" else int(match[2], 16)

    def run(packet: Packet, _: list[str]) -> str:
        packet.registers[register] = value
        return "continue"

    return run


def _set_bits(match: re.Match[str]) -> Statement:
    register, source, operator, bits = match[1], match[2], match[3], int(match[4], 16)

    def run(packet: Packet, _: list[str]) -> str:
        value = packet.registers[source]
        packet.registers[register] = value & bits if operator == "&" else value | bits
        return "continue"

    return run


def _has_class_bits(match: re.Match[str]) -> Statement:
    bits, value = class_number(match[1]), class_number(match[2])
    return lambda packet, _: _when(packet.registers["meta priority"] & bits == value)


def _has_bits(match: re.Match[str]) -> Statement:
    register, bits, equal = match[1], int(match[2] or "0xffffffff", 16), match[3] == "=="
    return lambda packet, _: _when((packet.registers[register] & bits == 0) == equal)


def _set_choice(match: re.Match[str]) -> Statement:
    register, family, count, seed = match[1], match[2], int(match[3]), int(match[4], 16)

    def run(packet: Packet, _: list[str]) -> str | None:
        chosen = packet.choice(family, count, seed)
        if chosen is None:
            return None
        packet.registers[register] = chosen
        return "continue"

    return run


def _by_mark(match: re.Match[str]) -> Statement:
    register, verdicts = match[1], {int(key, 16): verdict for key, verdict in _vmap(match[2]).items()}
    return lambda packet, _: verdicts.get(packet.registers[register])


def _update(match: re.Match[str]) -> Statement:
    name, fields, register = match[1], _fields(match[2]), match[3]

    def run(packet: Packet, _: list[str]) -> str | None:
        if not packet.has(fields):
            return None
        packet.update(fields, name, packet.registers[register])
        return "continue"

    return run


def _delete(match: re.Match[str]) -> Statement:
    name, fields = match[1], _fields(match[2])

    def run(packet: Packet, _: list[str]) -> str | None:
        if not packet.has(fields):
            return None
        packet.update(fields, name, None)
        return "continue"

    return run


def _is_new(_: re.Match[str]) -> Statement:
    return lambda packet, _: _when(packet.state == "new")


def _is_mark(match: re.Match[str]) -> Statement:
    register, value = match[1], int(match[2], 16)
    return lambda packet, _: _when(packet.registers[register] == value)


def _vmap(text: str) -> dict[str, str]:
    return dict(item.strip().split(" : ") for item in text.split(","))


def _by_state(match: re.Match[str]) -> Statement:
    verdicts = _vmap(match[1])
    return lambda packet, _: verdicts.get(packet.state)


def _by_class(match: re.Match[str]) -> Statement:
    verdicts = {class_number(key): verdict for key, verdict in _vmap(match[1]).items()}
    return lambda packet, _: verdicts.get(packet.registers["meta priority"])


def _in_set(match: re.Match[str]) -> Statement:
    fields, name = _fields(match[1]), match[3]
    if match[2]:
        return lambda packet, comments: _when(packet.look_up(fields, name, comments) is None and packet.has(fields))
    return lambda packet, comments: _when(packet.look_up(fields, name, comments) is not None)


def _is_value(match: re.Match[str]) -> Statement:
    field, negated = match[1], bool(match[2])
    values = [_value(text.strip()) for text in match[3].strip("{} ").split(",")]

    def run(packet: Packet, _: list[str]) -> str | None:
        own = packet.field(field)
        return _when(own is not None and any(equals(own) for equals in values) != negated)

    return run


def _value(text: str) -> Callable[[Number], bool]:
    """Return what says whether a field has a value; a number may be written as an address, or be in a network."""
    quoted = text.strip('"')
    if text in _PROTOCOLS:
        return lambda own: own == _PROTOCOLS[text]
    if (span := re.fullmatch(r"(\d+)-(\d+)", text)) is not None:
        return lambda own: isinstance(own, int) and int(span[1]) <= own <= int(span[2])
    if not (":" in text or "." in text):
        return lambda own: own == quoted if isinstance(own, str) else str(own) == text

    def contains(own: Number) -> bool:
        if isinstance(own, str):
            return own == quoted
        network = ip_network(text)
        return int(network.network_address) <= own <= int(network.broadcast_address)

    return contains


def _is_local(_: re.Match[str]) -> Statement:
    return lambda packet, _: _when(packet.local)


def _was_translated(_: re.Match[str]) -> Statement:
    return lambda packet, _: _when(packet.translated and packet.state != "untracked")


def _is_direction(match: re.Match[str]) -> Statement:
    direction = match[1]
    return lambda packet, _: _when(packet.field("ct direction") == direction)


def _translate(match: re.Match[str]) -> Statement:
    # nft adds a test of the family: "dnat ip" is for IPv4 packets, "dnat ip6" for IPv6 packets.
    family, fields, name = (f"{match[1]} saddr",), _fields(match[2]), match[3]

    def run(packet: Packet, comments: list[str]) -> str | None:
        hit = packet.look_up(fields, name, comments)
        if hit is None or not packet.has(family):
            return None
        destination, port = hit.value
        packet.send_to(int(destination), int(port))
        return "accept"

    return run


def _masquerade(packet: Packet, _: list[str]) -> str:
    packet.masqueraded = True
    return "accept"


def _reject(match: re.Match[str]) -> Statement:
    answer = match[1]

    def run(packet: Packet, _: list[str]) -> str:
        packet.rejected = answer
        return "drop"

    return run


def _untrack(packet: Packet, _: list[str]) -> str:
    packet.state = "untracked"
    return "continue"


def _verdict(match: re.Match[str]) -> Statement:
    verdict = match[0]
    return lambda _, __: verdict


def _always(statement: Statement) -> Callable[[re.Match[str]], Statement]:
    return lambda _: statement


_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_MARK = r"(ct mark|meta mark)"
_REGISTER = r"(meta priority|ct mark|meta mark)"
_ADDRESS = r"(?:ip6? [sd]addr|ct (?:original|reply) ip6? saddr)"
_FRAME = (
    r"meta nfproto|@nh,96,96|ip6? dscp|ether [sd]addr|ether type|arp saddr (?:ip|ether)|icmp(?:v6)? type|@th,64,128"
    r"|[io]ifname"
)
_FIELD = rf"(?:meta priority(?: & \w+:\w+)?|ct mark|meta mark|meta l4proto|(?:th|udp) [ds]port|{_FRAME}|{_ADDRESS})"
_FIELDS = rf"{_FIELD}(?: \. {_FIELD})*"
_VALUE = r"[\w.:/-]+"
_KNOWN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Statement]], ...] = tuple(
    (re.compile(pattern), made)
    for pattern, made in (
        (rf"{_REGISTER} set ({_FIELDS}) map @(\w+)", _set_from_map),
        (rf"{_REGISTER} set (none|0x[0-9a-f]+)", _set),
        (r"meta priority & (\w+:\w+) == (none|\w+:\w+)", _has_class_bits),
        (rf"{_MARK} set {_MARK} ([&|]) (0x[0-9a-f]+)", _set_bits),
        (rf"{_MARK}(?: & (0x[0-9a-f]+))? (==|!=) 0x0", _has_bits),
        (rf"{_REGISTER} set jhash (ip6?) saddr \. th sport mod (\d+) seed (0x[0-9a-f]+)", _set_choice),
        (rf"{_MARK} vmap \{{ ([^}}]+) \}}", _by_mark),
        (rf"update @(\w+) \{{ ({_FIELDS}) timeout \d+s : (meta priority) \}}", _update),
        (rf"delete @(\w+) \{{ ({_FIELDS}) : meta priority \}}", _delete),
        (r"ct state new", _is_new),
        (r"(ct mark|meta mark) (0x[0-9a-f]+)", _is_mark),
        (r"ct state vmap \{ ([^}]+) \}", _by_state),
        (r"meta priority vmap \{ ([^}]+) \}", _by_class),
        (rf"({_FIELDS}) (!= )?@(\w+)", _in_set),
        (r"ct direction (original|reply)", _is_direction),
        (r"ct status dnat", _was_translated),
        (r"fib daddr type local", _is_local),
        (rf"dnat (ip6?) to ({_FIELDS}) map @(\w+)", _translate),
        (rf'({_FIELD}) (!= )?(\{{ {_VALUE}(?:, {_VALUE})* \}}|"[^"]*"|{_VALUE})', _is_value),
        (r"masquerade", _always(_masquerade)),
        (r"notrack", _always(_untrack)),
        (r"counter", _always(lambda _, __: "continue")),
        (r'comment "[^"]*"', _always(lambda _, __: "continue")),
        (r"reject with (icmpx admin-prohibited|icmpx port-unreachable|tcp reset)", _reject),
        (r"(?:jump|goto) \w+|accept|drop|return", _verdict),
    )
)


@lru_cache(maxsize=4096)
def statements(rule: str) -> tuple[Statement, ...]:
    """Return the statements of a rule, in order.

    Raises:
      TraceError: if some part of the rule is not a known statement.
    """
    found: list[Statement] = []
    rest = rule
    while rest:
        for pattern, made in _KNOWN:
            match = pattern.match(rest)
            if match and (match.end() == len(rest) or rest[match.end()] == " "):
                found.append(made(match))
                rest = rest[match.end() :].lstrip()
                break
        else:
            raise TraceError(f"rule {rule!r}: {rest!r}")
    return tuple(found)


def number_of(text: str) -> Number:
    """Return an address as a number, and any other text unchanged."""
    try:
        return int(ip_address(text))
    except ValueError:
        return text
