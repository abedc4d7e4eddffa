"""``netlab reach``: the evaluator's verdict for every pair."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.report.expected import Expected


@click.command("reach")
@options.files
@options.strict
@options.ignore
@options.lab_without_files
@options.pairs
@click.option(
    "--group", "grouped", is_flag=True, help="By groups of pods that behave alike; -o wide lists who reaches each."
)
@options.output(Expected)
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
    grouped: bool,
    output: str,
) -> None:
    """Print the expected verdict for every pair.

    No packet is sent and no kernel is needed. Without -f it is about the running lab. With --group, pods that have the
    same verdicts to and from everything are one line, named by the labels that they share.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore)
    asked = flow_arguments.asked(cluster, ports, family, nodes, self_pairs)
    if grouped:
        from netlab.policy.groups import groups
        from netlab.report.groups import ReachabilityGroups

        rendering.render(ReachabilityGroups(groups(cluster, asked)), output)
    else:
        rendering.render(Expected(cluster, asked), output)
