"""``netlab test``: run scenarios, each in a lab of its own, and judge invariants."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, rendering, terminal
from netlab.cli.failures import verbose
from netlab.cli.option import option
from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.report.scenarios import TestReport

if TYPE_CHECKING:
    from netlab.objects.invariants import Invariants
    from netlab.objects.scenarios import Scenario
    from netlab.scenario import ScenarioResult, StepResult
    from netlab.scenario.dry_run import DryRun
    from netlab.scenario.invariants import ReadyInvariants

    Ready = DryRun | ReadyInvariants


@click.command("test")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, shell_complete=options.completed("files"))
@options.output(TestReport)
@options.reports(TestReport)
@option("--allow-outside", is_flag=True, help="Let scenarios name files outside of their repository (or own folder).")
@option("--packets", is_flag=True, help="Also judge invariants by packets, in a lab for each file.")
@options.yes
@options.profile
@options.etcd
@options.strict
@options.ignore
@options.verbose
def test_command(
    paths: Sequence[str],
    output: str,
    allow_outside: bool,
    packets: bool,
    yes: bool,
    strict: bool,
    ignore: Sequence[str],
) -> None:
    """Run scenarios, each in a lab of its own; judge invariants.

    netlab removes the lab of a scenario afterwards. Invariants need no lab, unless --packets is given. In a directory,
    netlab reads the files with a Scenario or with Invariants. It reports the errors of all files before it builds a
    lab.
    """
    reports = options.wanted_reports()
    tests = _read(paths, strict, ignore, allow_outside, yes, packets)
    results = _run(tests, packets=packets, for_people=rendering.is_default(TestReport, output))
    report = TestReport(results, options.again())
    rendering.write(report, reports)
    rendering.render(report, output)
    refused = max((result.exit_code for result in results), default=0)
    if refused:
        raise SystemExit(refused)
    if any(result.outcome != "passed" for result in results):
        raise SystemExit(1)


def _read(
    paths: Sequence[str], strict: bool, ignore: Sequence[str], allow_outside: bool, yes: bool, packets: bool
) -> list[Ready]:
    """Return the dry runs of the scenarios, and the invariants, of files and directories.

    Raises:
      InputError: with every problem of all of them.
      UsageError: if there are none.
    """
    from netlab.objects.invariants import Invariants
    from netlab.scenario.dry_run import DryRun
    from netlab.scenario.files import read_tests

    found, problems_read = read_tests(paths, strict=strict, ignore=ignore, allow_outside=allow_outside)
    chosen = options.wanted_profile()
    if chosen:
        from netlab.profiles.documents import invariants_with_profile, scenario_with_profile

        found = [
            invariants_with_profile(one, chosen) if isinstance(one, Invariants) else scenario_with_profile(one, chosen)
            for one in found
        ]
    problems = inputs.refuse_unread(problems_read) if strict else tuple(problems_read)
    wrong: list[Problem] = []
    prepared: list[Ready] = []
    for test in found:
        try:
            prepared.append(_ready(test))
        except InputError as error:
            wrong += error.problems
    if wrong or any(problem.severity == "error" for problem in problems):
        raise InputError(in_order((*problems, *wrong), [test.source.file for test in found]))
    for one in prepared:
        inputs.print_unenforced(one.cluster)
    inputs.warn(problems, paths)
    if not found:
        raise UsageError(f"no Scenario and no Invariants in {', '.join(paths)}")
    built = [one.pods for one in prepared if packets or isinstance(one, DryRun)]
    if built:
        inputs.confirm(max(built), yes)
    return prepared


def _ready(test: Scenario | Invariants) -> Ready:
    """Return a test whose references are checked. Only the modules of its kind of test are imported."""
    from netlab.objects.scenarios import Scenario

    if isinstance(test, Scenario):
        from netlab.scenario.dry_run import dry_run

        return dry_run(test)
    from netlab.scenario.invariants import ready

    return ready(test)


def _run(tests: Sequence[Ready], *, packets: bool, for_people: bool) -> list[ScenarioResult]:
    from netlab.report.scenarios import lines_of
    from netlab.scenario.dry_run import DryRun

    results: list[ScenarioResult] = []
    total = sum(len(one.scenario.steps if isinstance(one, DryRun) else one.invariants.rules) for one in tests)
    with terminal.progress("steps") as progress:
        done = count(1)

        def report(step: StepResult) -> None:
            if progress is not None:
                progress(next(done), total)

        for test in tests:
            if isinstance(test, DryRun):
                from netlab.scenario.run import run

                results.append(run(test, on_step=report))
            else:
                from netlab.scenario.invariants import run_invariants

                results.append(run_invariants(test, packets=packets, on_step=report))
            if for_people:
                terminal.emit(lines_of(results[-1], every_step=verbose()))
            elif results[-1].error:
                terminal.say(f"Error: {results[-1].name}: {results[-1].error}")
            if isinstance(test, DryRun) and _without_pods(test, results[-1]):
                terminal.say(f"Warning: {results[-1].name}: the input has no pods: nothing was proved")
    return results


def _without_pods(test: DryRun, result: ScenarioResult) -> bool:
    """Say whether a scenario asked nothing as its lab had no pods at any step. Such a rule of Invariants fails."""
    never = test.pods == len(test.cluster.pods) and not test.cluster.asked_pods()
    return never and not result.error and not any(step.pairs for step in result.steps)
