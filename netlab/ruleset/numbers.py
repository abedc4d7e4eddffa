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


def mark(number: int) -> str:
    """Return an identity as nft lists a mark: ``0x00000101``."""
    return f"0x{number:08x}"


def classid(number: int) -> str:
    """Return a class as nft lists a classid: ``MAJOR:MINOR`` in hexadecimal."""
    return f"{number >> 16:x}:{number & 0xFFFF:x}"


def _hash(text: str, salt: int, bits: int) -> int:
    digest = blake2b(text.encode(), digest_size=8, salt=salt.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") & ((1 << bits) - 1)
