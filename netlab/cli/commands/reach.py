"""``netlab reach``: the evaluator's verdict for every pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, matrix, options, questions, terminal

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import Flow, Questions
    from netlab.report.rows import Row


@click.command("reach")
@options.files
@options.strict
@options.ignore
@options.lab
@options.pairs
@click.option(
    "--group", "grouped", is_flag=True, help="By groups of pods that behave alike; -o wide lists who reaches each."
)
@options.matrix_output
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
    """Say what can talk to what: the expected verdict for every pair.

    No packet is sent and no kernel is needed. Without -f it is about the running lab. With --group, pods that have the
    same verdicts to and from everything are one line, named by the labels that they share.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore)
    if grouped:
        _show_groups(cluster, questions.asked(cluster, ports, family, nodes, self_pairs), output)
        return
    flows = questions.every_pair(cluster, ports, family, nodes, self_pairs)
    # A truth table has no room for reasons, and they are a quarter of the work.
    matrix.show(cluster.name, _rows(cluster, flows, reasons=output != "table"), "reach", output)


def _rows(cluster: Cluster, flows: Iterable[Flow], *, reasons: bool) -> Iterator[Row]:
    from netlab.policy import evaluate
    from netlab.report.rows import row_of

    for flow in flows:
        decision = evaluate(cluster, flow)
        yield row_of(flow, decision.verdict, reason=decision.reason if reasons else "")


def _show_groups(cluster: Cluster, asked: Questions, output: str) -> None:
    from netlab.policy.groups import groups
    from netlab.report import groups as report

    found = groups(cluster, asked)
    if output in ("json", "yaml"):
        terminal.data(report.document(found, "json" if output == "json" else "yaml"))
        return
    terminal.emit(report.lists(found) if output == "wide" else report.table(found, terminal.width(), terminal.paint))
    terminal.emit([report.summary(found)])
