"""The formats that results are printed in: one file each in this folder, and one line each in ``FORMATS``.

A result is a value with *views*: methods that return its content in some shape. A format prints one view. So a result
has all the formats whose view it has, and neither knows the other. The files of the formats describe the views.
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
    """What text is printed on: ``width`` in characters, and two functions.

    ``paint`` colours a text by the truth table's mark that it belongs to. ``say`` prints a line beside the output.
    """

    width: int = 120
    paint: Callable[[str, str], str] = _plain
    say: Callable[[str], None] = _silent


class Format(NamedTuple):
    """One format. ``view`` is the method of a result that it prints.

    ``text`` says that its lines are read by people: the terminal escapes them, and they say whether all is as expected.
    A format with ``file`` is not printed but written to a file, by an option of its name; ``file`` is what the option's
    help calls it. ``module`` has the function ``lines(result, page)``; by default it is the file of the format's name.
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
    "junit": Format("suites", file="JUnit XML"),
}
"""All formats by name, in the order in which commands offer them."""


def printed(result: Any) -> tuple[str, ...]:
    """Return the names of the formats that a result, or a class of results, is printed in; the first is the default."""
    return tuple(name for name, one in FORMATS.items() if not one.file and hasattr(result, one.view))


def filed(result: Any) -> tuple[str, ...]:
    """Return the names of the formats that a result, or a class of results, is written to a file in."""
    return tuple(name for name, one in FORMATS.items() if one.file and hasattr(result, one.view))


def lines(result: Any, name: str, page: Page | None = None) -> Iterator[str]:
    """Yield the lines of a result in a format; large results are printed as they are made, and not kept."""
    module = import_module(FORMATS[name].module or f"{__name__}.{name}")
    found: Iterator[str] = module.lines(result, page or Page())
    return found
