"""``netlab doctor``: test the features of this host."""

from __future__ import annotations

import click

from netlab.cli import options, rendering
from netlab.report.features import Features


@click.command("doctor")
@options.output(Features)
@options.verbose
def doctor_command(output: str) -> None:
    """Say what this kernel and host can and cannot do, and what to install or load.

    netlab tries each feature in a temporary network namespace. Exit code 3 means that a feature is missing that every
    lab needs.
    """
    from netlab.kernel.features import features

    found = list(features())
    rendering.render(Features(found), output)
    if any(f.needed and f.status != "ok" for f in found):
        raise SystemExit(3)
