"""Print results on standard output and write them to files, in a format of the registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from netlab.cli import terminal
from netlab.cli.command_group import TYPED
from netlab.quantity import quantity
from netlab.report import formats

if TYPE_CHECKING:
    from netlab.report.rows import Tally

# When the command began: its first import.
_BEGIN = time.monotonic()


def render(result: Any, output: str = "", watch: Callable[[], None] | None = None) -> None:
    """Print a result in a format; the default is the result's first format.

    ``watch`` is called after each line that does not go to a terminal.
    """
    output = output or formats.printed(result)[0]
    page = formats.Page(terminal.width(), terminal.paint, terminal.say, _run([output]))
    found = formats.lines(result, output, page)
    if watch is not None and not terminal.shows_output():
        found = _watched(found, watch)
    if is_text(output):
        terminal.emit(found, paged=True)
    else:
        terminal.data(found)


def _watched(lines: Iterable[str], watch: Callable[[], None]) -> Iterator[str]:
    for line in lines:
        yield line
        watch()


def has(result: Any, output: str) -> bool:
    """Say whether a result, or a class of results, is printed in a format."""
    return output in formats.printed(result)


def is_default(result: Any, output: str) -> bool:
    """Say whether a format is the default of a result, or a class of results."""
    return output == formats.printed(result)[0]


def is_text(output: str) -> bool:
    """Say whether a format is for people: its text has the summary, which other formats need on standard error."""
    return formats.FORMATS[output].text


def views(output: str, files: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the views of a result that ``-o`` and the options for files print."""
    return formats.views([output, *(name for name, _ in files)])


def _run(names: Iterable[str]) -> formats.Run | None:
    """Return what a report says about how it was made; None if none of these formats prints a whole report."""
    if "report" not in formats.views(names):
        return None
    import platform
    import shlex
    from datetime import UTC, datetime, timedelta

    import netlab

    seconds = time.monotonic() - _BEGIN
    started = datetime.now(UTC) - timedelta(seconds=seconds)
    context = click.get_current_context(silent=True)
    command = shlex.join(["netlab", *(context.meta.get(TYPED, ()) if context else ())])
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    return formats.Run(command, netlab.__version__, started, _BEGIN, kernel)


def write(result: Any, files: Sequence[tuple[str, str]]) -> None:
    """Write a result to files, each in its format."""
    if not files:
        return
    from netlab.kernel import output

    page = formats.Page(run=_run(name for name, _ in files))
    for name, file in files:
        output.write(file, (f"{line}\n" for line in formats.lines(result, name, page)))


def exit_as(tally: Tally, output: str) -> None:
    """Exit with code 1 if a verdict differs or is inconclusive; print the counts unless the format is for people.

    Pairs with the expected verdict unknown do not change the exit code; their number is printed on standard error.
    """
    if tally.command == "verify" and tally["unknown"]:
        pairs = quantity(tally["unknown"], "pair")
        terminal.say(f"{pairs} not compared: a policy that netlab does not read could change the verdict")
    if tally.as_expected:
        return
    if not is_text(output):
        terminal.say(str(tally))
    raise SystemExit(1)
