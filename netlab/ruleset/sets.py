"""Sets that change while what was read of them stays: the elements behind rulesets that are made step by step."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.ruleset.elements import Element

Touched = Mapping[str, Mapping[str, None]]
"""The keys that may differ from what was read before, by set."""


class Sets:
    """Elements by set and key. ``read`` gives them out; a set that is changed afterwards is another one."""

    def __init__(self) -> None:
        self._sets: dict[str, dict[str, Element]] = {}
        self._touched: dict[str, dict[str, None]] = {}

    def put(self, name: str, key: str, element: Element) -> None:
        """Add an element, or give a key another one."""
        self._edit(name)[key] = element
        self._touched[name][key] = None

    def take(self, name: str, key: str) -> None:
        """Remove an element."""
        self._edit(name).pop(key, None)
        self._touched[name][key] = None

    def exchange(self, name: str, old: Mapping[str, Element], new: Mapping[str, Element]) -> None:
        """Take some elements of a set out and put others in; nothing is touched where they are equal."""
        if old != new:
            for key in old:
                self.take(name, key)
            for key, element in new.items():
                self.put(name, key, element)

    def replace(self, name: str, elements: Mapping[str, Element]) -> None:
        """Give a set other elements, in their order."""
        self.exchange(name, self._sets.get(name, {}), elements)

    def read(self) -> tuple[dict[str, dict[str, Element]], Touched]:
        """Return the elements of all sets, and what was touched since this was called; what it returned stays."""
        touched, self._touched = self._touched, {}
        return dict(self._sets), touched

    def _edit(self, name: str) -> dict[str, Element]:
        if name not in self._touched:
            self._touched[name] = {}
            self._sets[name] = dict(self._sets.get(name, {}))
        return self._sets[name]
