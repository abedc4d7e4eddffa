"""How many samples a test draws: all with hypothesis's profile ``full``, half with ``half``, else a quarter.

``make test`` draws a quarter, so that it ends within ten minutes on two slow processors. ``make test-samples`` runs the
tests with the marker ``samples``, and ``make coverage`` all tests; both draw all samples.
And after how many seconds a command of netlab counts as hung.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

Item = TypeVar("Item")

FULL, HALF, FAST = "full", "half", "fast"

# Less than pytest's own limit for a test, which would not show what the command printed. An emulated processor is slow.
HANGS = 500 if os.environ.get("NETLAB_VM") else 100

# A busy machine makes tests slow, so no test has a deadline.
settings.register_profile(FULL, deadline=None, max_examples=100)
settings.register_profile(HALF, deadline=None, max_examples=50)
settings.register_profile(FAST, deadline=None, max_examples=25)


def some(all_of: Sequence[Item]) -> Sequence[Item]:
    """Return all of a sequence, or every second or fourth item where half or a quarter of the samples is drawn."""
    return all_of[:: 100 // samples(100)]


def samples(full: int) -> int:
    """Return how many samples a test draws that draws ``full`` of them with all."""
    return max(1, full * settings().max_examples // 100)
