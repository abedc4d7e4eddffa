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

    def field(self, name: str) -> Number | None:
        """Return the value of a field, by nft's name; None if the packet does not have the field."""
        ...

    def look_up(self, fields: Sequence[str], name: str, comments: list[str]) -> Hit | None:
        """Look the packet's fields up in a set; append the comment of the element to ``comments``."""
        ...

    def has(self, fields: Sequence[str]) -> bool:
        """Say whether the packet has all of these fields."""
        ...

    def send_to(self, destination: int, port: int) -> None:
        """Change the packet's destination (DNAT)."""
        ...


Handler = Callable[[Packet, re.Match[str], list[str]], str | None]
"""Runs one statement; returns ``continue``, a verdict, or None if the packet does not match."""

Statement = tuple[Handler, re.Match[str]]


def _when(matches: bool) -> str | None:
    return "continue" if matches else None


def _set_from_map(packet: Packet, match: re.Match[str], comments: list[str]) -> str | None:
    hit = packet.look_up(match[2].split(" . "), match[3], comments)
    if hit is None or not hit.value:
        return None
    packet.registers[match[1]] = int(hit.value[0])
    return "continue"


def _set(packet: Packet, match: re.Match[str], _: list[str]) -> str:
    packet.registers[match[1]] = 0 if match[2] == "none" else int(match[2], 16)
    return "continue"


def _is_mark(packet: Packet, match: re.Match[str], _: list[str]) -> str | None:
    return _when(packet.registers[match[1]] == int(match[2], 16))


def _by_state(packet: Packet, match: re.Match[str], _: list[str]) -> str | None:
    return dict(item.strip().split(" : ") for item in match[1].split(",")).get(packet.state)


def _by_class(packet: Packet, match: re.Match[str], _: list[str]) -> str | None:
    verdicts = dict(item.strip().split(" : ") for item in match[1].split(","))
    return {class_number(key): verdict for key, verdict in verdicts.items()}.get(packet.registers["meta priority"])


def _in_set(packet: Packet, match: re.Match[str], comments: list[str]) -> str | None:
    fields = match[1].split(" . ")
    found = packet.look_up(fields, match[3], comments) is not None
    return _when(packet.has(fields) and not found if match[2] else found)


def _is_value(packet: Packet, match: re.Match[str], _: list[str]) -> str | None:
    own = packet.field(match[1])
    found = any(_equal(own, text.strip()) for text in match[3].strip("{} ").split(","))
    return _when(own is not None and found != bool(match[2]))


def _equal(own: Number | None, text: str) -> bool:
    if isinstance(own, str):
        return own == text.strip('"')
    if own is None or not (":" in text or "." in text):
        return own is not None and str(own) == text
    network = ip_network(text)
    return int(network.network_address) <= own <= int(network.broadcast_address)


def _is_local(packet: Packet, _: re.Match[str], __: list[str]) -> str | None:
    return _when(packet.local)


def _was_translated(packet: Packet, _: re.Match[str], __: list[str]) -> str | None:
    return _when(packet.translated and packet.state != "untracked")


def _is_direction(packet: Packet, match: re.Match[str], _: list[str]) -> str | None:
    return _when(packet.field("ct direction") == match[1])


def _translate(packet: Packet, match: re.Match[str], comments: list[str]) -> str | None:
    hit = packet.look_up(match[2].split(" . "), match[3], comments)
    # nft adds a test of the family: "dnat ip" is for IPv4 packets, "dnat ip6" for IPv6 packets.
    if hit is None or not packet.has([f"{match[1]} saddr"]):
        return None
    destination, port = hit.value
    packet.send_to(int(destination), int(port))
    return "accept"


def _masquerade(packet: Packet, _: re.Match[str], __: list[str]) -> str:
    packet.masqueraded = True
    return "accept"


def _untrack(packet: Packet, _: re.Match[str], __: list[str]) -> str:
    packet.state = "untracked"
    return "continue"


def _pass(_: Packet, __: re.Match[str], ___: list[str]) -> str:
    return "continue"


def _verdict(_: Packet, match: re.Match[str], __: list[str]) -> str:
    return match[0]


def _reject(_: Packet, __: re.Match[str], ___: list[str]) -> str:
    return "drop"


_REGISTER = r"(meta priority|ct mark|meta mark)"
_ADDRESS = r"(?:ip6? [sd]addr|ct (?:original|reply) ip6? saddr)"
_FRAME = r"ether [sd]addr|ether type|arp saddr ip|arp saddr ether|icmpv6 type|@th,64,128|[io]ifname"
_FIELD = rf"(?:meta priority|ct mark|meta mark|meta l4proto|(?:th|udp) [ds]port|{_FRAME}|{_ADDRESS})"
_FIELDS = rf"{_FIELD}(?: \. {_FIELD})*"
_VALUE = r"[\w.:/-]+"
_KNOWN: tuple[tuple[re.Pattern[str], Handler], ...] = tuple(
    (re.compile(pattern), action)
    for pattern, action in (
        (rf"{_REGISTER} set ({_FIELDS}) map @(\w+)", _set_from_map),
        (rf"{_REGISTER} set (none|0x[0-9a-f]+)", _set),
        (r"(ct mark|meta mark) (0x[0-9a-f]+)", _is_mark),
        (r"ct state vmap \{ ([^}]+) \}", _by_state),
        (r"meta priority vmap \{ ([^}]+) \}", _by_class),
        (rf"({_FIELDS}) (!= )?@(\w+)", _in_set),
        (r"ct direction (original|reply)", _is_direction),
        (r"ct status dnat", _was_translated),
        (r"fib daddr type local", _is_local),
        (rf"dnat (ip6?) to ({_FIELDS}) map @(\w+)", _translate),
        (rf'({_FIELD}) (!= )?(\{{ {_VALUE}(?:, {_VALUE})* \}}|"[^"]*"|{_VALUE})', _is_value),
        (r"masquerade", _masquerade),
        (r"notrack", _untrack),
        (r"counter", _pass),
        (r'comment "[^"]*"', _pass),
        (r"reject with icmpx admin-prohibited", _reject),
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
        for pattern, action in _KNOWN:
            match = pattern.match(rest)
            if match and (match.end() == len(rest) or rest[match.end()] == " "):
                found.append((action, match))
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
