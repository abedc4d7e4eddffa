"""Elements of sets that change while what was read stays: the source of rulesets that are compiled step by step."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.ruleset.elements import Element, Elements, Key

Touched = Mapping[str, Mapping[Key, None]]
"""The keys that may differ from what was read before, by set."""


class ElementStore:
    """Elements by set and key. ``read`` gives them out; a set that is changed afterwards is another one.

    ``shared``: several rulesets have them, so their text is worth keeping.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._sets: dict[str, Elements] = {}
        self._touched: dict[str, dict[Key, None]] = {}
        self._shared = shared

    def put(self, name: str, key: Key, element: Element) -> None:
        """Add an element, or give a key another one."""
        self._edit(name)[key] = element
        self._touched[name][key] = None

    def remove(self, name: str, key: Key) -> None:
        """Remove an element."""
        self._edit(name).pop(key, None)
        self._touched[name][key] = None

    def update(self, name: str, old: Mapping[Key, Element], new: Mapping[Key, Element]) -> None:
        """Take some elements of a set out and put others in; nothing is touched where they are equal."""
        if old != new:
            for key in old:
                self.remove(name, key)
            for key, element in new.items():
                self.put(name, key, element)

    def replace(self, name: str, elements: Mapping[Key, Element]) -> None:
        """Give a set other elements, in their order."""
        self.update(name, self._sets.get(name, {}), elements)

    def filled(self) -> list[str]:
        """Return the names of the sets that have an element."""
        return [name for name, elements in self._sets.items() if elements]

    def read(self) -> tuple[dict[str, Elements], Touched]:
        """Return the elements of all sets, and what was touched since this was called; what it returned stays."""
        touched, self._touched = self._touched, {}
        return dict(self._sets), touched

    def _edit(self, name: str) -> Elements:
        if name not in self._touched:
            self._touched[name] = {}
            self._sets[name] = Elements(self._sets.get(name, {}), shared=self._shared)
        return self._sets[name]
