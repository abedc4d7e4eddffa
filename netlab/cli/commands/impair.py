"""``netlab impair``: delay, lose or limit packets on links of a running lab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import options, terminal
from netlab.cli.change_summary import print_changes
from netlab.cli.option import option
from netlab.errors import UsageError

if TYPE_CHECKING:
    from netlab.lab.lab import Lab


@click.command("impair")
@click.argument("ends", metavar="[MACHINE [MACHINE]]", nargs=-1)
@option("--delay", metavar="TIME", help="How long each packet waits: 20ms.")
@option("--jitter", metavar="TIME", help="How much the delay varies in each direction: 2ms.")
@option("--loss", metavar="PERCENT", help="The share of packets that are lost: 0.1%.")
@option("--duplicate", metavar="PERCENT", help="The share of packets that are sent twice.")
@option("--corrupt", metavar="PERCENT", help="The share of packets with a wrong bit.")
@option("--reorder", metavar="PERCENT", help="The share of packets that do not wait, and so overtake others.")
@option("--rate", metavar="RATE", help="The most bits a second: 100mbit.")
@option("--clear", is_flag=True, help="End what is done to the link; without a machine, to all links.")
@options.lab
@options.verbose
def impair_command(ends: Sequence[str], lab: str, clear: bool, **texts: str | None) -> None:
    """Delay, lose or limit packets between two machines of the running lab, in both directions.

    A machine is a node or an outside host. One machine, or one pod (NAMESPACE/POD), stands for all packets that it
    sends and gets. What was done to the link before ends. Without arguments, the links are listed.

    Exit codes: 2 for an unknown name or a wrong value, 3 where this kernel has no netem (module sch_netem).
    """
    from netlab.machines.labs import labs

    values = {name: text for name, text in texts.items() if text is not None}
    _check(ends, values, clear)
    running = labs().open(lab)
    if not ends and not clear:
        terminal.emit(_lines(running))
        return
    before = running.cluster.links
    changes = running.impair(ends, values) if ends else running.clear_links()
    verb = "unchanged" if running.cluster.links == before else "cleared" if clear else "impaired"
    print_changes(running.name, changes, [(f"link/{','.join(ends) or 'all'}", verb)])


def _check(ends: Sequence[str], values: dict[str, str], clear: bool) -> None:
    """Raise UsageError, with every error, where the arguments do not go together or a value is wrong."""
    from netlab.objects import links

    wrong: list[str] = []
    numbers: dict[str, int] = {}
    for name, text in values.items():
        try:
            numbers[name] = links.read(name, text)
        except ValueError as error:
            wrong.append(f"--{name} {text}: {error}")
    if not wrong:
        wrong += [f"--{name}: {message}" for name, message in links.contradictions(links.Netem(**numbers))]
    if len(ends) > 2:
        wrong.append(f"a link has two ends at most, not {len(ends)}: {' '.join(ends)}")
    if clear and values:
        wrong.append(f"--clear goes with no other value: leave out --{', --'.join(values)}")
    if values and not ends:
        wrong.append("name the machines of the link")
    if ends and not values and not clear:
        wrong.append("say what to do: --delay, --jitter, --loss, --duplicate, --corrupt, --reorder, --rate or --clear")
    if wrong:
        raise UsageError(*wrong)


def _lines(running: Lab) -> list[str]:
    rows = [(",".join(link.ends), str(link.netem)) for link in running.cluster.links]
    if not rows:
        terminal.say(f"lab {running.name}: no link is impaired")
        return []
    width = max(len("BETWEEN"), *(len(ends) for ends, _ in rows))
    return [f"{ends:{width}}   {what}" for ends, what in (("BETWEEN", "NETEM"), *rows)]
