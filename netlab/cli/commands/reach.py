"""``netlab reach``: the evaluator's verdict for every pair."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, matrix, options, questions


@click.command("reach")
@options.files
@options.strict
@options.lab
@options.pairs
@options.matrix_output
@options.verbose
def reach_command(
    files: Sequence[str],
    strict: bool,
    lab: str,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    output: str,
) -> None:
    """Say what can talk to what: the expected verdict for every pair.

    No packet is sent and no kernel is needed. Without -f it is about the running lab.
    """
    from netlab.policy import evaluate
    from netlab.report.rows import row_of

    cluster = inputs.read_cluster(files, strict, lab)
    flows = questions.every_pair(cluster, ports, family, nodes, self_pairs)
    decisions = (evaluate(cluster, flow) for flow in flows)
    rows = (row_of(decision.flow, expected=decision.verdict, reason=decision.reason) for decision in decisions)
    matrix.show(cluster.name, rows, "reach", output)
