"""``netlab down``: everything that netlab made, and nothing else, goes."""

from __future__ import annotations

from collections.abc import Sequence

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

    if options.lab_is_typed():
        if name:
            raise UsageError("name the lab once: as LAB or with --lab")
        name = lab
    if everything:
        if name:
            raise UsageError("name a lab or give --all, not both")
        for removed, left in removal.remove_all():
            _tell(removed, left)
        return
    chosen = name or lab or _only(removal.names())
    _tell(chosen, removal.remove(chosen))


def _tell(removed: str, left: Sequence[str]) -> None:
    terminal.emit([f"lab/{removed} deleted"])
    if left:
        what = f"{len(left)} network namespace{'' if len(left) == 1 else 's'}"
        terminal.say(
            f"lab {removed}: its record does not say whose these are, so {what} stayed; what is netlab's, remove with:"
            f" sudo ip netns delete NAME: {', '.join(left)}"
        )


def _only(running: list[str]) -> str:
    if not running:
        raise UsageError("no lab is running")
    if len(running) == 1:
        return running[0]
    if "default" in running:
        return "default"
    raise UsageError(f"several labs are running, name one or give --all: {', '.join(running)}")
