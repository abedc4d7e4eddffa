"""What depends on the terminal: its width, colour and progress. Nothing of it where output goes elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import click

# Where there is no terminal to ask, tables fit this; COLUMNS overrides it.
_WIDTH = 120
_REFRESH = 0.1
_BAR = 30
_COLOURS = {".": "green", "X": "red", "p": "yellow", "u": "yellow", "?": "yellow", "!": "bright_red"}


def width() -> int:
    """Return how wide a table may be."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def coloured() -> bool:
    """Say whether standard output takes colour: a terminal, and nobody objects (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def paint(text: str, mark: str) -> str:
    """Colour a text by the truth table's mark that it belongs to."""
    if mark not in _COLOURS or not coloured():
        return text
    return click.style(text, fg=_COLOURS[mark], bold=True if mark == "!" else None)


def emit(lines: Iterable[str]) -> None:
    """Print data on standard output, line by line as it comes."""
    write = sys.stdout.write
    for line in lines:
        _progress.clear()
        write(f"{line}\n")
    sys.stdout.flush()


Progress = Callable[[int, int], None]


class _Line:
    """The line on standard error that shows progress; it makes way for whatever else is printed."""

    def __init__(self) -> None:
        self._shown = False
        self._last = 0.0

    def show(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last >= _REFRESH:
            self._shown, self._last = True, now
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


_progress = _Line()


def _far(done: int, total: int) -> str:
    """Return how far something is: a bar and the numbers, or what is done where nobody knows of how much."""
    if not total:
        return f"{done:,}"
    full = _BAR * done // total
    return f"[{'#' * full}{'.' * (_BAR - full)}] {done:,} of {total:,}"


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """Show how far something is while the block runs, on a terminal's standard error; None elsewhere.

    What is yielded takes the number done and the number of all, 0 where that is not known.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield lambda done, total: _progress.show(f"{what}: {_far(done, total)}")
    finally:
        _progress.clear()
