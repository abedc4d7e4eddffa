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
from collections.abc import Iterable, Iterator
from itertools import chain

import click

from netlab.cli.progress_line import Progress, ProgressLine
from netlab.errors import printable
from netlab.patterns import pattern

# The width of tables without a terminal; COLUMNS overrides it.
_WIDTH = 120
WIDEST_HELP = 120
"""The most characters of a line of help."""
_progress = ProgressLine()
_task: Progress | None = None
_COLOURS = {".": "green", "X": "red", "p": "yellow", "u": "yellow", "?": "yellow", "!": "bright_red"}


def width() -> int:
    """Return the width of a table in characters."""
    return _columns(_WIDTH)


def help_width() -> int:
    """Return the width of help as click's HelpFormatter chooses it."""
    return max(min(_columns(80), WIDEST_HELP) - 2, 50)


def _columns(without_terminal: int) -> int:
    """Return the width of the terminal as ``shutil.get_terminal_size`` does. shutil itself is slow to import."""
    with contextlib.suppress(ValueError):
        stated = int(os.environ.get("COLUMNS", ""))
        if stated > 0:
            return stated
    try:
        # As in shutil: a program that replaces sys.stdout has the terminal all the same.
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or without_terminal  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return without_terminal


def shows_output() -> bool:
    """Say whether standard output is a terminal."""
    return sys.stdout.isatty()


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


def emit(lines: Iterable[str], *, paged: bool = False) -> None:
    """Print lines of text on standard output, each as it is made.

    ``paged``: on a terminal, text that is longer than the screen is shown by the user's pager.
    """
    escaped = map(_escaped, lines)
    if paged and sys.stdout.isatty() and sys.stdin.isatty():
        _page(escaped)
    else:
        data(escaped)


def put(line: str) -> None:
    """Print a line of text when ``flush`` is called, or when some kilobytes wait."""
    _progress.clear()
    sys.stdout.write(f"{_escaped(line)}\n")


def flush() -> None:
    """Print what waits. What an interrupt leaves waits for the next call."""
    sys.stdout.flush()


def _page(lines: Iterator[str]) -> None:
    """Print lines, by the user's pager if they are more than the screen has."""
    import shutil

    size = shutil.get_terminal_size()
    first: list[str] = []
    height = 1  # the prompt of the shell
    for line in lines:
        first.append(line)
        height += max(1, -(-len(_SEQUENCE.sub("", line)) // size.columns))
        if height > size.lines:
            break
    words = _pager() if height > size.lines else []
    if not words:
        data(chain(first, lines))
        return
    from netlab.kernel import pager

    sys.stdout.flush()
    _progress.clear()
    _progress.hidden = True
    try:
        with pager.paging(words) as write:
            for line in chain(first, lines):
                write(f"{line}\n")
    finally:
        _progress.hidden = False


def _pager() -> list[str]:
    """Return the words of the pager's command, none if there is no pager or the user wants none."""
    context = click.get_current_context(silent=True)
    if context is not None and context.find_root().params.get("no_pager"):
        return []
    from netlab.kernel import pager

    return pager.command()


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


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """Show progress on standard error during the block; yield None if standard error is not a terminal.

    The yielded function takes the number done and the total, which is 0 if unknown. It shows the time that is left
    once the block takes more than a second.
    """
    if not sys.stderr.isatty():
        yield None
        return
    try:
        yield Progress(_progress, what)
    finally:
        _progress.clear()


def show_progress(what: str, done: int, total: int) -> None:
    """Show the progress of a task that has no block; the next output replaces it."""
    global _task
    if _task is None or _task.what != what or _task.done > done:
        _task = Progress(_progress, what)
    _task(done, total)
    if done >= total:
        _task = None


def doing(what: str) -> None:
    """Show on a terminal what takes some time now; the next output or progress replaces it."""
    if sys.stderr.isatty():
        _progress.show(f"{what} …")
