"""What a command works on: objects from ``-f``, or a running lab. Warnings about them go to standard error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cli import terminal
from netlab.cli.failures import verbose
from netlab.errors import Problem, UsageError, together

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.objects import Input, Objects

# How many warnings, and how many kinds of objects in a line, commands other than ``check`` print.
_FEW = 3
_NETWORK_POLICY = ("NetworkPolicy", "networking.k8s.io")
_TWICE = "defined-twice"
# Kinds that ``check`` names.
_KINDS = 50
# Where one of these stands, a verdict may be another one than on the cluster.
_DECIDING = frozenset(
    {
        "unread-policy",
        "unknown-namespace-labels",
        "unknown-controller-labels",
        "address-moved",
        "kind-not-read",
        "list-cut-off",
        "passed-by",
        "links-not-followed",
    }
)
# Kinds that make pods, or doors to them. Policies are named too, and kinds of others with a name that netlab reads.
_NAMED = frozenset(
    {
        *("CloneSet", "DeploymentConfig", "Rollout", "VirtualMachine", "VirtualMachineInstance"),
        *("Endpoints", "EndpointSlice", "Gateway", "Ingress", "Route", "VirtualService"),
        *("GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"),
    }
)


def warn(problems: Iterable[Problem], files: Sequence[str] = ()) -> None:
    """Print warnings beside the output of a command; with ``-v`` all of them.

    More than a few are counted, as ``check`` lists them. Those that could change a verdict are always printed, all of
    one kind in one line.
    """
    found = list(dict.fromkeys(problems))
    if verbose():
        print_problems(found)
        return
    deciding = [one for one in found if one.rule in _DECIDING]
    others = [one for one in found if one.rule not in _DECIDING]
    if len(others) > _FEW:
        terminal.say(f"{len(others)} warnings: {_check(files)} lists them")
        others = []
    for one in (*together(others), *together(deciding)):
        terminal.say(f"Warning: {one}")


def _check(files: Sequence[str]) -> str:
    """Return the command that lists all problems of files."""
    import shlex

    named = [f"-f {shlex.quote(file)}" for file in files if file != "-"]
    return f"netlab check {' '.join(named)}" if 0 < len(named) == len(files) <= _FEW else "netlab check -f FILE"


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems on standard error. Of very many errors or warnings the first are printed and the others counted.

    Objects that two files define are one line a pair of files, unless ``-v`` asks for each.
    """
    from netlab.objects.bounds import MOST_PRINTED

    printed: Counter[str] = Counter()
    for problem in problems if verbose() else together(problems, lambda one: one.rule != _TWICE):
        printed[problem.severity] += 1
        if printed[problem.severity] <= MOST_PRINTED:
            terminal.say(f"Warning: {problem}" if problem.severity == "warning" else str(problem))
    for severity, number in printed.items():
        if number > MOST_PRINTED:
            terminal.say(f"and {number - MOST_PRINTED} more {severity}s")


def print_wrong(problems: Iterable[Problem]) -> None:
    """Print every error, and the warnings as ``warn`` does."""
    found = list(problems)
    print_problems(one for one in found if one.severity == "error")
    warn(one for one in found if one.severity == "warning")


def print_skipped(skipped: Mapping[str, int], *, whole: bool = False) -> None:
    """Say in one line which kinds netlab did not read: ``whole``, or those that matter and how many more."""
    if not skipped:
        return
    from netlab.objects.fields import cut

    number, kinds = sum(skipped.values()), sorted(skipped.items())
    if not whole and not verbose() and len(kinds) > _FEW:
        kinds = [(kind, count) for kind, count in kinds if kind in _NAMED or "Policy" in kind or "." in kind]
    named = ", ".join(f"{count} {cut(kind) or '(no kind)'}" for kind, count in kinds[:_KINDS])
    left = len(skipped) - len(kinds[:_KINDS])
    if left:
        named += f"{' and ' if named else ''}{left} {'more ' if named else ''}kind{'s' if left > 1 else ''}"
    what = "object" if number == 1 else "objects"
    terminal.say(f"skipped {number} {what} that netlab does not read: {named}")


def warn_unread(cluster: Cluster) -> None:
    """Say of a running lab which policies netlab does not read."""
    if cluster.unread:
        from netlab.objects.unread import warning

        warn(map(warning, cluster.unread))


def print_unenforced(cluster: Cluster) -> None:
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


def examined(files: Sequence[str], strict: bool, ignore: Sequence[str], ignored: Sequence[str] = ()) -> Input:
    """Return what is in files, right or wrong; raises UsageError where there are none.

    ``ignored`` are kinds that the running lab ignores already.
    """
    from netlab.objects import read_input

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    found = read_input(files, strict=strict, ignore=(*ignore, *ignored))
    warn_unused(ignore, found)
    return replace(found, problems=refuse_unread(found.problems)) if strict else found


def warn_unused(ignore: Sequence[str], found: Input) -> None:
    """Say of every kind that is to be ignored that the input has no object of it, where it has none."""
    from netlab.objects.ignored import ignored
    from netlab.objects.meta import key_of

    if not ignore:
        return
    kinds = {(key.kind, key.api_version.rpartition("/")[0]) for key in map(key_of, found.objects.documents)}
    for name, one in zip(dict.fromkeys(ignore), ignored(ignore), strict=True):
        if not any(one.means(kind, group) for kind, group in kinds if (kind, group) != _NETWORK_POLICY):
            terminal.say(f"Warning: --ignore {name}: the input has no such policy that netlab does not read")


def read_objects(files: Sequence[str], strict: bool, ignore: Sequence[str] = ()) -> tuple[Objects, Cluster]:
    """Return the objects of files and the cluster that they describe; print warnings.

    Raises:
      InputError: with every problem of the files, and UsageError where there are none.
    """
    from netlab.cluster import resolve_input
    from netlab.policy import misplaced, warnings

    found = examined(files, strict, ignore)
    objects = found.objects
    cluster, made = resolve_input(found)
    print_skipped(objects.skipped)
    for scenario in objects.scenarios:
        name, file = scenario.meta.name, scenario.source.file
        terminal.say(f"Warning: {file}: Scenario {name} is no part of a lab; run it with: netlab test {file}")
    warn(found.problems_and([*made, *warnings(cluster), *misplaced(cluster, objects.workloads)]), files)
    return objects, cluster


def read_cluster(files: Sequence[str], strict: bool, lab: str = "", ignore: Sequence[str] = ()) -> Cluster:
    """Return the cluster of files, or without files that of the running lab; print warnings."""
    if not files:
        from netlab.lab.lab import Lab

        running = without(Lab.open(lab).cluster, ignore)
        warn_unread(running)
        print_unenforced(running)
        return running
    _, cluster = read_objects(files, strict, ignore)
    print_unenforced(cluster)
    return cluster


def without(cluster: Cluster, ignore: Sequence[str]) -> Cluster:
    """Return a cluster without the policies of kinds that are ignored; raises UsageError for a name of none."""
    from netlab.objects.ignored import ignored

    named = ignored(ignore)
    left = tuple(one for one in cluster.unread if not any(kind.means(one.kind, one.group) for kind in named))
    return cluster if left == cluster.unread else replace(cluster, unread=left)
