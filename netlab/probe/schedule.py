"""The order of probes: few at a time to each receiver, so that no socket's buffer fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

BURST = 128
# A socket's default buffer (212,992 bytes) holds some 200 small packets.
PER_RECEIVER = 32


def interleaved(pairs: Sequence[tuple[int, int]], places: int) -> list[int]:
    """Return the positions of the pairs (origin, target), sorted by rounds: in round r place i sends to place i + r.

    Places are numbered from zero. Equal pairs stay together and in order.
    """
    rounds = [(target - origin) % places * places + origin for origin, target in pairs]
    return sorted(range(len(pairs)), key=rounds.__getitem__)


def bursts(pairs: Sequence[tuple[int, int]], order: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut the order into bursts of at most BURST pairs, with at most PER_RECEIVER from or to any place."""
    start = 0
    while start < len(order):
        burst = order[start : start + BURST]
        # Nearly all bursts of a matrix have few pairs of each place, and need not be counted one by one.
        if any(max(Counter(ends).values()) > PER_RECEIVER for ends in zip(*map(pairs.__getitem__, burst), strict=True)):
            burst = _first(pairs, burst)
        yield burst
        start += len(burst)


def _first(pairs: Sequence[tuple[int, int]], order: Sequence[int]) -> Sequence[int]:
    """Return the longest beginning of an order with at most PER_RECEIVER pairs from or to any place."""
    origins: Counter[int] = Counter()
    targets: Counter[int] = Counter()
    for length, position in enumerate(order):
        origin, target = pairs[position]
        if origins[origin] == PER_RECEIVER or targets[target] == PER_RECEIVER:
            return order[:length]
        origins[origin] += 1
        targets[target] += 1
    return order
