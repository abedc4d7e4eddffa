"""Numbers for identities and classes: hashes of what they mean, so that they stay put when other things change."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

MARK_BITS = 31
"""Identities are marks without the top bit, so that they read as positive numbers everywhere."""

CLASS_BITS = 32
"""Classes are whole classids, ``MAJOR:MINOR``."""

_NO_NUMBER = frozenset({0, 0xFFFFFFFF})
"""0 is "no identity" (and the classid ``none``), all ones is the classid ``root``."""


def numbers(texts: Iterable[str], bits: int) -> dict[str, int]:
    """Give every distinct text a number of at most ``bits`` bits, the same one in every set of texts.

    Only where two texts of one set hash alike does the later of them, in sorted order, take another number, which
    depends on the set. 0 and 0xffffffff are never given.
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
    """The numbers of a set of texts that comes and goes: at any time those that ``numbers`` gives the whole set."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._given: dict[str, int] = {}
        self._taken = set(_NO_NUMBER)
        self._clash = False

    def __getitem__(self, text: str) -> int:
        return self._given[text]

    def update(self, gone: Iterable[str], come: Iterable[str]) -> bool:
        """Remove and add texts; say whether one that stays has another number now."""
        for text in gone:
            self._taken.discard(self._given.pop(text))
        fresh = {text: _hash(text, 0, self._bits) for text in come}
        self._clash = self._clash or len({*fresh.values()} | self._taken) < len(fresh) + len(self._taken)
        if not self._clash:
            self._given.update(fresh)
            self._taken.update(fresh.values())
            return False
        # Who gets the number that two texts hash to depends on all of them.
        given = numbers([*self._given, *fresh], self._bits)
        moved = any(given[text] != number for text, number in self._given.items())
        self._given, self._taken = given, {*_NO_NUMBER, *given.values()}
        return moved


def _hash(text: str, salt: int, bits: int) -> int:
    digest = blake2b(text.encode(), digest_size=8, salt=salt.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") & ((1 << bits) - 1)
