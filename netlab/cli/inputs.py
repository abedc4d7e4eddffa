"""What a command works on: objects from ``-f``, or the lab that runs; what is to be said about them goes to stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from netlab.errors import Problem, UsageError

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Objects

# Kinds that a line names.
_KINDS = 50


def warn(problems: Iterable[Problem]) -> None:
    """Print warnings on standard error."""
    tell(problems)


def tell(problems: Iterable[Problem]) -> None:
    """Print problems on standard error, of errors and of warnings as many as may be read; the others are counted."""
    from netlab.objects.bounds import MOST_PRINTED

    told: Counter[str] = Counter()
    for problem in problems:
        told[problem.severity] += 1
        if told[problem.severity] <= MOST_PRINTED:
            click.echo(f"Warning: {problem}" if problem.severity == "warning" else str(problem), err=True)
    for severity, number in told.items():
        if number > MOST_PRINTED:
            click.echo(f"and {number - MOST_PRINTED} more {severity}s", err=True)


def tell_skipped(skipped: Mapping[str, int]) -> None:
    """Say in one line which kinds netlab did not read."""
    if skipped:
        from netlab.objects.fields import cut

        kinds = ", ".join(f"{count} {cut(kind) or '(no kind)'}" for kind, count in sorted(skipped.items())[:_KINDS])
        if len(skipped) > _KINDS:
            kinds += f" and {len(skipped) - _KINDS} more kinds"
        number = sum(skipped.values())
        what = "object" if number == 1 else "objects"
        click.echo(f"skipped {number} {what} that netlab does not read: {kinds}", err=True)


def tell_unenforced(cluster: Cluster) -> None:
    """Say of every network that goes past its nodes that no policy is enforced there."""
    for network in cluster.networks:
        if network.mode == "macvlan":
            click.echo(f"network {network.name}: macvlan: policy is not enforced", err=True)


def confirm(pods: int, yes: bool) -> None:
    """Raise UsageError where a lab of so many pods was not asked for by ``--yes``."""
    from netlab.objects.bounds import MANY_PODS

    if pods > MANY_PODS and not yes:
        raise UsageError(f"this builds {pods:,} pods; say --yes to build more than {MANY_PODS:,}")


def read_objects(files: Sequence[str], strict: bool) -> tuple[Objects, Cluster]:
    """Return the objects of files and the cluster that they describe; what is surely not meant is told.

    Raises:
      InputError: with every problem of the files, and UsageError where there are none.
    """
    from netlab.cluster import settle
    from netlab.cluster.placement import idle
    from netlab.objects import examine
    from netlab.policy import warnings

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    found = examine(files, strict=strict)
    objects, cluster = found.objects, settle(found)
    warn(found.problems)
    tell_skipped(objects.skipped)
    for scenario in objects.scenarios:
        name, file = scenario.meta.name, scenario.source.file
        click.echo(f"Warning: {file}: Scenario {name} is no part of a lab; run it with: netlab test {file}", err=True)
    warn([*idle(cluster, objects.workloads), *warnings(cluster)])
    return objects, cluster


def read_cluster(files: Sequence[str], strict: bool, lab: str = "") -> Cluster:
    """Return the cluster of files, or without files that of the running lab; what is surely not meant is told."""
    if not files:
        from netlab.lab.lab import Lab

        running = Lab.open(lab).cluster
        tell_unenforced(running)
        return running
    _, cluster = read_objects(files, strict)
    tell_unenforced(cluster)
    return cluster
