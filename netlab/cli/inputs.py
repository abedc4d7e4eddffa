"""What a command works on: objects from ``-f``, or the lab that runs; what is to be said about them goes to stderr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from netlab.errors import Problem, UsageError

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Objects


def warn(problems: Iterable[Problem]) -> None:
    """Print warnings on standard error."""
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)


def tell_skipped(skipped: Mapping[str, int]) -> None:
    """Say in one line which kinds netlab did not read."""
    if skipped:
        kinds = ", ".join(f"{count} {kind or '(no kind)'}" for kind, count in sorted(skipped.items()))
        number = sum(skipped.values())
        what = "object" if number == 1 else "objects"
        click.echo(f"skipped {number} {what} that netlab does not read: {kinds}", err=True)


def tell_unenforced(cluster: Cluster) -> None:
    """Say of every network that goes past its nodes that no policy is enforced there."""
    for network in cluster.networks:
        if network.mode == "macvlan":
            click.echo(f"network {network.name}: macvlan: policy is not enforced", err=True)


def read_objects(files: Sequence[str], strict: bool) -> tuple[Objects, Cluster]:
    """Return the objects of files and the cluster that they describe; what is surely not meant is told.

    Raises:
      InputError: with every problem of the files, and UsageError where there are none.
    """
    from netlab.cluster import settle
    from netlab.objects import examine
    from netlab.policy import warnings

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    found = examine(files, strict=strict)
    objects = found.objects
    cluster, made = settle(found)
    warn(found.problems)
    tell_skipped(objects.skipped)
    for scenario in objects.scenarios:
        name, file = scenario.meta.name, scenario.source.file
        click.echo(f"Warning: {file}: Scenario {name} is no part of a lab; run it with: netlab test {file}", err=True)
    warn([*made, *warnings(cluster)])
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
