"""A format is one file and one line, a result is one class: a new one works with all that exist."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import netlab.cli
from netlab.cli import options, rendering
from netlab.pictures.model import Box, Picture
from netlab.report import formats
from netlab.report.blocks import Block, Heading, Image
from netlab.report.comparison import Comparison
from netlab.report.conformance import ConformanceReport
from netlab.report.expected import Expected
from netlab.report.explanations import Explanations
from netlab.report.features import Features
from netlab.report.formats import Format, Page
from netlab.report.groups import ReachabilityGroups
from netlab.report.lint import Lint
from netlab.report.listings import Listed
from netlab.report.mode_table import Modes
from netlab.report.picture import DrawnPicture
from netlab.report.problems import Problems
from netlab.report.reachability import Reachability
from netlab.report.scenarios import TestReport
from netlab.report.suggestion import SuggestedPolicies
from netlab.report.suites import Case, Suite, Suites
from netlab.report.traces import Traces
from netlab.report.verification import Verification

MATRIX = ("table", "wide", "json", "yaml")
PLAIN = ("table", "json", "yaml")
REPORTS = ("markdown", "html")
CLI = Path(netlab.cli.__file__).parent
TOY = """\
def lines(result, page):
    yield f"toy of {page.width}: {sorted(result.document())}"
"""


class Marbles:
    """A result of the test's own, with three views."""

    def table(self, page: Page) -> Iterator[str]:
        yield "2 marbles\x1b"

    def document(self) -> dict[str, Any]:
        return {"kind": "Marbles", "marbles": ["red", "blue"]}

    def suites(self) -> Suites:
        return Suites("marbles", [Suite("all", [Case("red"), Case("blue", failure=("lost", "where?"))])])


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A format of the test's own: one file, and one line in the table."""
    (tmp_path / "toy_format.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_format", raising=False)
    monkeypatch.setitem(formats.FORMATS, "toy", Format("document", module="toy_format"))
    return "toy"


@pytest.mark.parametrize(
    ("result", "printed", "filed"),
    [
        (Reachability, (*MATRIX, "markdown"), ("markdown",)),
        (Expected, (*MATRIX, *REPORTS), REPORTS),
        (Verification, (*MATRIX, *REPORTS), (*REPORTS, "junit")),
        (Comparison, (*PLAIN, *REPORTS), REPORTS),
        (ReachabilityGroups, MATRIX, ()),
        (Problems, (*PLAIN, "markdown"), ("markdown",)),
        (Listed, (*MATRIX, "name"), ()),
        (Lint, (*PLAIN, *REPORTS, "sarif"), (*REPORTS, "sarif")),
        (TestReport, (*PLAIN, *REPORTS), (*REPORTS, "junit", "proof")),
        (ConformanceReport, PLAIN, ("junit",)),
        (Modes, PLAIN, ()),
        (SuggestedPolicies, ("manifest", "json", "yaml"), ()),
        (Features, PLAIN, ()),
        (Traces, PLAIN, ()),
        (Explanations, ("table",), ()),
        (DrawnPicture, ("svg", "dot", "mermaid", "html"), ("html",)),
        (Marbles, PLAIN, ("junit",)),
    ],
)
def test_a_result_has_the_formats_whose_view_it_has(
    result: type, printed: tuple[str, ...], filed: tuple[str, ...]
) -> None:
    """The default comes first; formats of files are no choice of ``-o``."""

    assert (printed, filed) == (formats.printed(result), formats.filed(result))


def test_a_new_result_is_printed_in_all_formats_of_its_views(tmp_path: Path) -> None:
    """Text is escaped, data is not, and the option of a format writes its file."""

    @click.command()
    @options.output(Marbles)
    @options.reports(Marbles)
    def show(output: str) -> None:
        rendering.write(Marbles(), options.wanted_reports())
        rendering.render(Marbles(), output)

    call = CliRunner().invoke
    file = tmp_path / "marbles.xml"

    assert "2 marbles\\x1b\n" == call(show, []).stdout
    assert "kind: Marbles\nmarbles:\n- red\n- blue\n" == call(show, ["-o", "yaml", "--junit", str(file)]).stdout
    assert '<testsuites name="marbles" tests="2" failures="1" errors="0" skipped="0" time="0.000">' in file.read_text()
    assert "'bogus' is not one of 'table', 'json', 'yaml'." in call(show, ["-o", "bogus"]).stderr
    assert "Also write JUnit XML to this file." in call(show, ["--help"]).stdout


def test_a_new_format_is_a_choice_of_every_command_whose_result_has_its_view(
    netlab: Callable[..., Result], toy: str
) -> None:
    """Commands, their help and their messages have no list of formats."""
    shop = ("-f", "examples/shop")

    assert "toy of 100: ['kind', 'problems']\n" == netlab("check", *shop, "-o", toy, env={"COLUMNS": "100"}).stdout
    assert "[table|wide|json|yaml|name|toy]" in netlab("get", "--help").stdout
    assert ", 'toy'." in netlab("reach", *shop, "-o", "bogus").stderr


def test_every_format_has_its_file() -> None:
    """Every format of the table can be printed."""
    for name, one in formats.FORMATS.items():
        list(formats.lines(_Everything(), name))
        assert one.view in dir(_Everything)


class _Everything(Marbles):
    def wide(self, page: Page) -> Iterator[str]:
        yield ""

    def names(self) -> Iterator[str]:
        yield ""

    def log(self) -> dict[str, Any]:
        return {}

    def proof(self) -> dict[str, Any]:
        return {"kind": "MarblesProof"}

    def manifests(self) -> Iterator[str]:
        yield ""

    def comment(self) -> Iterator[Block]:
        yield from self.report()

    def report(self) -> Iterator[Block]:
        yield Heading("marbles")
        yield Image(self.picture())

    def picture(self) -> Picture:
        return Picture("marbles", (Box("red", "pods", ("red",)),))


def test_no_command_spells_out_a_format() -> None:
    """The names of formats are in one table only."""
    spelt = {*formats.FORMATS} - {"name"}  # an attribute of almost everything
    found = [
        f"{path.relative_to(CLI)}:{node.lineno}: {node.value}"
        for path in sorted(CLI.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in spelt
    ]

    assert not found, found
