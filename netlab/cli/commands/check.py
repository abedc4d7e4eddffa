"""``netlab check``: every problem of the input at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, terminal
from netlab.errors import InputError, Problem, UsageError

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Objects


@click.command("check")
@options.files
@click.option("--strict", is_flag=True, help="Warnings make exit code 1; kinds that netlab does not read are errors.")
@options.output("table", "json", "yaml")
@options.verbose
def check_command(files: Sequence[str], strict: bool, output: str) -> None:
    """Read and validate the input; print every problem.

    Errors are what netlab refuses (exit code 2); warnings are what is legal but surely not meant.
    """
    from netlab.objects import load

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    problems: list[Problem] = []
    objects: Objects | None = None
    cluster: Cluster | None = None
    try:
        objects, found = load(files, strict=strict)
        problems += found
        cluster = _fit_together(objects, problems)
    except InputError as error:
        problems += error.problems
    errors = sum(problem.severity == "error" for problem in problems)
    if output in ("json", "yaml"):
        from netlab.report import documents

        terminal.emit(documents.document(documents.problems(problems), "json" if output == "json" else "yaml"))
    else:
        for problem in problems:
            click.echo(f"Warning: {problem}" if problem.severity == "warning" else str(problem), err=True)
        if objects is not None:
            inputs.tell_skipped(objects.skipped)
        terminal.emit(_summary(cluster, objects, errors, len(problems) - errors))
    if errors:
        raise SystemExit(2)
    if strict and problems:
        raise SystemExit(1)


def _fit_together(objects: Objects, problems: list[Problem]) -> Cluster:
    """Find what shows only when objects are seen together; raises InputError."""
    from netlab.cluster import resolve
    from netlab.policy import warnings

    cluster = resolve(objects)
    problems += warnings(cluster)
    problems += _of_scenarios(objects)
    return cluster


def _of_scenarios(objects: Objects) -> Iterator[Problem]:
    if not objects.scenarios:
        return
    from netlab.scenario import rehearse

    for scenario in objects.scenarios:
        try:
            rehearse(scenario)
        except InputError as error:
            yield from error.problems


def _summary(cluster: Cluster | None, objects: Objects | None, errors: int, warnings: int) -> Iterator[str]:
    found = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if cluster is None or objects is None:
        yield found
        return
    parts = [
        _count(len(cluster.nodes), "node"),
        _count(len(cluster.pods), "pod"),
        _count(len(cluster.policies), "NetworkPolicy", "NetworkPolicies"),
        *([_count(len(objects.scenarios), "scenario")] if objects.scenarios else []),
    ]
    yield f"{cluster.name}: {', '.join(parts)}: {found}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"
