"""The formats of results: each is one file in this folder and one line in ``FORMATS``.

A result has *views*: methods that return its content in some shape. A format prints one view. So a result has all
formats whose view it has; formats and results do not name each other. The file of a format describes its view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple


def _plain(text: str, mark: str) -> str:
    return text


def _silent(line: str) -> None:
    pass


class Page(NamedTuple):
    """The page that text is printed on: its ``width`` in characters, and two functions.

    ``paint`` colours a text for a mark of the truth table. ``say`` prints a line beside the output.
    """

    width: int = 120
    paint: Callable[[str, str], str] = _plain
    say: Callable[[str], None] = _silent


class Format(NamedTuple):
    """One format. ``view`` names the method of a result that it prints.

    ``text`` says that it is for people: the terminal escapes its lines, and they include the summary. A format with
    ``file`` is written to a file by an option of its name; ``file`` is its name in the option's help. ``module`` has
    the function ``lines(result, page)``; by default it is the module of the format's name.
    """

    view: str
    text: bool = False
    file: str = ""
    module: str = ""


FORMATS: dict[str, Format] = {
    "table": Format("table", text=True),
    "wide": Format("wide", text=True),
    "json": Format("document", module="netlab.report.formats.json_text"),
    "yaml": Format("document", module="netlab.report.formats.yaml_text"),
    "name": Format("names", text=True),
    "markdown": Format("comment", text=True),
    "svg": Format("picture"),
    "dot": Format("picture"),
    "mermaid": Format("picture"),
    "html": Format("report"),
    "junit": Format("suites", file="JUnit XML"),
}
"""All formats by name, in the order of ``-o``."""


def printed(result: Any) -> tuple[str, ...]:
    """Return the formats in which a result, or a class of results, is printed; the first is the default."""
    return tuple(name for name, one in FORMATS.items() if not one.file and hasattr(result, one.view))


def filed(result: Any) -> tuple[str, ...]:
    """Return the formats in which a result, or a class of results, is written to a file."""
    return tuple(name for name, one in FORMATS.items() if one.file and hasattr(result, one.view))


def lines(result: Any, name: str, page: Page | None = None) -> Iterator[str]:
    """Yield the lines of a result in a format, one by one: a large result is never in memory as a whole."""
    module = import_module(FORMATS[name].module or f"{__name__}.{name}")
    found: Iterator[str] = module.lines(result, page or Page())
    return found
