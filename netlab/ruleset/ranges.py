"""The partition of all addresses by ipBlocks: disjoint ranges, each with the blocks that match it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses

from netlab.frozen import frozen
from netlab.objects.policies import IPBlock
from netlab.objects.types import Address, Prefix
from netlab.ruleset.elements import Span


@frozen
class Range:
    """Addresses ``first`` to ``last`` (both included) as integers; ``blocks`` has the name of each matching ipBlock."""

    first: int
    last: int
    blocks: frozenset[str]


def partition(blocks: Mapping[str, IPBlock], family: int) -> tuple[Range, ...]:
    """Return the ranges of an IP family that some block matches: ascending, disjoint and as few as possible.

    An interval set refuses overlaps, and each element costs time.
    """
    enter: defaultdict[int, set[str]] = defaultdict(set)
    leave: defaultdict[int, set[str]] = defaultdict(set)
    for name, block in blocks.items():
        if block.cidr.version == family:
            for first, last in _spans(block):
                enter[first].add(name)
                leave[last + 1].add(name)

    found: list[Range] = []
    inside: set[str] = set()
    begin = 0
    for point in sorted({*enter, *leave}):
        if inside:
            found.append(Range(begin, point - 1, frozenset(inside)))
        inside = (inside - leave[point]) | enter[point]
        begin = point
    return tuple(_joined(found))


def blocks_at(ranges: tuple[Range, ...], address: Address) -> frozenset[str]:
    """Return the names of the blocks that match an address; ``ranges`` is the partition of its family."""
    number = int(address)
    index = bisect_right(ranges, number, key=lambda r: r.first) - 1
    if index < 0 or ranges[index].last < number:
        return frozenset()
    return ranges[index].blocks


def range_part(found: Range, family: int) -> Address | Prefix | Span:
    """Return a range as nft lists it: an address, a prefix if the range is one, else a span."""
    address = IPv4Address if family == 4 else IPv6Address
    network = IPv4Network if family == 4 else IPv6Network
    size = found.last - found.first + 1
    if size == 1:
        return address(found.first)
    if size & (size - 1) == 0 and found.first % size == 0:
        return network((found.first, address(0).max_prefixlen - size.bit_length() + 1))
    return Span(address(found.first), address(found.last))


def _spans(block: IPBlock) -> Iterator[tuple[int, int]]:
    """Yield the disjoint spans of a block: its cidr without its excepts, which may overlap."""
    cursor, end = int(block.cidr.network_address), int(block.cidr.broadcast_address)
    holes: list[IPv4Network | IPv6Network] = [
        *collapse_addresses([e for e in block.excepts if isinstance(e, IPv4Network) and block.cidr.version == 4]),
        *collapse_addresses([e for e in block.excepts if isinstance(e, IPv6Network) and block.cidr.version == 6]),
    ]
    for hole in holes:
        first, last = int(hole.network_address), int(hole.broadcast_address)
        if cursor > end or first > end:
            break
        if first > cursor:
            yield cursor, first - 1
        cursor = max(cursor, last + 1)
    if cursor <= end:
        yield cursor, end


def _joined(ranges: list[Range]) -> Iterator[Range]:
    """Yield the ranges, with adjacent ranges of the same blocks joined."""
    current: Range | None = None
    for found in ranges:
        if current and current.last + 1 == found.first and current.blocks == found.blocks:
            current = Range(current.first, found.last, current.blocks)
            continue
        if current:
            yield current
        current = found
    if current:
        yield current
