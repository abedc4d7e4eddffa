"""``netlab verify``: compare measured with expected verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal, what_if
from netlab.errors import UsageError
from netlab.report.verification import Verification

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.lab.lab import Lab
    from netlab.probe import Measurement
    from netlab.report.kept import KeptRows
    from netlab.report.rows import Row


class _Asked(TypedDict):
    """The options that select pairs."""

    ports: Sequence[str]
    family: str | None
    nodes: bool
    self_pairs: bool
    system: bool
    services: bool


@click.command("verify")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.pairs
@options.output(Verification)
@options.reports(Verification)
@options.yes
@options.verbose
def verify_command(
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
    output: str,
    yes: bool,
) -> None:
    """Compare packets with the expected verdicts, for every pair of the running lab.

    With -f, netlab builds a lab of its own, checks it and removes it. Exit code 1 means that a verdict differs or is
    inconclusive. If a policy that netlab does not read could change a pair's verdict, netlab counts the pair as unknown
    and does not compare it.
    """
    options.check_one_input(files)
    reports = options.wanted_reports()
    if not files and options.wanted_profile():
        raise UsageError(
            "--as: the running lab is wired as it is; name files with -f, or change it with: netlab up --as"
        )
    if not files and what_if.wanted_changes():
        raise UsageError("--with, --without, --label: packets measure the lab that runs; name files with -f")
    for port in ports:
        flow_arguments.parse_port(port)
    with _lab(files, strict, ignore, lab, yes, system) as (name, running), terminal.progress("verifying") as progress:
        if system:
            running.add_system()
        cluster = inputs.without(running.cluster, ignore)
        inputs.say_no_system(cluster, system)
        if not files:
            inputs.warn_unread(cluster)
        inputs.print_unenforced(cluster, warned=bool(files))
        asked: _Asked = {
            "ports": ports,
            "family": family,
            "nodes": nodes,
            "self_pairs": self_pairs,
            "system": system,
            "services": services,
        }
        ask = partial(flow_arguments.every_pair, **asked)
        rows = _rows(running, running.probe(ask(running.cluster), progress, ask), ignore)
        selection = flow_arguments.selection_of(cluster, **asked)
        # A lab that lives for this command only has a name of its own.
        cluster = replace(cluster, name=name)
        kept = _kept(rendering.views(output, reports), cluster, selection)
        result = Verification(name, rows, cluster, selection, kept=kept, again=options.again())
        rendering.render(result, output)
        rendering.write(result, reports)
    inputs.warn_nothing_proved(cluster, result.tally.pairs)
    rendering.exit_as(result.tally, output)


def _kept(views: Collection[str], cluster: Cluster, asked: FlowSelection) -> KeptRows | None:
    """Return what the views of reports need of the rows, None if no format prints one."""
    if not {"comment", "report", "suites"}.intersection(views):
        return None
    from netlab.report.kept import KeptRows, RowCounts

    if "report" not in views:
        return KeptRows()
    from netlab.policy.groups import groups

    return KeptRows(RowCounts(groups(cluster, asked)))


@contextlib.contextmanager
def _lab(
    files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, yes: bool, system: bool
) -> Iterator[tuple[str, Lab]]:
    """Yield the lab to check, after the name that reports call it by."""
    from netlab.machines.labs import labs, temporary

    if not files:
        running = labs().open(lab)
        yield running.name, running
        return
    objects, cluster = inputs.read_objects(files, strict, ignore, system=system)
    inputs.confirm(len(cluster.pods), yes)
    with temporary(objects, cluster=cluster) as own:
        yield cluster.name, own


def _rows(running: Lab, measured: Iterable[Measurement], ignore: Sequence[str]) -> Iterator[Row]:
    from netlab.policy.evaluate import evaluate
    from netlab.report.rows import endpoints_of, row_of
    from netlab.scenario.compare import reason_of

    of: Cluster | None = None
    for measurement in measured:
        # ``running.cluster`` is the state of this measurement until the next one is taken.
        if of is not running.cluster:
            of = running.cluster
            cluster = inputs.without(of, ignore)
        decision = evaluate(cluster, measurement.flow)
        endpoints = endpoints_of(decision.endpoints, measurement)
        reason = reason_of(decision, measurement)
        yield row_of(measurement.flow, decision.verdict, measurement.verdict, reason, endpoints)
