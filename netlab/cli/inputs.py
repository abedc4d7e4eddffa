"""What a command works on: objects from ``-f``, or the lab that runs; what is to be said about them goes to stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cli import terminal
from netlab.errors import Problem, UsageError

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Input, Objects

# Kinds that a line names.
_KINDS = 50


def warn(problems: Iterable[Problem]) -> None:
    """Print warnings on standard error; of policies that netlab does not read one line for each kind."""
    from netlab.objects.unread import RULE, summaries

    found = list(problems)
    tell(problem for problem in found if problem.rule != RULE)
    for line in summaries(problem for problem in found if problem.rule == RULE):
        terminal.say(f"Warning: {line}")


def tell(problems: Iterable[Problem]) -> None:
    """Print problems on standard error, of errors and of warnings as many as may be read; the others are counted."""
    from netlab.objects.bounds import MOST_PRINTED

    told: Counter[str] = Counter()
    for problem in problems:
        told[problem.severity] += 1
        if told[problem.severity] <= MOST_PRINTED:
            terminal.say(f"Warning: {problem}" if problem.severity == "warning" else str(problem))
    for severity, number in told.items():
        if number > MOST_PRINTED:
            terminal.say(f"and {number - MOST_PRINTED} more {severity}s")


def tell_skipped(skipped: Mapping[str, int]) -> None:
    """Say in one line which kinds netlab did not read."""
    if skipped:
        from netlab.objects.fields import cut

        kinds = ", ".join(f"{count} {cut(kind) or '(no kind)'}" for kind, count in sorted(skipped.items())[:_KINDS])
        if len(skipped) > _KINDS:
            kinds += f" and {len(skipped) - _KINDS} more kinds"
        number = sum(skipped.values())
        what = "object" if number == 1 else "objects"
        terminal.say(f"skipped {number} {what} that netlab does not read: {kinds}")


def tell_unread(cluster: Cluster) -> None:
    """Say of a running lab which policies netlab does not read."""
    if cluster.unread:
        from netlab.objects.unread import warning

        warn(map(warning, cluster.unread))


def tell_unenforced(cluster: Cluster) -> None:
    """Say of every network that goes past its nodes that no policy is enforced there."""
    for network in cluster.networks:
        if not network.traits.attachment.enforced:
            terminal.say(f"network {network.name}: {network.mode}: policy is not enforced")


def confirm(pods: int, yes: bool) -> None:
    """Raise UsageError where a lab of so many pods was not asked for by ``--yes``."""
    from netlab.objects.bounds import MANY_PODS

    if pods > MANY_PODS and not yes:
        raise UsageError(f"this builds {pods:,} pods; say --yes to build more than {MANY_PODS:,}")


def refuse_unread(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems as ``--strict`` has them: a policy that netlab does not read is an error."""
    from netlab.objects.unread import RULE

    return tuple(replace(one, severity="error") if one.rule == RULE else one for one in problems)


def examined(files: Sequence[str], strict: bool, ignore: Sequence[str]) -> Input:
    """Return what is in files, right or wrong; raises UsageError where there are none."""
    from netlab.objects import examine

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    found = examine(files, strict=strict, ignore=ignore)
    return replace(found, problems=refuse_unread(found.problems)) if strict else found


def read_objects(files: Sequence[str], strict: bool, ignore: Sequence[str] = ()) -> tuple[Objects, Cluster]:
    """Return the objects of files and the cluster that they describe; what is surely not meant is told.

    Raises:
      InputError: with every problem of the files, and UsageError where there are none.
    """
    from netlab.cluster import settle
    from netlab.policy import misplaced, warnings

    found = examined(files, strict, ignore)
    objects = found.objects
    cluster, made = settle(found)
    warn(found.problems)
    tell_skipped(objects.skipped)
    for scenario in objects.scenarios:
        name, file = scenario.meta.name, scenario.source.file
        terminal.say(f"Warning: {file}: Scenario {name} is no part of a lab; run it with: netlab test {file}")
    warn([*made, *warnings(cluster), *misplaced(cluster, objects.workloads)])
    return objects, cluster


def read_cluster(files: Sequence[str], strict: bool, lab: str = "", ignore: Sequence[str] = ()) -> Cluster:
    """Return the cluster of files, or without files that of the running lab; what is surely not meant is told."""
    if not files:
        from netlab.lab.lab import Lab

        running = without(Lab.open(lab).cluster, ignore)
        tell_unread(running)
        tell_unenforced(running)
        return running
    _, cluster = read_objects(files, strict, ignore)
    tell_unenforced(cluster)
    return cluster


def without(cluster: Cluster, ignore: Sequence[str]) -> Cluster:
    """Return a cluster without the policies of kinds that are ignored; raises UsageError for a name of none."""
    from netlab.objects.unread import ignored

    named = ignored(ignore)
    left = tuple(one for one in cluster.unread if not any(kind.means(one.kind, one.group) for kind in named))
    return cluster if left == cluster.unread else replace(cluster, unread=left)
