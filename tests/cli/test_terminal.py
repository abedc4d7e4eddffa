"""Colour and progress: on a terminal only."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Run a command whose output is a terminal; return what the terminal gets."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "netlab", *arguments],
        stdout=theirs,
        stderr=theirs,
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "", "TERM": "xterm", **environment},
    )
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:
        # Linux answers EIO when the last writer is gone.
        pass
    os.close(ours)
    process.wait(timeout=60)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["", "NO_COLOR"])
def test_marks_have_colour_on_a_terminal(environment: dict[str, str], coloured: bool) -> None:
    """NO_COLOR switches it off (https://no-color.org)."""
    shown = on_a_terminal("reach", "-f", "examples/shop", **environment)

    assert coloured == ("\x1b[31mX\x1b[0m" in shown)
    assert coloured == ("\x1b[" in shown)


@pytest.mark.kernel
def test_output_clears_the_progress_line() -> None:
    """The first line of data clears it."""
    shown = on_a_terminal("verify", "-f", "examples/shop")
    before, _, _ = shown.partition("SOURCE ")

    assert "verifying: [####" in before
    assert " 20 of 20" in before
    assert before.endswith("\r\x1b[K")


def test_a_table_fits_the_terminal() -> None:
    """If names are too wide, columns have numbers."""

    assert "SOURCE            1 2 3 4 5" in on_a_terminal("reach", "-f", "examples/shop", COLUMNS="40")
