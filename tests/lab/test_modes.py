"""The table of modes in the documentation is the measured one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Program = Callable[..., "subprocess.CompletedProcess[str]"]
PAGE = Path(__file__).parents[2] / "docs/modes.md"


def test_the_documented_table_is_the_measured_one(program: Program) -> None:
    """One command builds a lab for each mode, sends packets in both IP families, and prints the page's table."""
    done = program("modes", COLUMNS="160")
    documented = PAGE.read_text().split("```\n")[1]

    assert (0, "") == (done.returncode, done.stderr)
    assert [line.split() for line in documented.splitlines()] == [line.split() for line in done.stdout.splitlines()]
