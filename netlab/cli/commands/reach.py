"""``netlab reach``: print the evaluator's verdict for every pair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal
from netlab.cli.option import option
from netlab.report.expected import Expected

if TYPE_CHECKING:
    from netlab.cli.progress_line import Progress
    from netlab.report.rows import Tally


# As many pairs take about a second.
_MANY = 1_000_000


@click.command("reach")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.pairs
@option(
    "--group",
    "grouped",
    is_flag=True,
    help="Print groups of pods with equal verdicts; -o wide lists what reaches each group.",
)
@options.output(Expected)
@options.reports(Expected)
@options.verbose
def reach_command(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    system: bool,
    services: bool,
    grouped: bool,
    output: str,
) -> None:
    """Print the expected verdict for every pair.

    netlab sends no packet and needs no kernel. Without -f, the objects are those of the running lab. With --group, pods
    with the same verdicts to and from all others are one line; shared labels name it.
    """
    reports = options.wanted_reports()
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    selection = flow_arguments.selection_of(cluster, ports, family, nodes, self_pairs, system, services)
    # Reports are of groups in any case.
    if grouped and _prints_groups(output):
        from netlab.policy.groups import groups
        from netlab.report.groups import ReachabilityGroups

        rendering.render(ReachabilityGroups(groups(cluster, selection)), output)
    else:
        result, number = Expected(cluster, selection, options.again()), selection.count(cluster)
        if number > _MANY:
            terminal.doing(f"evaluating {number:,} pairs")
        with terminal.progress("rows") as progress:
            watch = None if progress is None else partial(_watch, progress, result.tally, number)
            rendering.render(result, output, watch)
    rendering.write(Expected(cluster, selection, options.again()), reports)


def _prints_groups(output: str) -> bool:
    from netlab.report.groups import ReachabilityGroups

    return rendering.has(ReachabilityGroups, output)


def _watch(progress: Progress, tally: Tally, number: int) -> None:
    """Show how many rows are printed."""
    if tally.pairs:
        progress(tally.pairs, number)
