"""The manual pages are those of the commands."""

from __future__ import annotations

from pathlib import Path

from netlab.cli import man_pages

MAN = Path(__file__).parents[2] / "man"


def test_the_pages_are_what_the_commands_state() -> None:
    """After a change of a command or an option, ``make man`` writes them."""
    pages = {name: "\n".join([*lines, ""]) for name, lines in man_pages.pages()}

    assert {path.name: path.read_text() for path in MAN.iterdir()} == pages


def test_a_line_is_no_request() -> None:
    """A dot or an apostrophe at the beginning of a line of text is text."""

    assert "\\&.so x" == man_pages._text(".so x")
    assert "\\(aqbr \\e" == man_pages._text("'br \\")
