"""``netlab test``: run scenarios, each in a lab of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, rendering, terminal
from netlab.cli.failures import verbose
from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.report.scenarios import TestReport

if TYPE_CHECKING:
    from netlab.scenario import ScenarioResult, StepResult
    from netlab.scenario.dry_run import DryRun


@click.command("test")
@click.argument("paths", metavar="SCENARIO...", nargs=-1, required=True, shell_complete=options.completed("files"))
@options.output(TestReport)
@options.reports(TestReport)
@click.option(
    "--allow-outside", is_flag=True, help="Let scenarios name files outside of their repository (or own folder)."
)
@options.yes
@options.profile
@options.strict
@options.ignore
@options.verbose
def test_command(
    paths: Sequence[str],
    output: str,
    allow_outside: bool,
    yes: bool,
    strict: bool,
    ignore: Sequence[str],
) -> None:
    """Run scenarios, each in a lab of its own, which netlab removes afterwards.

    In a directory, netlab reads the files with a Scenario. It reports the errors of all scenarios before it builds a
    lab.
    """
    reports = options.wanted_reports()
    scenarios = _read(paths, strict, ignore, allow_outside, yes)
    results = _run(scenarios, for_people=rendering.is_default(TestReport, output))
    report = TestReport(results, options.again())
    rendering.write(report, reports)
    rendering.render(report, output)
    refused = max((result.exit_code for result in results), default=0)
    if refused:
        raise SystemExit(refused)
    if any(result.outcome != "passed" for result in results):
        raise SystemExit(1)


def _read(paths: Sequence[str], strict: bool, ignore: Sequence[str], allow_outside: bool, yes: bool) -> list[DryRun]:
    """Return the dry runs of the scenarios in files and directories; raises InputError, UsageError."""
    from netlab.scenario.dry_run import dry_run
    from netlab.scenario.files import scenarios_of

    found, problems_read = scenarios_of(paths, strict=strict, ignore=ignore, allow_outside=allow_outside)
    chosen = options.wanted_profile()
    if chosen:
        from netlab.profiles.documents import scenario_with_profile

        found = [scenario_with_profile(one, chosen) for one in found]
    problems = inputs.refuse_unread(problems_read) if strict else tuple(problems_read)
    wrong: list[Problem] = []
    ready: list[DryRun] = []
    for scenario in found:
        try:
            ready.append(dry_run(scenario))
        except InputError as error:
            wrong += error.problems
    if wrong or any(problem.severity == "error" for problem in problems):
        raise InputError(in_order((*problems, *wrong), [scenario.source.file for scenario in found]))
    for one in ready:
        inputs.print_unenforced(one.cluster)
    inputs.warn(problems, paths)
    if not found:
        raise UsageError(f"no Scenario in {', '.join(paths)}")
    inputs.confirm(max(one.pods for one in ready), yes)
    return ready


def _run(scenarios: Sequence[DryRun], *, for_people: bool) -> list[ScenarioResult]:
    from netlab.report.scenarios import lines_of
    from netlab.scenario.run import run

    results: list[ScenarioResult] = []
    total = sum(len(one.scenario.steps) for one in scenarios)
    with terminal.progress("steps") as progress:
        done = count(1)

        def report(step: StepResult) -> None:
            if progress is not None:
                progress(next(done), total)

        for scenario in scenarios:
            results.append(run(scenario, on_step=report))
            if for_people:
                terminal.emit(lines_of(results[-1], every_step=verbose()))
            elif results[-1].error:
                terminal.say(f"Error: {results[-1].name}: {results[-1].error}")
    return results
