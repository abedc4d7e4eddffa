"""``netlab modes``: what reaches what in each network mode, by packets."""

from __future__ import annotations

import click

from netlab.cli import options, terminal


@click.command("modes")
@options.output("table", "json", "yaml")
@options.verbose
def modes_command(output: str) -> None:
    """Show by packets what reaches what in each network mode, in a temporary lab per mode.

    A cell says yes or no for both IP families, or for each where they differ. Exit code 1 means that a cell is not
    what the documentation says.
    """
    from netlab.lab.modes import COLUMNS, MODES, survey
    from netlab.report.columns import columns
    from netlab.report.modes import cell_text

    cells = list(survey())
    if output in ("json", "yaml"):
        from netlab.report.documents import document

        found = [
            {"mode": c.mode, "case": c.column, "family": c.family, "expected": c.expected, "measured": c.verdict}
            for c in cells
        ]
        terminal.data(document({"kind": "Modes", "cells": found}, "json" if output == "json" else "yaml"))
    else:
        titles = [title for title, *_ in COLUMNS]
        rows = (
            [mode, *(cell_text([c for c in cells if (c.mode, c.column) == (mode, title)]) for title in titles)]
            for mode in MODES
        )
        terminal.emit(columns(["MODE", *(title.upper() for title in titles)], rows))
    for cell in cells:
        if cell.verdict != cell.expected:
            said = f"{cell.mode}: {cell.column}, IPv{cell.family}: expected {cell.expected}, measured {cell.verdict}"
            terminal.say(f"{said}: {cell.reason}")
    if any(cell.verdict != cell.expected for cell in cells):
        raise SystemExit(1)
