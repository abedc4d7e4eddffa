"""``netlab doctor``: what this host can do."""

from __future__ import annotations

import click

from netlab.cli import options, terminal


@click.command("doctor")
@options.output("table", "json", "yaml")
@options.verbose
def doctor_command(output: str) -> None:
    """Say what this kernel and host can and cannot do, and what to install or load.

    Everything is tried in a network namespace that is gone afterwards. Exit code 3 means that something that every
    lab needs is missing.
    """
    from netlab.kernel.features import features
    from netlab.report.columns import columns

    found = list(features())
    if output in ("json", "yaml"):
        from netlab.report.documents import document

        checks = [
            {"name": f.name, "status": f.status, "needed": f.needed, "detail": f.detail, "fix": f.fix} for f in found
        ]
        terminal.data(document({"kind": "Features", "checks": checks}, "json" if output == "json" else "yaml"))
    else:
        rows = ([f.name, f.status, f.detail or "-", f.fix or "-"] for f in found)
        terminal.emit(columns(["CHECK", "STATUS", "DETAIL", "FIX"], rows))
    if any(f.needed and f.status != "ok" for f in found):
        raise SystemExit(3)
