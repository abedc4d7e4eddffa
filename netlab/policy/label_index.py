"""Indexes of labels: what a selector matches among many objects, and which of many selectors match an object.

So nothing compares each selector with each object. Sets are integers (``policy.bitsets``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.objects.selectors import LabelSelector, Requirement
from netlab.policy.bitsets import set_of

if TYPE_CHECKING:
    from netlab.policy.label_sets import LabelSet


class LabelIndex:
    """The objects of a list by their labels. ``all`` is the set of all."""

    def __init__(self, objects: Sequence[Mapping[str, str]]) -> None:
        self._size = len(objects)
        self.all = (1 << self._size) - 1
        self._by_label: dict[tuple[str, str], list[int]] = {}
        for number, labels in enumerate(objects):
            for label in labels.items():
                self._by_label.setdefault(label, []).append(number)
        self._by_key: dict[str, list[int]] = {}
        for (key, _), numbers in self._by_label.items():
            self._by_key.setdefault(key, []).extend(numbers)
        # Only what selectors ask for.
        self._known: dict[tuple[str, str], int] = {}
        self._known_keys: dict[str, int] = {}

    def matching(self, selector: LabelSelector) -> int:
        """Return the set of the objects that a selector matches."""
        found = self.all
        for label in selector.match_labels:
            found &= self.having(label)
            if not found:
                return 0
        for requirement in selector.match_expressions:
            found &= self._satisfying(requirement)
        return found

    def failing_one(self, selector: LabelSelector) -> Iterator[tuple[Requirement, int]]:
        """Yield each requirement of a selector with the set of the objects that satisfy all but this one."""
        requirements = [*(Requirement(key, "In", (value,)) for key, value in selector.match_labels)]
        requirements += selector.match_expressions
        satisfying = [self._satisfying(one) for one in requirements]
        for number, one in enumerate(requirements):
            found = self.all & ~satisfying[number]
            for other, having in enumerate(satisfying):
                found &= having if other != number else -1
            yield one, found

    def satisfying(self, labels: LabelSet) -> int:
        """Return the set of the objects whose labels satisfy all conditions of a set of labels."""
        found = self.all
        for key, values in labels.conditions:
            if not found:
                return 0
            having = self.having_key(key)
            allowed = having if values.only is None else 0
            for value in values.only or ():
                allowed |= self.having((key, value))
            for value in values.excluded:
                allowed &= ~self.having((key, value))
            found &= allowed | (self.all & ~having if values.absent else 0)
        return found

    def having_key(self, key: str) -> int:
        """Return the set of the objects that have a label with a key."""
        if key not in self._known_keys:
            self._known_keys[key] = set_of(self._by_key.get(key, ()), self._size)
        return self._known_keys[key]

    def _satisfying(self, requirement: Requirement) -> int:
        key = requirement.key
        match requirement.operator:
            case "Exists":
                return self.having_key(key)
            case "DoesNotExist":
                return self.all & ~self.having_key(key)
        found = 0
        for value in requirement.values:
            found |= self.having((key, value))
        return found if requirement.operator == "In" else self.all & ~found

    def having(self, label: tuple[str, str]) -> int:
        """Return the set of the objects that have a label."""
        if label not in self._known:
            self._known[label] = set_of(self._by_label.get(label, ()), self._size)
        return self._known[label]


class _OfKey:
    """The selectors that have a requirement about a key.

    ``present``: those that an object without the key does not satisfy. ``listing``: those that name values, and
    ``having`` them by value. ``without``: by value, those that exclude it; all values are under None.
    """

    __slots__ = ("having", "listing", "present", "without")

    def __init__(self) -> None:
        self.present = self.listing = 0
        self.having: dict[str, int] = {}
        self.without: dict[str | None, int] = {}

    def add(self, requirement: Requirement, bit: int) -> None:
        match requirement.operator:
            case "In":
                self.present |= bit
                self.listing |= bit
                for value in requirement.values:
                    self.having[value] = self.having.get(value, 0) | bit
            case "NotIn":
                for value in requirement.values:
                    self.without[value] = self.without.get(value, 0) | bit
            case "Exists":
                self.present |= bit
            case "DoesNotExist":
                self.without[None] = self.without.get(None, 0) | bit

    def failing(self, value: str) -> int:
        """Return the set of the selectors that an object with a value of the key does not satisfy."""
        listing = self.listing & ~self.having.get(value, 0)
        return listing | self.without.get(value, 0) | self.without.get(None, 0)


class SelectorIndex:
    """The selectors of a list by the keys of their requirements."""

    def __init__(self, selectors: Sequence[LabelSelector]) -> None:
        self._selectors = selectors
        self._all = 0
        # Those with two requirements about one key are compared one by one.
        self._repeated: list[int] = []
        self._keys: dict[str, _OfKey] = {}
        self._known_present: dict[frozenset[str], int] = {}
        for number, selector in enumerate(selectors):
            requirements = [Requirement(key, "In", (value,)) for key, value in selector.match_labels]
            requirements += selector.match_expressions
            if len({one.key for one in requirements}) < len(requirements):
                self._repeated.append(number)
                continue
            self._all |= 1 << number
            for one in requirements:
                self._keys.setdefault(one.key, _OfKey()).add(one, 1 << number)

    def matching(self, labels: Mapping[str, str]) -> int:
        """Return the set of the selectors that match an object with these labels."""
        own = [key for key in labels if key in self._keys]
        failing = self._needing_others(frozenset(own))
        for key in own:
            failing |= self._keys[key].failing(labels[key])
        found = self._all & ~failing
        for number in self._repeated:
            if self._selectors[number].matches(labels):
                found |= 1 << number
        return found

    def _needing_others(self, own: frozenset[str]) -> int:
        """Return the set of the selectors that need a key other than these."""
        found = self._known_present.get(own)
        if found is None:
            found = 0
            for key, of in self._keys.items():
                if key not in own:
                    found |= of.present
            self._known_present[own] = found
        return found
