"""``netlab test``: scenarios, each in a lab of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, terminal
from netlab.cli.failures import verbose
from netlab.errors import InputError, Problem, UsageError, in_order
from netlab.kernel import output as files

if TYPE_CHECKING:
    from netlab.objects.types import Scenario
    from netlab.scenario import ScenarioResult


@click.command("test")
@click.argument("paths", metavar="SCENARIO...", nargs=-1, required=True)
@options.output("table", "json", "yaml")
@click.option("--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Also write JUnit XML there.")
@options.strict
@options.verbose
def test_command(paths: Sequence[str], output: str, junit: str | None, strict: bool) -> None:
    """Run scenarios, each in a lab of its own which is gone afterwards.

    Of a directory only files with a Scenario count. Everything that is wrong with any of them shows before the first
    lab is built.
    """
    if junit is not None:
        files.check(junit, "--junit")
    scenarios = _read(paths, strict)
    results = _run(scenarios, told=output == "table")
    if junit is not None:
        from netlab.report.junit import junit as xml

        files.write(junit, [xml(results)])
    from netlab.report import scenarios as report

    if output in ("json", "yaml"):
        from netlab.report.documents import document

        terminal.emit(document(report.report_of(results), "json" if output == "json" else "yaml"))
    else:
        terminal.emit([report.summary_line(results)])
    refused = max((result.exit_code for result in results), default=0)
    if refused:
        raise SystemExit(refused)
    if any(result.outcome != "passed" for result in results):
        raise SystemExit(1)


def _read(paths: Sequence[str], strict: bool) -> list[Scenario]:
    """Return the scenarios of files and directories, each known to work out; raises InputError, UsageError."""
    from netlab.cluster import resolve
    from netlab.scenario.files import scenarios_of
    from netlab.scenario.rehearse import rehearse

    found, problems = scenarios_of(paths, strict=strict)
    wrong: list[Problem] = []
    objects = []
    for scenario in found:
        try:
            objects.append(rehearse(scenario))
        except InputError as error:
            wrong += error.problems
    if wrong or any(problem.severity == "error" for problem in problems):
        raise InputError(in_order((*problems, *wrong), [scenario.source.file for scenario in found]))
    for of_lab in objects:
        inputs.tell_unenforced(resolve(of_lab))
    inputs.warn(problems)
    if not found:
        raise UsageError(f"no Scenario in {', '.join(paths)}")
    return found


def _run(scenarios: Iterable[Scenario], *, told: bool) -> list[ScenarioResult]:
    from netlab.report.scenarios import in_words
    from netlab.scenario.run import run

    results = []
    for scenario in scenarios:
        results.append(run(scenario))
        if told:
            terminal.emit(in_words(results[-1], every_step=verbose()))
        elif results[-1].error:
            click.echo(f"Error: {results[-1].name}: {results[-1].error}", err=True)
    return results
