"""``netlab doctor``: what this host can do."""

from __future__ import annotations

import click

from netlab.cli import options, rendering
from netlab.report.features import Features


@click.command("doctor")
@options.output(Features)
@options.verbose
def doctor_command(output: str) -> None:
    """Say what this kernel and host can and cannot do, and what to install or load.

    Everything is tried in a network namespace that is gone afterwards. Exit code 3 means that something that every
    lab needs is missing.
    """
    from netlab.kernel.features import features

    found = list(features())
    rendering.render(Features(found), output)
    if any(f.needed and f.status != "ok" for f in found):
        raise SystemExit(3)
