"""``netlab down``: everything that netlab made, and nothing else, goes."""

from __future__ import annotations

import click

from netlab.cli import options, terminal
from netlab.errors import UsageError


@click.command("down")
@click.argument("name", metavar="[LAB]", required=False, type=options.lab_name, callback=options.or_empty)
@options.lab
@click.option("--all", "everything", is_flag=True, help="Every lab; fine when there is none.")
@options.verbose
def down_command(name: str, lab: str, everything: bool) -> None:
    """Remove a lab with everything in it, and end what `exec` and `shell` left running there.

    Without a name it is the only lab, or the one named default. It needs no input files, and works after a crash.
    """
    from netlab.lab import removal
    from netlab.lab.lab import Lab

    if everything:
        if name:
            raise UsageError("name a lab or say --all, not both")
        terminal.emit(f"lab/{removed} deleted" for removed in removal.remove_all())
        return
    chosen = name or lab or _only(Lab.names())
    removal.remove(chosen)
    terminal.emit([f"lab/{chosen} deleted"])


def _only(running: list[str]) -> str:
    if not running:
        raise UsageError("no lab is running")
    if len(running) == 1:
        return running[0]
    if "default" in running:
        return "default"
    raise UsageError(f"several labs are running, name one or say --all: {', '.join(running)}")
