"""Numbers for identities and classes: hashes of their texts, so they do not change when others come or go."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

MARK_BITS = 31
"""Identities are marks without the top bit, so programs that read marks as signed numbers show them as positive."""

CLASS_BITS = 31
"""Classes are classids (``MAJOR:MINOR``) without the top bit, which says that a class is of tiers."""

_NO_NUMBER = frozenset({0, 0xFFFFFFFF})
"""0 is "no identity" (and the classid ``none``), all ones is the classid ``root``."""


def numbers(texts: Iterable[str], bits: int) -> dict[str, int]:
    """Return a number of at most ``bits`` bits for every distinct text.

    The number depends on the text alone, with one exception: if two texts have the same hash, the later one in sorted
    order takes another number, which depends on all texts. 0 and 0xffffffff are never used.
    """
    given: dict[str, int] = {}
    taken: set[int] = set(_NO_NUMBER)
    for text in sorted(set(texts)):
        salt = 0
        while (number := _hash(text, salt, bits)) in taken:
            salt += 1
        given[text] = number
        taken.add(number)
    return given


class Numbering:
    """The numbers of a changing set of texts: always those that ``numbers`` returns for the whole set."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._given: dict[str, int] = {}
        self._taken = set(_NO_NUMBER)
        self._clash = False

    def __getitem__(self, text: str) -> int:
        return self._given[text]

    def update(self, removed: Iterable[str], added: Iterable[str]) -> bool:
        """Remove and add texts; say whether a text that stays has another number now."""
        for text in removed:
            self._taken.discard(self._given.pop(text))
        fresh = {text: _hash(text, 0, self._bits) for text in added}
        self._clash = self._clash or len({*fresh.values()} | self._taken) < len(fresh) + len(self._taken)
        if not self._clash:
            self._given.update(fresh)
            self._taken.update(fresh.values())
            return False
        # Two texts have one hash, so the numbers depend on all texts.
        given = numbers([*self._given, *fresh], self._bits)
        renumbered = any(given[text] != number for text, number in self._given.items())
        self._given, self._taken = given, {*_NO_NUMBER, *given.values()}
        return renumbered


def _hash(text: str, salt: int, bits: int) -> int:
    digest = blake2b(text.encode(), digest_size=8, salt=salt.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") & ((1 << bits) - 1)
