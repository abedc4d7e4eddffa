"""``netlab modes``: measure with packets what reaches what in each network mode."""

from __future__ import annotations

import click

from netlab.cli import options, rendering, terminal
from netlab.report.mode_table import Modes


@click.command("modes")
@options.output(Modes)
@options.verbose
def modes_command(output: str) -> None:
    """Show by packets what reaches what in each network mode, in a temporary lab per mode.

    A cell is yes or no for both IP families, or for each if they differ. Exit code 1 means that a cell differs from the
    documentation.
    """
    from netlab.lab.mode_table import COLUMNS, MODES, survey

    cells = list(survey())
    rendering.render(Modes(cells, MODES, [title for title, *_ in COLUMNS]), output)
    for cell in cells:
        if cell.verdict != cell.expected:
            pair = f"{cell.mode}: {cell.column}, IPv{cell.family}: expected {cell.expected}, measured {cell.verdict}"
            terminal.say(f"{pair}: {cell.reason}")
    if any(cell.verdict != cell.expected for cell in cells):
        raise SystemExit(1)
