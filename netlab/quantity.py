"""A number with the noun that it counts, as text."""

from __future__ import annotations


def quantity(number: int, one: str, many: str = "") -> str:
    """Return ``1 pod`` or ``1,200 pods``; ``many`` is the plural if it is not ``one`` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
