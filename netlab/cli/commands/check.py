"""``netlab check``: print every problem of the input at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, rendering, what_if
from netlab.cli.option import option
from netlab.cli.whole_input import whole_input
from netlab.errors import UsageError
from netlab.quantity import quantity
from netlab.report.problems import Problems

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Objects


def _version(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    from netlab.objects import versions

    found = versions.parse(value)
    if found is None:
        raise UsageError(f"--kubernetes-version {value}: {versions.RULE}")
    return found


@click.command("check")
@options.files
@options.profile
@options.what_if
@option("--strict", is_flag=True, help="Warnings make exit code 1; kinds that netlab does not read are errors.")
@options.ignore
@option(
    "--kubernetes-version",
    "version",
    metavar="VERSION",
    callback=_version,
    help="Judge the objects as the API server of this version does, such as 1.35; else as the Topology says.",
)
@options.output(Problems)
@options.reports(Problems)
@options.verbose
def check_command(files: Sequence[str], strict: bool, ignore: Sequence[str], version: int | None, output: str) -> None:
    """Read and validate the input; print every problem.

    netlab refuses errors (exit code 2). A warning is about legal input that is probably not intended.
    """
    reports = options.wanted_reports()
    from netlab.objects import read_input

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    read = read_input(
        files,
        strict=strict,
        ignore=ignore,
        change=what_if.change(),
        sources=what_if.sources(files),
        server=version,
    )
    found = whole_input(read)
    objects, problems = found.objects, found.problems
    errors = sum(problem.severity == "error" for problem in problems)
    if rendering.is_text(output):
        inputs.print_problems(problems)
        if not strict:
            inputs.print_skipped(objects.skipped, whole=True)
    # The name of a running lab is in its record. A Topology of its documents may have another one, or there is none.
    running = what_if.lab_of(files[0]) if len(files) == 1 else None
    summary = _summary(found.cluster if found.whole else None, running, objects, errors, len(problems) - errors)
    result = Problems(problems, summary, options.again())
    rendering.render(result, output)
    rendering.write(result, reports)
    if errors:
        raise SystemExit(2)
    if strict and problems:
        raise SystemExit(1)


def _summary(cluster: Cluster | None, lab: str | None, objects: Objects, errors: int, warnings: int) -> str:
    found = f"{quantity(errors, 'error')}, {quantity(warnings, 'warning')}"
    if cluster is None:
        return found
    rules = sum(len(invariants.rules) for invariants in objects.invariants)
    parts = [
        quantity(len(cluster.nodes), "node"),
        quantity(len(cluster.asked_pods()), "pod"),
        *_services(cluster),
        *_ingresses(cluster),
        quantity(len(cluster.policies), "NetworkPolicy", "NetworkPolicies"),
        *_cluster_policies(cluster),
        *([quantity(len(cluster.understood), "policy of Cilium", "policies of Cilium")] if cluster.understood else []),
        *([quantity(len(objects.scenarios), "scenario")] if objects.scenarios else []),
        *([quantity(rules, "invariant rule")] if rules else []),
    ]
    as_profile = f" as {cluster.profile.name}" if cluster.profile is not None else ""
    return f"lab {lab or cluster.name}{as_profile}: {', '.join(parts)}: {found}"


def _cluster_policies(cluster: Cluster) -> Iterator[str]:
    """Yield how many cluster-wide policies the input has, if it has any."""
    if number := len(cluster.cluster_policies):
        yield quantity(number, "cluster-wide policy", "cluster-wide policies")


def _services(cluster: Cluster) -> Iterator[str]:
    """Yield how many Services the input has, if it has any."""
    if number := sum(not service.system for service in cluster.services):
        yield quantity(number, "Service")


def _ingresses(cluster: Cluster) -> Iterator[str]:
    """Yield how many Ingresses the input has, if it has any."""
    if cluster.ingresses:
        yield quantity(len(cluster.ingresses), "Ingress", "Ingresses")
