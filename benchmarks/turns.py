"""Rounds in turns, so that noise of the machine affects every contestant."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping


def turns(
    contestants: Mapping[str, Callable[[], float]], rounds: int, warm: int = 0, seconds: float = math.inf
) -> dict[str, list[float]]:
    """Return each contestant's figures, one a round; every round begins with another contestant.

    ``warm`` rounds are run before and thrown away. After ``seconds`` no more than the first round begins.
    """
    names = list(contestants)
    found: dict[str, list[float]] = {name: [] for name in names}
    until = time.monotonic() + seconds
    for number in range(-warm, rounds):
        if number > 0 and time.monotonic() > until:
            break
        first = number % len(names)
        for name in names[first:] + names[:first]:
            value = contestants[name]()
            if number >= 0:
                found[name].append(value)
    return found


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """Return the action as a contestant whose figure is its seconds."""

    def measure() -> float:
        began = time.perf_counter()
        action()
        return time.perf_counter() - began

    return measure
