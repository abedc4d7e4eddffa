"""Print results on standard output and write them to files, in a format of the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.cli import terminal
from netlab.report import formats

if TYPE_CHECKING:
    from netlab.report.rows import Tally


def render(result: Any, output: str = "", watch: Callable[[], None] | None = None) -> None:
    """Print a result in a format; the default is the result's first format.

    ``watch`` is called after each line that does not go to a terminal.
    """
    output = output or formats.printed(result)[0]
    found = formats.lines(result, output, formats.Page(terminal.width(), terminal.paint, terminal.say))
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


def write(result: Any, files: Sequence[tuple[str, str]]) -> None:
    """Write a result to files, each in its format."""
    if not files:
        return
    from netlab.kernel import output

    for name, file in files:
        output.write(file, (f"{line}\n" for line in formats.lines(result, name)))


def exit_as(tally: Tally, output: str) -> None:
    """Exit with code 1 if a verdict differs or is inconclusive; print the counts unless the format is for people.

    Pairs with the expected verdict unknown do not change the exit code; their number is printed on standard error.
    """
    if tally.command == "verify" and tally["unknown"]:
        pairs = f"{tally['unknown']} pair{'' if tally['unknown'] == 1 else 's'}"
        terminal.say(f"{pairs} not compared: a policy that netlab does not read could change the verdict")
    if tally.as_expected:
        return
    if not is_text(output):
        terminal.say(str(tally))
    raise SystemExit(1)
