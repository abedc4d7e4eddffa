"""The difference of two sequences of objects, by identity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import is_not
from typing import TypeVar

_T = TypeVar("_T")


def only_in(old: Sequence[_T], new: Sequence[_T]) -> tuple[Sequence[_T], Sequence[_T]]:
    """Return the objects that only the first sequence has, and those that only the second one has, in order."""
    if old is new:
        return (), ()
    # Most changes leave the beginning and the end of a sequence as they are.
    shorter = min(len(old), len(new))
    first = next(compress(range(shorter), map(is_not, old, new)), shorter)
    rest = shorter - first
    last = next(compress(range(rest), map(is_not, reversed(old), reversed(new))), rest)
    removed, added = old[first : len(old) - last], new[first : len(new) - last]
    removed_ids, added_ids = set(map(id, removed)), set(map(id, added))
    return [r for r in removed if id(r) not in added_ids], [a for a in added if id(a) not in removed_ids]
