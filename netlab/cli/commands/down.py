"""``netlab down``: remove everything that netlab made, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netlab.cli import options, terminal
from netlab.cli.option import option
from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.machines.labs import Removed


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
@option("--all", "everything", is_flag=True, help="Remove all labs; no error if there is none.")
@options.verbose
def down_command(name: str, lab: str, everything: bool) -> None:
    """Remove a lab with everything in it, and end the programs that `exec` and `shell` left running there.

    Without a name, it removes the only lab, or the one named default. It needs no input files, and works after a crash.
    """
    from netlab.machines.labs import labs

    if options.lab_is_typed():
        if name:
            raise UsageError("name the lab once: as LAB or with --lab")
        name = lab
    if everything:
        if name:
            raise UsageError("name a lab or say --all, not both")
        for removed, outcome in labs().remove_all():
            print_removed(removed, outcome)
        return
    chosen = name or lab or _only(labs().names())
    print_removed(chosen, labs().remove(chosen))


def print_removed(removed: str, outcome: Removed) -> None:
    """Print that a lab is removed, and what stayed or is away."""
    terminal.emit([f"lab/{removed} deleted"])
    if away := outcome.away:
        what = "machines" if len(away) > 1 else "machine"
        terminal.say(f"lab {removed}: {what} {', '.join(away)} away: its part there is removed when the agent is back")
    if outcome.returns:
        terminal.say(
            f"lab {removed}: this was a part of a lab on many machines, and the agent builds it again; remove the lab"
            f" with: netlab down {removed} --etcd URL"
        )
    if left := outcome.left:
        what = f"{len(left)} network namespace{'' if len(left) == 1 else 's'}"
        terminal.say(
            f"lab {removed}: its record does not say whose these are, so {what} stayed; remove those of netlab with:"
            f" sudo ip netns delete NAME: {', '.join(left)}"
        )


def _only(running: list[str]) -> str:
    from netlab.lab.choose import single

    if not running:
        raise UsageError("no lab is running")
    if chosen := single(running):
        return chosen
    raise UsageError(f"several labs are running, name one or say --all: {', '.join(running)}")
