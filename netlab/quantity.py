"""A number with the noun that it counts, and the first of many names, as text."""

from __future__ import annotations

from collections.abc import Sequence


def quantity(number: int, one: str, many: str = "") -> str:
    """Return ``1 pod`` or ``1,200 pods``; ``many`` is the plural if it is not ``one`` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def few(names: Sequence[str], most: int) -> str:
    """Return ``a, b and 3 more``: at most ``most`` names, and the number of the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
