"""The elements of sets while a compiler goes from cluster to cluster; rulesets that were returned do not change."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.ruleset.elements import Element, Elements, Key

Touched = Mapping[str, Mapping[Key, None]]
"""By set, the keys that may differ from the last ``read``."""


class ElementStore:
    """Elements by set and key. A change after ``read`` copies the set first.

    ``shared``: several rulesets have these elements, so their text is kept.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._sets: dict[str, Elements] = {}
        self._touched: dict[str, dict[Key, None]] = {}
        self._shared = shared

    def put(self, name: str, key: Key, element: Element) -> None:
        """Add or replace an element of a set."""
        self._edit(name)[key] = element
        self._touched[name][key] = None

    def remove(self, name: str, key: Key) -> None:
        """Remove an element of a set."""
        self._edit(name).pop(key, None)
        self._touched[name][key] = None

    def update(self, name: str, old: Mapping[Key, Element], new: Mapping[Key, Element]) -> None:
        """Remove the old elements from a set and add the new ones; equal mappings touch nothing."""
        if old != new:
            for key in old:
                self.remove(name, key)
            for key, element in new.items():
                self.put(name, key, element)

    def replace(self, name: str, elements: Mapping[Key, Element]) -> None:
        """Replace all elements of a set; the order counts."""
        self.update(name, self._sets.get(name, {}), elements)

    def filled(self) -> list[str]:
        """Return the names of the sets that have an element."""
        return [name for name, elements in self._sets.items() if elements]

    def read(self) -> tuple[dict[str, Elements], Touched]:
        """Return the elements of all sets, and the keys that were touched since the last call."""
        touched, self._touched = self._touched, {}
        return dict(self._sets), touched

    def _edit(self, name: str) -> Elements:
        if name not in self._touched:
            self._touched[name] = {}
            self._sets[name] = Elements(self._sets.get(name, {}), shared=self._shared)
        return self._sets[name]
