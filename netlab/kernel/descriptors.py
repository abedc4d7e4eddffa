"""The descriptors of a forked process: it inherits all, and needs few."""

from __future__ import annotations

import os
from collections.abc import Iterable

_END = 1 << 16


def close_all_but(kept: Iterable[int]) -> None:
    """Close all descriptors but some, and the first three.

    A descriptor that stays open by mistake is kept from its end: who reads a pipe waits until all writers closed it.
    """
    low = 3
    for fd in sorted({one for one in kept if one > 2}):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _END)
