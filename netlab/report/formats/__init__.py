"""The formats of results: each is one file in this folder and one line in ``FORMATS``.

A result has *views*: methods that return its content in some shape. A format prints one view. So a result has all
formats whose view it has; formats and results do not name each other. The file of a format describes its view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netlab.frozen import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


def _plain(text: str, mark: str) -> str:
    return text


def _silent(line: str) -> None:
    pass


class Run(NamedTuple):
    """The run of a command that makes a report: the command line, netlab's version, and the host's kernel.

    ``began`` is its begin on the clock ``time.monotonic``.
    """

    command: str
    version: str
    started: datetime
    began: float
    kernel: str


class Page(NamedTuple):
    """The page that text is printed on: its ``width`` in characters, and two functions.

    ``paint`` colours a text for a mark of the truth table. ``say`` prints a line beside the output. ``run`` is what a
    report says about how it was made; None leaves it out.
    """

    width: int = 120
    paint: Callable[[str, str], str] = _plain
    say: Callable[[str], None] = _silent
    run: Run | None = None


class Format(NamedTuple):
    """One format. ``view`` names the method of a result that it prints.

    ``text`` says that it is for people: the terminal escapes its lines, and they include the summary. A format with
    ``file`` is written to a file by an option of its name; ``file`` is its name in the option's help. A format without
    ``printed`` is no choice of ``-o``. ``module`` has the function ``lines(result, page)``; by default it is the module
    of the format's name.
    """

    view: str
    text: bool = False
    file: str = ""
    module: str = ""
    printed: bool = True


FORMATS: dict[str, Format] = {
    "manifest": Format("manifests"),
    "table": Format("table", text=True),
    "wide": Format("wide", text=True),
    "json": Format("document", module="netlab.report.formats.json_text"),
    "yaml": Format("document", module="netlab.report.formats.yaml_text"),
    "name": Format("names", text=True),
    "markdown": Format("comment", text=True, file="Markdown"),
    "svg": Format("picture"),
    "dot": Format("picture"),
    "mermaid": Format("picture"),
    "html": Format("report", file="a page of HTML"),
    "sarif": Format("log", file="SARIF 2.1.0"),
    "junit": Format("suites", file="JUnit XML", printed=False),
    "proof": Format("proof", file="the proof of invariants, as JSON,", printed=False),
}
"""All formats by name, in the order of ``-o``."""


def printed(result: Any) -> tuple[str, ...]:
    """Return the formats in which a result, or a class of results, is printed; the first is the default."""
    return tuple(name for name, one in FORMATS.items() if one.printed and hasattr(result, one.view))


def filed(result: Any) -> tuple[str, ...]:
    """Return the formats in which a result, or a class of results, is written to a file."""
    return tuple(name for name, one in FORMATS.items() if one.file and hasattr(result, one.view))


def views(names: Iterable[str]) -> frozenset[str]:
    """Return the views that formats print. A result that is made of a stream keeps only what they need."""
    return frozenset(FORMATS[name].view for name in names)


def lines(result: Any, name: str, page: Page | None = None) -> Iterator[str]:
    """Yield the lines of a result in a format, one by one: a large result is never in memory as a whole."""
    module = import_module(FORMATS[name].module or f"{__name__}.{name}")
    found: Iterator[str] = module.lines(result, page or Page())
    return found
