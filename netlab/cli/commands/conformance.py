"""``netlab conformance``: compare evaluator, ruleset and packets on cases of network policies."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from netlab import modes
from netlab.cli import options, rendering, terminal
from netlab.cli.failures import verbose
from netlab.cli.option import option
from netlab.errors import HostError, KernelError, NetlabError, UsageError
from netlab.kernel import output as files
from netlab.report.conformance import ConformanceReport

if TYPE_CHECKING:
    from netlab.conformance.run import CaseResult, Selection
    from netlab.conformance.under_profile import UnderProfile

_JUDGES = ("evaluator", "tracer", "packets")
# The names of ``netlab.conformance.features``, which imports all cases; tests/cli/test_conformance.py compares them.
_FEATURES = ("network-policy", "cluster-network-policy")


def _judges(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in _JUDGES]:
        raise click.BadParameter(f"no judge {unknown[0]!r}; they are {', '.join(_JUDGES)}")
    return names


@click.command("conformance")
@click.argument("globs", metavar="[NAME-GLOB]...", nargs=-1)
@option(
    "--judges", default=",".join(_JUDGES), show_default=True, callback=_judges, metavar="NAME,...", help="The judges."
)
@option(
    "--feature",
    type=click.Choice(_FEATURES),
    default=_FEATURES[0],
    show_default=True,
    help="The API whose cases to judge.",
)
@option("--random", type=click.IntRange(0), default=0, metavar="N", help="Add N random clusters and policies.")
@option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same random cases.")
@option(
    "--mode",
    type=click.Choice([mode.name for mode in modes.of_networks() if mode.attachment.enforced]),
    default=None,
    help=f"The mode of the pod network: by default {modes.ONE_NODE}, for cluster-network-policy {modes.SEVERAL_NODES}.",
)
@option(
    "--as",
    "profile",
    metavar="NAME|FILE",
    default="",
    help="Judge with this CNI, and list what it answers differently from the documentation.",
)
@option("--dual-stack", is_flag=True, help="Ask in both IP families.")
@option("--services", is_flag=True, help="Random clusters have Services, and are asked about them.")
@option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="The number of processes; each has its own lab. With --etcd: on each machine.",
)
@options.etcd
@option("--list", "listed", is_flag=True, help="Print the names of the cases, and judge none.")
@options.reports(ConformanceReport)
@option(
    "--export",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the expected truth table to this file, and judge no case.",
)
@option(
    "--against",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Compare the cases with this table of measured verdicts.",
)
@options.output(ConformanceReport)
@options.verbose
def conformance_command(
    globs: Sequence[str],
    judges: tuple[str, ...],
    feature: str,
    random: int,
    seed: int,
    mode: str | None,
    profile: str,
    dual_stack: bool,
    services: bool,
    jobs: int,
    listed: bool,
    export: str | None,
    against: str | None,
    output: str,
) -> None:
    """Judge cases of network policies in three ways: by the evaluator, by a tracer of the ruleset, and by packets.

    The cases are those of NetworkPolicy. With --feature cluster-network-policy they are those of ClusterNetworkPolicy,
    AdminNetworkPolicy and BaselineAdminNetworkPolicy, on two nodes.

    If judges differ on a random case, netlab reduces it to the smallest cluster on which they differ, and writes this
    as a scenario to the current directory. Exit code 1 means that a verdict differs or is inconclusive. Only packets
    need privilege.

    To test another CNI: --export FILE, apply the objects of each stage there, add your measured verdicts to the rows,
    and compare with --against FILE. The file is one JSON object of kind ConformanceTable. An item of its "cases" has
    "case", "stage", "objects" and "rows". A row has "source", "destination", "family", "protocol", "port" (null for
    ICMP) and "expected"; you add "measured": allow, deny or inconclusive.

    With --as, the judges only have to agree with one another. netlab lists which cases the CNI answers differently from
    the documentation, with the choice of its profile that is why. With --against too, these declared deviations pass,
    and others fail.
    """
    from netlab.conformance.features import FEATURES
    from netlab.conformance.run import Selection

    under = _under(profile) if profile else None
    of = FEATURES[feature]
    selection = Selection(tuple(globs), judges, random, seed, mode or "", dual_stack, services, under, of)  # type: ignore[arg-type]
    if next(selection.cases(), None) is None:
        raise UsageError(f"no case matches {', '.join(globs)}")
    reports = options.wanted_reports()
    if export:
        files.check(export)
    if listed:
        terminal.emit(case.name for case in selection.cases())
    elif export is not None:
        from netlab.conformance.tables import export as lines

        files.write(export, (f"{line}\n" for line in lines(selection.cases())))
    else:
        by = judges if against is None else ("measured",)
        name = under.profile.name if under else ""
        _report(_results(selection, jobs, against), selection, by, reports, output, name)


def _under(name: str) -> UnderProfile:
    """Return the profile of a name; raises UsageError if there is none, or if ``--mode`` chooses the wiring too."""
    from netlab import profiles
    from netlab.conformance.under_profile import UnderProfile
    from netlab.profiles import documents

    if click.get_current_context().get_parameter_source("mode") is ParameterSource.COMMANDLINE:
        raise UsageError("--as and --mode: both choose the wiring; leave one out")
    if documents.is_file(name):
        return UnderProfile(documents.profile_of(name), (documents.read(name),))
    return UnderProfile(profiles.named(name))


def _results(selection: Selection, jobs: int, against: str | None) -> Generator[CaseResult, None, None]:
    from netlab.machines.labs import etcd

    if against is None and (machines := etcd()) is not None:
        from netlab.conformance.on_machines import run_on_machines
        from netlab.machines.registry import names_of

        client = machines.client
        names = names_of(client)
        yield from run_on_machines(selection, client, names, jobs, lambda line: terminal.say(f"Warning: {line}"))
        return
    if against is None:
        from netlab.conformance.run import run_selection

        yield from run_selection(selection, jobs, lambda line: terminal.say(f"Warning: {line}"))
        return
    from netlab.conformance import tables

    yield from tables.against(selection.cases(), tables.read(against), selection.profile)


def _report(
    results: Generator[CaseResult, None, None],
    selection: Selection,
    judges: Sequence[str],
    reports: list[tuple[str, str]],
    output: str,
    profile: str,
) -> None:
    """Print each failed case as it comes, then the summary; exit with 1 if a case failed."""
    from netlab.report.conformance import Summary, failure_lines
    from netlab.report.deviations import Deviations

    unjudged = selection.feature.unjudged
    summary, kept = Summary(judges, deviations=Deviations(profile) if profile else None), []
    for_people = rendering.is_text(output)
    ended: BaseException | None = None
    try:
        with contextlib.closing(results), terminal.progress("cases") as progress:
            total = sum(1 for _ in selection.cases()) if progress is not None else 0
            for result in results:
                summary.add(result)
                if reports:
                    kept.append(result)
                if not result.passed and for_people:
                    terminal.emit(failure_lines(result))
                if result.scenario is not None:
                    _write(result)
                if progress is not None:
                    progress(summary.total.cases, total)
    except (KeyboardInterrupt, SystemExit, HostError, KernelError) as error:
        # Print the results so far.
        ended = error
    report = ConformanceReport(summary, unjudged, broken_off=ended is not None, results=kept)
    if ended is None or kept:
        rendering.write(report, reports)
    if ended is None or summary.total.cases:
        rendering.render(report, output)
    if ended is not None:
        if summary.total.cases or not isinstance(ended, NetlabError):
            terminal.say(f"broken off after {summary.total.cases} cases")
        raise ended
    if for_people and "edge" in summary.features:
        terminal.say(f"{len(unjudged)} edge cases are not judged{'' if verbose() else '; -v lists them'}")
        for one in unjudged if verbose() else ():
            terminal.say(f"  {one.name}: {one.why}")
    if summary.total.failed:
        raise SystemExit(1)


def _write(result: CaseResult) -> None:
    """Write the scenario of a random case to the current directory."""
    from netlab.report.yaml_text import lines

    file = f"{result.name.replace('/', '-')}.yaml"
    files.write(file, (f"{line}\n" for line in lines(result.scenario)))
    terminal.say(f"the smallest cluster on which judges differ is in {file}; run it with: netlab test {file}")
