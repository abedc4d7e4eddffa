"""All that commands print goes through here: what is text is escaped, once; colour and progress on a terminal only.

``emit`` prints text on standard output and ``say`` on standard error, a line each: no name or file of a stranger moves
the cursor, turns the direction of text or begins a line of its own. ``data`` prints formats that do their own escaping.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import click

from netlab.errors import printable
from netlab.patterns import pattern

# Where there is no terminal to ask, tables fit this; COLUMNS overrides it.
_WIDTH = 120
_REFRESH = 0.1
_BAR = 30
_COLOURS = {".": "green", "X": "red", "p": "yellow", "u": "yellow", "?": "yellow", "!": "bright_red"}


def width() -> int:
    """Return how wide a table may be."""
    import shutil

    return shutil.get_terminal_size((_WIDTH, 24)).columns


def coloured() -> bool:
    """Say whether standard output takes colour: a terminal, and NO_COLOR is not set (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def paint(text: str, mark: str) -> str:
    """Colour a text by the truth table's mark that it belongs to."""
    if mark not in _COLOURS or not coloured():
        return text
    return click.style(text, fg=_COLOURS[mark], bold=True if mark == "!" else None)


# The control sequences that ``paint`` writes.
_SEQUENCES = tuple(
    dict.fromkeys(
        part
        for mark, colour in _COLOURS.items()
        for part in click.style("|", fg=colour, bold=True if mark == "!" else None).split("|")
    )
)
_SEQUENCE = pattern(f"({'|'.join(map(re.escape, _SEQUENCES))})")


def prepare() -> None:
    """Let no character be an error that the encoding of standard output or standard error does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


def _escaped(line: str) -> str:
    """Return a line as it may be printed; colours are netlab's own where there are any."""
    if line.isprintable():
        return line
    if not coloured():
        return printable(line)
    bare = line
    for sequence in _SEQUENCES:
        bare = bare.replace(sequence, "")
    if bare.isprintable():
        return line
    return "".join(part if part in _SEQUENCES else printable(part) for part in _SEQUENCE.split(line))


def emit(lines: Iterable[str]) -> None:
    """Print lines of text on standard output as they come."""
    data(map(_escaped, lines))


def data(lines: Iterable[str]) -> None:
    """Print lines of a format that does its own escaping (JSON, YAML, an nft file) on standard output as they come."""
    write = sys.stdout.write
    for line in lines:
        _progress.clear()
        write(f"{line}\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Print a line of text on standard error."""
    _progress.clear()
    click.echo(printable(line), err=True)


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
            sys.stderr.write(f"\r\x1b[K{printable(text)}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


_progress = _Line()


def _far(done: int, total: int) -> str:
    """Return how far something is: a bar and the numbers, or what is done where the total is not known."""
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
