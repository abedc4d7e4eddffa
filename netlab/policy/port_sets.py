"""Sets of ports: ranges of each protocol, ICMP, and ports that destinations have by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netlab.cluster.types import Endpoint
from netlab.frozen import frozen
from netlab.objects.policies import PolicyPort
from netlab.objects.types import LAST_PORT
from netlab.policy.by_settings import PORTS
from netlab.policy.matching import container_port

Ranges = tuple[tuple[int, int], ...]
"""Disjoint ranges with both ends, sorted, with a gap between any two."""

_FULL: Ranges = ((1, LAST_PORT),)


@frozen
class PortSet:
    """Ports: ``ranges`` by protocol, sorted, without empty ones; ``icmp``: ICMP too.

    ``names`` are pairs of protocol and name: whatever port the destination has by this name.
    """

    ranges: tuple[tuple[str, Ranges], ...] = ()
    icmp: bool = False
    names: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: PortSet) -> PortSet:
        own, more = dict(self.ranges), dict(other.ranges)
        found = {p: joined((*own.get(p, ()), *more.get(p, ()))) for p in PORTS}
        return _made(found, self.icmp or other.icmp, self.names | other.names)

    def __sub__(self, other: PortSet) -> PortSet:
        """Return these ports without those of the other set; a name that it covers is left out."""
        own, less = dict(self.ranges), dict(other.ranges)
        found = {p: _left(own.get(p, ()), less.get(p, ())) for p in PORTS}
        names = {n for n in self.names if n not in other.names and less.get(n[0], ()) != _FULL}
        return _made(found, self.icmp and not other.icmp, names)

    def at(self, destination: Endpoint) -> PortSet:
        """Return the set with the destination's numbers in place of names."""
        numbers = [(p, container_port(destination, name, p)) for p, name in self.names]
        found = PortSet(self.ranges, self.icmp)
        for protocol, port in numbers:
            if port is not None:
                found |= PortSet(((protocol, ((port, port),)),))
        return found

    def meets(self, other: PortSet) -> bool:
        """Say whether both sets have a port; neither has names."""
        if self.icmp and other.icmp:
            return True
        ours = dict(self.ranges)
        return any(
            low <= last and first <= high
            for protocol, ranges in other.ranges
            for first, last in ranges
            for low, high in ours.get(protocol, ())
        )

    def __bool__(self) -> bool:
        return bool(self.ranges or self.icmp or self.names)

    def has(self, protocol: str, port: int | None, destination: Endpoint | None = None) -> bool:
        """Say whether it has a port; names are those of the destination's ports. Port None is ICMP."""
        if port is None:
            return self.icmp
        if any(low <= port <= high for p, ranges in self.ranges if p == protocol for low, high in ranges):
            return True
        return any(p == protocol and container_port(destination, name, p) == port for p, name in self.names)

    @property
    def everything(self) -> bool:
        """Whether it has every port of every protocol, and ICMP."""
        return self.icmp and all(dict(self.ranges).get(protocol) == _FULL for protocol in PORTS)

    def words(self) -> list[str]:
        """Return the ports as words: ``every port``, ``80/TCP``, ``8000-8100/TCP``, ``http/TCP``, ``ICMP``."""
        if self.everything:
            return ["every port"]
        if all(dict(self.ranges).get(protocol) == _FULL for protocol in PORTS):
            return ["every port, and not ICMP"]
        found: list[str] = []
        for protocol, ranges in self.ranges:
            if ranges == _FULL:
                found.append(f"every {protocol} port")
                continue
            found += [f"{low}/{protocol}" if low == high else f"{low}-{high}/{protocol}" for low, high in ranges]
        found += [f"{name}/{protocol}" for protocol, name in sorted(self.names)]
        return [*found, "ICMP"] if self.icmp else found

    def __str__(self) -> str:
        return ", ".join(self.words()) or "no port"


EVERY_PORT = PortSet(tuple((protocol, _FULL) for protocol in sorted(PORTS)), icmp=True)
ICMP_ONLY = PortSet(icmp=True)
EVERY_SCTP = PortSet((("SCTP", _FULL),))


def ports_of(items: Iterable[PolicyPort], destination: Endpoint | None = None) -> PortSet:
    """Return the ports that a rule lists; none listed are all. Names are looked up at the destination if it is given.

    A rule with ports does not match ICMP.
    """
    listed = tuple(items)
    if not listed:
        return EVERY_PORT
    ranges: dict[str, list[tuple[int, int]]] = {}
    names: set[tuple[str, str]] = set()
    for item in listed:
        if isinstance(item.port, str):
            if destination is None:
                names.add((item.protocol, item.port))
                continue
            number = container_port(destination, item.port, item.protocol)
            if number is None:
                continue
            ranges.setdefault(item.protocol, []).append((number, number))
        elif item.port is None:
            ranges[item.protocol] = [*ranges.get(item.protocol, ()), *_FULL]
        elif item.port:
            ranges.setdefault(item.protocol, []).append((item.port, item.end_port or item.port))
    return _made({protocol: joined(of) for protocol, of in ranges.items()}, False, names)


def _made(ranges: dict[str, Ranges], icmp: bool, names: Iterable[tuple[str, str]]) -> PortSet:
    full = {protocol for protocol, of in ranges.items() if of == _FULL}
    kept = tuple((protocol, ranges[protocol]) for protocol in sorted(ranges) if ranges[protocol])
    return PortSet(kept, icmp, frozenset(name for name in names if name[0] not in full))


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return ranges as disjoint ones, sorted; those that touch are one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        elif low <= high:
            found.append((low, high))
    return tuple(found)


def without(ranges: Ranges, others: Ranges) -> Iterator[tuple[int, int]]:
    """Yield the parts of ranges that are in none of the others."""
    at = 0
    for low, high in ranges:
        while at < len(others) and others[at][1] < low:
            at += 1
        number = at
        while number < len(others) and others[number][0] <= high:
            if others[number][0] > low:
                yield low, others[number][0] - 1
            low = max(low, others[number][1] + 1)
            number += 1
        if low <= high:
            yield low, high


def _left(ranges: Ranges, others: Ranges) -> Ranges:
    return tuple(without(ranges, others))
