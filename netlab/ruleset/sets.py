"""Sets that change while what was read of them stays: the elements behind rulesets that are made step by step."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.ruleset.elements import Element


class Sets:
    """Elements by set and key. ``read`` gives them out; a set that is edited afterwards is another one."""

    def __init__(self) -> None:
        self._sets: dict[str, dict[str, Element]] = {}
        self._own: set[str] = set()

    def edit(self, name: str) -> dict[str, Element]:
        """Return a set to be changed in place."""
        if name not in self._own:
            self._sets[name] = dict(self._sets.get(name, {}))
            self._own.add(name)
        return self._sets[name]

    def replace(self, name: str, elements: Mapping[str, Element]) -> None:
        """Give a set other elements."""
        self._sets[name] = dict(elements)
        self._own.add(name)

    def exchange(self, name: str, old: Mapping[str, Element], new: Mapping[str, Element]) -> None:
        """Take some elements of a set out and put others in; nothing is touched where they are equal."""
        if old != new:
            elements = self.edit(name)
            for key in old:
                elements.pop(key, None)
            elements.update(new)

    @property
    def changed(self) -> bool:
        """Whether anything was edited since it was read."""
        return bool(self._own)

    def read(self) -> dict[str, dict[str, Element]]:
        """Return the elements of all sets; what was returned before is left as it was."""
        self._own.clear()
        return dict(self._sets)
