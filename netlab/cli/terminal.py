"""The output of commands. It escapes text once. Only a terminal gets colour and progress.

``emit`` prints lines of text on standard output, ``say`` one line on standard error. Names and files of strangers
cannot move the cursor, change the direction of text or begin a new line. ``data`` prints formats that do their own
escaping.
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

# The width of tables without a terminal; COLUMNS overrides it.
_WIDTH = 120
_REFRESH = 0.1
_BAR = 30
_COLOURS = {".": "green", "X": "red", "p": "yellow", "u": "yellow", "?": "yellow", "!": "bright_red"}


def width() -> int:
    """Return the width of a table in characters."""
    import shutil

    return shutil.get_terminal_size((_WIDTH, 24)).columns


def coloured() -> bool:
    """Say whether standard output takes colour: a terminal, and NO_COLOR is not set (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and sys.stdout.isatty()


def paint(text: str, mark: str) -> str:
    """Return a text in the colour of a mark of the truth table."""
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
    """Escape characters that the encoding of standard output or standard error lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")


def _escaped(line: str) -> str:
    """Return a line with control characters escaped, but for the colours of ``paint``."""
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
    """Print lines of text on standard output, each as it is made."""
    data(map(_escaped, lines))


def data(lines: Iterable[str]) -> None:
    """Print lines of a format that does its own escaping (JSON, YAML, nft), each as it is made."""
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


class _ProgressLine:
    """The progress line on standard error; other output clears it first."""

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


_progress = _ProgressLine()


def _bar(done: int, total: int) -> str:
    """Return a bar with both numbers, or the number done if the total is unknown (0)."""
    if not total:
        return f"{done:,}"
    full = _BAR * done // total
    return f"[{'#' * full}{'.' * (_BAR - full)}] {done:,} of {total:,}"


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """Show progress on standard error during the block; yield None if standard error is not a terminal.

    The yielded function takes the number done and the total, which is 0 if unknown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield lambda done, total: _progress.show(f"{what}: {_bar(done, total)}")
    finally:
        _progress.clear()
