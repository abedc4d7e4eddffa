"""Waiting for what comes on its own. A busy machine makes it late, so a test gives up only when it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sizes import HANGS


def eventually(found: Callable[[], Any], seconds: float = HANGS) -> Any:
    """Return what a function returns once that is true; it is asked again until the time is over."""
    until = time.monotonic() + seconds
    while not (last := found()):
        assert time.monotonic() < until, f"it never held: {last!r}"
        time.sleep(0.02)
    return last
