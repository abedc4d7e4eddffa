"""Sets of labels: all maps of labels that satisfy a conjunction of selectors, also those that no object has yet.

A set has one condition for each key, so intersection, comparison and emptiness are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count

from netlab.frozen import frozen
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.selectors import LabelSelector, Requirement


@frozen
class LabelValues:
    """The values that a key may have: ``only`` these, or all but ``excluded``; ``absent``: it may be missing."""

    only: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    absent: bool = True

    def __and__(self, other: LabelValues) -> LabelValues:
        absent = self.absent and other.absent
        if self.only is None and other.only is None:
            return LabelValues(None, self.excluded | other.excluded, absent)
        listed = self.only if self.only is not None else other.only
        assert listed is not None
        kept = listed if other.only is None else listed & other.only
        return LabelValues(kept - self.excluded - other.excluded, frozenset(), absent)

    @property
    def empty(self) -> bool:
        """Whether no label satisfies it, and a missing one does not."""
        return not self.absent and self.only is not None and not self.only

    def within(self, other: LabelValues) -> bool:
        """Say whether the other one has every value of this one."""
        if self.absent and not other.absent:
            return False
        if self.only is None:
            return other.only is None and other.excluded <= self.excluded
        if other.only is None:
            return not self.only & other.excluded
        return self.only <= other.only

    def has(self, value: str | None) -> bool:
        """Say whether it has a value; None stands for a missing label."""
        if value is None:
            return self.absent
        return value not in self.excluded and (self.only is None or value in self.only)


_ANY = LabelValues()
_PRESENT = LabelValues(absent=False)


@frozen
class LabelSet:
    """All maps of labels that satisfy the conditions, which are sorted by key."""

    conditions: tuple[tuple[str, LabelValues], ...] = ()

    def __and__(self, other: LabelSet) -> LabelSet:
        found = dict(self.conditions)
        for key, values in other.conditions:
            found[key] = found[key] & values if key in found else values
        return LabelSet(tuple(sorted(found.items(), key=_key)))

    @property
    def empty(self) -> bool:
        """Whether no map of labels satisfies it."""
        return any(values.empty for _, values in self.conditions)

    @property
    def everything(self) -> bool:
        """Whether every map of labels satisfies it."""
        return all(_ANY.within(values) for _, values in self.conditions)

    def within(self, other: LabelSet) -> bool:
        """Say whether every map of labels that satisfies this set satisfies the other one."""
        own = dict(self.conditions)
        return self.empty or all(own.get(key, _ANY).within(values) for key, values in other.conditions)

    def has(self, labels: Mapping[str, str]) -> bool:
        """Say whether labels satisfy it."""
        return all(values.has(labels.get(key)) for key, values in self.conditions)

    def example(self) -> dict[str, str]:
        """Return the fewest labels that satisfy it: the first of several values, else one that it does not name."""
        found = {}
        for key, values in self.conditions:
            if values.absent:
                continue
            if values.only:
                found[key] = min(values.only)
                continue
            found[key] = next(name for n in count() if (name := f"new{n or ''}") not in values.excluded)
        return found

    def condition(self, key: str) -> LabelValues:
        """Return the values that a key may have."""
        return dict(self.conditions).get(key, _ANY)

    def without(self, key: str) -> LabelSet:
        """Return the set without the condition of a key."""
        return LabelSet(tuple(item for item in self.conditions if item[0] != key))

    def __str__(self) -> str:
        return ",".join(word for key, values in self.conditions for word in _words(key, values)) or "<all>"


def _key(condition: tuple[str, LabelValues]) -> str:
    return condition[0]


def _words(key: str, values: LabelValues) -> Iterable[str]:
    """Yield the conditions of a key in kubectl's syntax of selectors."""
    if values.only is not None:
        listed = sorted(values.only)
        if not listed:
            yield f"!{key}"
        else:
            yield f"{key}={listed[0]}" if len(listed) == 1 else f"{key} in ({','.join(listed)})"
        return
    if not values.absent:
        yield key
    if values.excluded:
        yield f"{key} notin ({','.join(sorted(values.excluded))})"


ALL_LABELS = LabelSet()
ALL_NAMESPACES = LabelSet(((NAMESPACE_LABEL, _PRESENT),))
"""The labels of every namespace that may exist: each has the label of its name."""


@lru_cache(maxsize=4096)
def labels_of(selector: LabelSelector | None) -> LabelSet:
    """Return the labels that a selector matches; None matches all."""
    if selector is None:
        return ALL_LABELS
    found = {key: LabelValues(frozenset((value,)), absent=False) for key, value in selector.match_labels}
    for requirement in selector.match_expressions:
        found[requirement.key] = found.get(requirement.key, _ANY) & _of_requirement(requirement)
    return LabelSet(tuple(sorted(found.items(), key=_key)))


def _of_requirement(requirement: Requirement) -> LabelValues:
    values = frozenset(requirement.values)
    match requirement.operator:
        case "In":
            return LabelValues(values, absent=False)
        case "NotIn":
            return LabelValues(None, values)
        case "Exists":
            return _PRESENT
        case "DoesNotExist":
            return LabelValues(frozenset())


def namespace_named(name: str) -> LabelSet:
    """Return the labels of the namespace of a name."""
    return LabelSet(((NAMESPACE_LABEL, LabelValues(frozenset((name,)), absent=False)),))
