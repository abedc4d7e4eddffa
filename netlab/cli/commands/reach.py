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

# Fewer pairs are evaluated one by one, which takes less time than finding what is alike.
_FEW = 4_000
# A table of more destinations is tens of megabytes.
_WIDE = 2_000


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
    """Print the expected verdict for every pair.

    No packet is sent and no kernel is needed. Without -f it is about the running lab. With --group, pods that have the
    same verdicts to and from everything are one line, named by the labels that they share.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore)
    asked = questions.asked(cluster, ports, family, nodes, self_pairs)
    if grouped:
        _show_groups(cluster, asked, output)
    elif asked.count(cluster) <= _FEW:
        # A truth table has no room for reasons, and they are a quarter of the work.
        rows = _rows(cluster, asked.flows(cluster), reasons=output != "table")
        matrix.show(cluster.name, rows, "reach", output)
    elif output == "table":
        _show_table(cluster, asked)
    else:
        _show_rows(cluster, asked, output)


def _rows(cluster: Cluster, flows: Iterable[Flow], *, reasons: bool) -> Iterator[Row]:
    from netlab.policy import evaluate
    from netlab.report.rows import endpoints_of, row_of

    for flow in flows:
        decision = evaluate(cluster, flow)
        yield row_of(flow, decision.verdict, None, decision.reason if reasons else "", endpoints_of(decision.endpoints))


def _show_table(cluster: Cluster, asked: Questions) -> None:
    from netlab.policy.groups import groups
    from netlab.report.rows import Tally
    from netlab.report.table_of_groups import truth_table

    everyone = asked.everyone(cluster)
    if len(everyone) > _WIDE:
        terminal.say(f"a table of {len(everyone):,} columns: --group prints pods that behave alike as one")
    found = groups(cluster, asked)
    tally = Tally("reach")
    for verdict, number in found.tally().items():
        tally.add(verdict, number)
    terminal.emit(truth_table(found, everyone).lines(terminal.width(), terminal.paint))
    terminal.emit([str(tally)])


def _show_rows(cluster: Cluster, asked: Questions, output: str) -> None:
    from netlab.policy.expand import Expansion
    from netlab.report import documents, expanded
    from netlab.report.rows import Tally

    found = Expansion(cluster, asked)
    if output == "json":
        tally = Tally("reach")
        terminal.data(documents.reachability_text(cluster.name, expanded.json_rows(found, tally), tally))
    else:
        matrix.show(cluster.name, expanded.rows(found), "reach", output)


def _show_groups(cluster: Cluster, asked: Questions, output: str) -> None:
    from netlab.policy.groups import groups
    from netlab.report import groups as report

    found = groups(cluster, asked)
    if output in ("json", "yaml"):
        terminal.data(report.document(found, "json" if output == "json" else "yaml"))
        return
    terminal.emit(report.lists(found) if output == "wide" else report.table(found, terminal.width(), terminal.paint))
    terminal.emit([report.summary(found)])
