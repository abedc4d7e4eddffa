"""Changed pairs with their causes, and rows that are merged where pairs have an end and a cause in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from netlab.cluster.types import Endpoint
from netlab.frozen import frozen
from netlab.objects.services import Service
from netlab.policy.cause_text import Cause
from netlab.policy.cluster_diff import ChangedPairs
from netlab.policy.clusters_between import Part
from netlab.policy.groups import Group

Parts = frozenset[Part]


@frozen
class ExplainedPairs:
    """Changed pairs with one cause; ``because`` is empty if there are too many changes to find it."""

    pairs: ChangedPairs
    because: tuple[Cause, ...]
    parts: Parts = frozenset()


def merged(rows: Iterable[ExplainedPairs]) -> list[ExplainedPairs]:
    """Return the same pairs in fewer rows.

    Rows with the same destination and cause are merged, then rows with the same source and cause. Rows without a cause
    stay as they are. A merged row has the place and the text of its first one.
    """
    found = list(rows)
    for end in (0, 1):
        alike: dict[Hashable, list[ExplainedPairs]] = {}
        for number, row in enumerate(found):
            alike.setdefault(_key(row, end) if row.because else number, []).append(row)
        found = [_merged_row(of, end) for of in alike.values()]
    return found


def _key(row: ExplainedPairs, end: int) -> Hashable:
    """Return what rows have in common that are merged at their sources (0) or destinations (1)."""
    pairs = row.pairs
    ends = (pairs.source, pairs.destination)
    if isinstance(ends[end], Service):
        return id(row)
    other = ends[1 - end]
    name: Hashable = id(other) if isinstance(other, Service) else tuple(map(id, other.members))
    return name, type(ends[end].members[0]), pairs.asked, pairs.old, pairs.new, row.parts  # type: ignore[union-attr]


def _merged_row(rows: Sequence[ExplainedPairs], end: int) -> ExplainedPairs:
    first = rows[0]
    if len(rows) == 1:
        return first
    members: dict[int, Endpoint] = {}
    for row in rows:
        group = (row.pairs.source, row.pairs.destination)[end]
        members |= {id(one): one for one in group.members}  # type: ignore[union-attr]
    pairs = first.pairs
    group = Group(0, tuple(sorted(members.values(), key=lambda one: one.ref)), ())
    source, destination = (pairs.source, group) if end else (group, pairs.destination)
    both = ChangedPairs(source, destination, pairs.asked, pairs.old, pairs.new)
    return ExplainedPairs(both, first.because, first.parts)
