"""The progress line on standard error, which only a terminal gets: a bar, both numbers, and the time that is left."""

from __future__ import annotations

import sys
import time

from netlab.errors import printable

_REFRESH = 0.1
_BAR = 30
# Seconds after which the time that is left is worth a line, and the least share that it can be told from.
_SETTLED = 1.0
_LEAST = 0.01


class ProgressLine:
    """The progress line; other output clears it first. While ``hidden`` it is not shown, as a pager has the screen."""

    def __init__(self) -> None:
        self.hidden = False
        self._shown = False
        self._last = 0.0

    def show(self, text: str) -> None:
        """Show a text in place of the one before, at most every ``_REFRESH`` seconds."""
        now = time.monotonic()
        if now - self._last >= _REFRESH and not self.hidden:
            self._shown, self._last = True, now
            sys.stderr.write(f"\r\x1b[K{printable(text)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Progress:
    """The progress of one task. Call it with the number done and the total, which is 0 if unknown."""

    def __init__(self, line: ProgressLine, what: str) -> None:
        self._line = line
        self.what = what
        self.done = 0
        self._began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        left = time_left(time.monotonic() - self._began, done, total)
        self._line.show(f"{self.what}: {_bar(done, total)}{f', {left} left' if left else ''}")


def _bar(done: int, total: int) -> str:
    """Return a bar with both numbers, or the number done if the total is unknown (0)."""
    if not total:
        return f"{done:,}"
    full = _BAR * min(done, total) // total
    return f"[{'#' * full}{'.' * (_BAR - full)}] {done:,} of {total:,}"


def time_left(seconds: float, done: int, total: int) -> str:
    """Return the time that is left if the rest takes as long as what is done took; "" if that cannot be told yet."""
    if seconds < _SETTLED or not _LEAST * total <= done < total or not done:
        return ""
    left = round(seconds / done * (total - done))
    if left < 1:
        return ""
    return f"{left} s" if left < 100 else f"{round(left / 60)} min"
