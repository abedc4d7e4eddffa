"""Columns of a directed graph: callers left of what they call, few crossings, straight arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Pair = tuple[str, str]
_SWEEPS = 6


def columns_of(items: Sequence[str], arrows: Sequence[Pair]) -> list[list[str]]:
    """Return the items in columns; an arrow that closes a cycle counts as its opposite."""
    forward = _without_circles(items, arrows)
    after: dict[str, list[str]] = {item: [] for item in items}
    waits = dict.fromkeys(items, 0)
    for source, target in forward:
        after[source].append(target)
        waits[target] += 1
    rank = dict.fromkeys(items, 0)
    ready = [item for item in items if not waits[item]]
    order = []
    while ready:
        item = ready.pop(0)
        order.append(item)
        for target in after[item]:
            rank[target] = max(rank[target], rank[item] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    # What nothing calls stands directly left of what it calls.
    called = {target for _, target in forward}
    for item in reversed(order):
        if item not in called and after[item]:
            rank[item] = min(rank[target] for target in after[item]) - 1
    columns: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for item in items:
        columns[rank[item]].append(item)
    return [column for column in columns if column]


def _without_circles(items: Sequence[str], arrows: Sequence[Pair]) -> list[Pair]:
    """Return the arrows without cycles: greedy, most callers first (Eades, Lin and Smyth 1993)."""
    left = dict.fromkeys(items)
    out = {item: {t for s, t in arrows if s == item and t != item} for item in items}
    into = {item: {s for s, t in arrows if t == item and s != item} for item in items}
    first: list[str] = []
    last: list[str] = []
    while left:
        sinks = [item for item in left if not out[item] & left.keys()]
        sources = [item for item in left if item not in sinks and not into[item] & left.keys()]
        if sinks or sources:
            last = sinks + last
            first += sources
            for item in (*sinks, *sources):
                del left[item]
            continue
        best = max(left, key=lambda item: len(out[item] & left.keys()) - len(into[item] & left.keys()))
        first.append(best)
        del left[best]
    place = {item: at for at, item in enumerate((*first, *last))}
    return list(dict.fromkeys((s, t) if place[s] < place[t] else (t, s) for s, t in arrows if s != t))


def sorted_by_neighbours(columns: Sequence[Sequence[str]], arrows: Sequence[Pair]) -> list[list[str]]:
    """Return the columns, each sorted by the mean place of its items' neighbours: the order with fewest crossings."""
    neighbours: dict[str, list[str]] = {item: [] for column in columns for item in column}
    for source, target in arrows:
        neighbours[source].append(target)
        neighbours[target].append(source)
    best = now = [list(column) for column in columns]
    fewest = _crossings(now, arrows)
    for sweep in range(_SWEEPS):
        now = [list(column) for column in now]
        numbers = range(len(now)) if sweep % 2 == 0 else range(len(now) - 1, -1, -1)
        for at in numbers:
            place = {
                item: (c, (i + 0.5) / len(column)) for c, column in enumerate(now) for i, item in enumerate(column)
            }
            beside = -1 if sweep % 2 == 0 else 1

            def mean(
                item: str, at: int = at, beside: int = beside, place: dict[str, tuple[int, float]] = place
            ) -> float:
                of = [place[other][1] for other in neighbours[item] if (place[other][0] - at) * beside > 0]
                return sum(of) / len(of) if of else place[item][1]

            now[at].sort(key=mean)
        if (count := _crossings(now, arrows)) < fewest:
            best, fewest = now, count
    return best


def _crossings(columns: Sequence[Sequence[str]], arrows: Sequence[Pair]) -> int:
    """Count the pairs of arrows between the same two columns that cross."""
    place = {item: (c, i) for c, column in enumerate(columns) for i, item in enumerate(column)}
    between: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pair in arrows:
        (left, a), (right, b) = sorted((place[pair[0]], place[pair[1]]))
        between.setdefault((left, right), []).append((a, b))
    return sum(
        (a - c) * (b - d) < 0 for of in between.values() for at, (a, b) in enumerate(of) for c, d in of[at + 1 :]
    )


def heights(
    columns: Sequence[Sequence[str]], arrows: Sequence[Pair], sizes: Mapping[str, int], gap: int
) -> dict[str, int]:
    """Return the upper edge of each item: near the middle of its neighbours, in the order of its column."""
    neighbours: dict[str, list[str]] = {item: [] for column in columns for item in column}
    for source, target in arrows:
        neighbours[source].append(target)
        neighbours[target].append(source)
    column_of = {item: at for at, column in enumerate(columns) for item in column}
    tops: dict[str, int] = {}
    for column in columns:
        y = 0
        for item in column:
            tops[item] = y
            y += sizes[item] + gap
    tallest = max((sum(sizes[i] + gap for i in column) for column in columns), default=0)
    for sweep in range(4):
        order = range(len(columns)) if sweep % 2 == 0 else range(len(columns) - 1, -1, -1)
        for at in order:
            _move(columns[at], at, neighbours, column_of, sizes, gap, tallest, tops)
    low = min(tops.values(), default=0)
    return {item: (top - low) // 10 * 10 for item, top in tops.items()}


def _move(
    column: Sequence[str],
    at: int,
    neighbours: Mapping[str, Sequence[str]],
    column_of: Mapping[str, int],
    sizes: Mapping[str, int],
    gap: int,
    most: int,
    tops: dict[str, int],
) -> None:
    wanted = {}
    for item in column:
        middles = [tops[n] + sizes[n] / 2 for n in neighbours[item] if column_of[n] != at]
        middle = sum(middles) / len(middles) if middles else tops[item] + sizes[item] / 2
        wanted[item] = int(middle - sizes[item] / 2) // 10 * 10
    # Move down what would overlap; then move all up as far as the lowest edge demands.
    y = 0
    for item in column:
        tops[item] = max(y, wanted[item])
        y = tops[item] + sizes[item] + gap
    limit = most
    for item in reversed(column):
        limit = tops[item] = min(tops[item], limit - gap - sizes[item])
