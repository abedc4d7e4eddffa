"""``netlab down``: remove everything that netlab made, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import options, terminal
from netlab.errors import UsageError


@click.command("down")
@click.argument(
    "name",
    metavar="[LAB]",
    required=False,
    type=options.lab_name,
    callback=options.or_empty,
    shell_complete=options.completed("labs"),
)
@options.lab
@click.option("--all", "everything", is_flag=True, help="Remove all labs; no error if there is none.")
@options.verbose
def down_command(name: str, lab: str, everything: bool) -> None:
    """Remove a lab with everything in it, and end the programs that `exec` and `shell` left running there.

    Without a name, it removes the only lab, or the one named default. It needs no input files, and works after a crash.
    """
    from netlab.lab import removal

    if options.lab_is_typed():
        if name:
            raise UsageError("name the lab once: as LAB or with --lab")
        name = lab
    if everything:
        if name:
            raise UsageError("name a lab or say --all, not both")
        for removed, left in removal.remove_all():
            print_removed(removed, left)
        return
    chosen = name or lab or _only(removal.names())
    print_removed(chosen, removal.remove(chosen))


def print_removed(removed: str, left: Sequence[str]) -> None:
    """Print that a lab is removed, and the namespaces that stayed."""
    terminal.emit([f"lab/{removed} deleted"])
    if left:
        what = f"{len(left)} network namespace{'' if len(left) == 1 else 's'}"
        terminal.say(
            f"lab {removed}: its record does not say whose these are, so {what} stayed; remove those of netlab with:"
            f" sudo ip netns delete NAME: {', '.join(left)}"
        )


def _only(running: list[str]) -> str:
    if not running:
        raise UsageError("no lab is running")
    if len(running) == 1:
        return running[0]
    if "default" in running:
        return "default"
    raise UsageError(f"several labs are running, name one or say --all: {', '.join(running)}")
