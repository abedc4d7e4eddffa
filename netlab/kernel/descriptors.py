"""The descriptors of a forked process, which inherits all and needs few."""

from __future__ import annotations

import os
from collections.abc import Iterable

_END = 1 << 16


def close_all_but(kept: Iterable[int]) -> None:
    """Close all descriptors but some, and the first three.

    The reader of a pipe waits while any process has the other end open.
    """
    low = 3
    for fd in sorted({one for one in kept if one > 2}):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _END)
