"""The order of probes: few at a time to each receiver, so that no socket's buffer fills."""

from __future__ import annotations

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


def bursts(pairs: Sequence[tuple[int, int]], order: Sequence[int]) -> Iterator[list[int]]:
    """Cut the order into bursts of at most BURST pairs, with at most PER_RECEIVER from or to any place."""
    burst: list[int] = []
    origins: dict[int, int] = {}
    targets: dict[int, int] = {}
    for position in order:
        origin, target = pairs[position]
        sent, received = origins.get(origin, 0), targets.get(target, 0)
        if len(burst) == BURST or sent == PER_RECEIVER or received == PER_RECEIVER:
            yield burst
            burst, origins, targets, sent, received = [], {}, {}, 0, 0
        burst.append(position)
        origins[origin] = sent + 1
        targets[target] = received + 1
    if burst:
        yield burst
