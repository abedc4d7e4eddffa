"""A tracer: runs a packet through the text of a ruleset and says what becomes of it, with no kernel.

It reads the statements that ``netlab.ruleset`` writes and refuses every other, so that it never guesses: a rule that it
does not know is an error, not a verdict. It follows the ``inet`` table through prerouting, then forward or input;
source NAT comes after the verdict, and the ``bridge`` table judges frames, which a packet is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from netlab.objects.types import Address
from netlab.ruleset import Ruleset
from netlab.testing.nft_text import Hit, SetText, Tables, TraceError, read

__all__ = ["Packet", "Step", "Trace", "TraceError", "Tracer"]

_HOOKS = ("prerouting", "input", "forward")
_PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132}
_WITH_PORTS = (6, 17, 132)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of a connection, from who opened it: the first one unless ``state`` is ``established``.

    ``protocol`` is TCP, UDP, SCTP, ICMP (of either family) or an IP protocol's number as text. The node forwards it,
    or, where it is ``for_node``, takes it in.
    """

    source: Address | str
    destination: Address | str
    protocol: str = "TCP"
    port: int | None = None
    state: Literal["new", "established"] = "new"
    for_node: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that took effect, and the comment of the elements that it found."""

    chain: str
    rule: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of a packet, and the rules on its way."""

    verdict: Literal["accept", "drop"]
    steps: tuple[Step, ...]


class Tracer:
    """Judges packets by a ruleset's own text.

    Raises:
      TraceError: when the text holds what ``netlab.ruleset`` never writes, or what the kernel would refuse.
    """

    def __init__(self, ruleset: Ruleset | str) -> None:
        self._tables: Tables = read(ruleset if isinstance(ruleset, str) else ruleset.text())
        self._rules: dict[str, list[tuple[str, list[_Statement]]]] = {
            chain.name: [(rule, list(_statements(rule))) for rule in chain.rules]
            for chain in self._tables.chains.values()
            if chain.hook in ("", *_HOOKS)
        }

    def verdict(self, packet: Packet) -> Trace:
        """Say whether the packet is forwarded, and which rules took effect on its way."""
        run = _Run(packet, self._tables, self._rules)
        for hook in ("prerouting", "input" if packet.for_node else "forward"):
            for chain in (c for c in self._tables.chains.values() if c.hook == hook):
                if (run.chain(chain.name) or chain.policy) == "drop":
                    return Trace("drop", tuple(run.steps))
        return Trace("accept", tuple(run.steps))


class _Run:
    """One packet on its way: the node's scratch registers, and the steps so far."""

    def __init__(self, packet: Packet, tables: Tables, rules: dict[str, list[tuple[str, list[_Statement]]]]) -> None:
        self.source, self.destination = ip_address(packet.source), ip_address(packet.destination)
        self.protocol = _protocol(packet.protocol, self.source.version)
        self.port = packet.port
        self.tables, self.rules = tables, rules
        self.state: str = packet.state
        self.registers = {"meta priority": 0, "ct mark": 0, "meta mark": 0}
        self.steps: list[Step] = []

    def chain(self, name: str) -> str | None:
        """Run a chain to its verdict; None where it ends or returns without one."""
        for rule, statements in self.rules[name]:
            comments: list[str] = []
            outcome = self._rule(statements, comments)
            if outcome is None:
                continue
            self.steps.append(Step(name, rule, "; ".join(comments)))
            verb, _, target = outcome.partition(" ")
            if verb == "return":
                return None
            if verb in ("accept", "drop"):
                return verb
            if verb in ("jump", "goto"):
                verdict = self.chain(target)
                if verdict is not None or verb == "goto":
                    return verdict
        return None

    def _rule(self, statements: list[_Statement], comments: list[str]) -> str | None:
        """Run a rule: None where a statement does not match, else its verdict, or ``continue``."""
        for act, match in statements:
            outcome = act(self, match, comments)
            if outcome != "continue":
                return outcome
        return "continue"

    def field(self, name: str) -> int | None:
        """The number that a field reads from the packet; None where the packet has no such field."""
        if name in self.registers:
            return self.registers[name]
        if name == "meta l4proto":
            return self.protocol
        if name == "th dport":
            return self.port if self.protocol in _WITH_PORTS else None
        name = name.removeprefix("ct original ")
        if name.startswith("ct reply "):
            name = name.removeprefix("ct reply ").replace("saddr", "daddr")
        word, side = name.split()
        address = self.source if side == "saddr" else self.destination
        return int(address) if (word == "ip") == (address.version == 4) else None

    def look_up(self, fields: list[str], name: str, comments: list[str]) -> Hit | None:
        """Find the packet's fields in a set, as the kernel would."""
        found: SetText = self.tables.sets[name]
        if "th dport" in fields and "meta l4proto" not in fields:
            raise TraceError(f"@{name}: th dport without its protocol reads other bytes of an ICMP packet")
        if len(fields) != len(found.types):
            raise TraceError(f"@{name}: {len(fields)} fields for a key of {len(found.types)}")
        key = [self.field(name) for name in fields]
        numbers = tuple(number for number in key if number is not None)
        hit = found.find(numbers) if len(numbers) == len(key) else None
        if hit is not None and hit.comment:
            comments.append(hit.comment)
        return hit


_Action = Callable[[_Run, re.Match[str], list[str]], str | None]
_Statement = tuple[_Action, re.Match[str]]


def _protocol(name: str, family: int) -> int:
    if name.isdecimal():
        return int(name)
    return _PROTOCOLS["ICMPV6" if name == "ICMP" and family == 6 else name]


def _set_from_map(run: _Run, match: re.Match[str], comments: list[str]) -> str | None:
    register, field, name = match.groups()
    hit = run.look_up([field], name, comments)
    if hit is None or hit.value is None:
        return None
    run.registers[register] = hit.value
    return "continue"


def _set(run: _Run, match: re.Match[str], _: list[str]) -> str:
    register, value = match.groups()
    run.registers[register] = 0 if value == "none" else int(value, 16)
    return "continue"


def _is_mark(run: _Run, match: re.Match[str], _: list[str]) -> str | None:
    return "continue" if run.registers[match[1]] == int(match[2], 16) else None


def _state(run: _Run, match: re.Match[str], _: list[str]) -> str | None:
    verdicts = dict(item.strip().split(" : ") for item in match[1].split(","))
    return verdicts.get(run.state)


def _in_set(run: _Run, match: re.Match[str], comments: list[str]) -> str | None:
    return "continue" if run.look_up(match[1].split(" . "), match[2], comments) is not None else None


def _is_protocol(run: _Run, match: re.Match[str], _: list[str]) -> str | None:
    return "continue" if run.protocol == int(match[1]) else None


def _untrack(run: _Run, _: re.Match[str], __: list[str]) -> str:
    run.state = "untracked"
    return "continue"


def _no_match(_: _Run, __: re.Match[str], ___: list[str]) -> None:
    """Neighbour discovery, which opens no connection, and replies: no packet that is traced is one."""
    return


def _pass(_: _Run, __: re.Match[str], ___: list[str]) -> str:
    return "continue"


def _verdict(_: _Run, match: re.Match[str], __: list[str]) -> str:
    return match[0]


def _reject(_: _Run, __: re.Match[str], ___: list[str]) -> str:
    return "drop"


_REGISTER = r"(meta priority|ct mark|meta mark)"
_ADDRESS = r"(?:ip6? [sd]addr|ct (?:original|reply) ip6? saddr)"
_FIELD = rf"(?:meta priority|ct mark|meta mark|meta l4proto|th [ds]port|{_ADDRESS})"
_KNOWN: tuple[tuple[re.Pattern[str], _Action], ...] = tuple(
    (re.compile(pattern), action)
    for pattern, action in (
        (rf"{_REGISTER} set ({_ADDRESS}) map @(\w+)", _set_from_map),
        (rf"{_REGISTER} set (none|0x[0-9a-f]+)", _set),
        (r"(ct mark|meta mark) (0x[0-9a-f]+)", _is_mark),
        (r"ct state vmap \{ ([^}]+) \}", _state),
        (rf"({_FIELD}(?: \. {_FIELD})*) @(\w+)", _in_set),
        (r"ct direction original", _pass),
        (r"ct direction reply", _no_match),
        (r"meta l4proto (\d+)", _is_protocol),
        (r"icmpv6 type \{ (?:nd-[a-z-]+(?:, )?)+ \}", _no_match),
        (r"notrack", _untrack),
        (r"counter", _pass),
        (r'comment "[^"]*"', _pass),
        (r"reject with icmpx admin-prohibited", _reject),
        (r"(?:jump|goto) \w+|accept|drop|return", _verdict),
    )
)


def _statements(rule: str) -> Iterator[_Statement]:
    """Yield what a rule does in order; every character of it has to be understood."""
    rest = rule
    while rest:
        for pattern, action in _KNOWN:
            match = pattern.match(rest)
            if match and (match.end() == len(rest) or rest[match.end()] == " "):
                yield action, match
                rest = rest[match.end() :].lstrip()
                break
        else:
            raise TraceError(f"rule {rule!r}: {rest!r}")
