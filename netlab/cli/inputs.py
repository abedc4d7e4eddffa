"""The input of a command: objects from ``-f``, or a running lab. Warnings about it go to standard error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netlab.cli import options, terminal, what_if
from netlab.cli.failures import verbose
from netlab.errors import Problem, UsageError, together

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.lab.lab import Lab
    from netlab.objects import Document, Input, Objects

# The most warnings, and the most kinds in a line, that commands other than ``check`` print.
_FEW = 3
_NETWORK_POLICY = ("NetworkPolicy", "networking.k8s.io")
_TWICE = "defined-twice"
# The most kinds that ``check`` names.
_KINDS = 50
# With one of these warnings, a verdict may differ from the cluster's.
_CHANGES_VERDICTS = frozenset(
    {
        "unread-policy",
        "unknown-namespace-labels",
        "unknown-controller-labels",
        "address-moved",
        "kind-not-read",
        "list-cut-off",
        "not-listed",
        "passed-by",
        "links-not-followed",
    }
)
# Kinds that make pods or lead to them. Policies are named too, and kinds of other APIs with the name of a known kind.
_NAMED_KINDS = frozenset(
    {
        *("CloneSet", "DeploymentConfig", "Rollout", "VirtualMachine", "VirtualMachineInstance"),
        *("Gateway", "Route", "VirtualService"),
        *("GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute"),
    }
)


def warn(problems: Iterable[Problem], files: Sequence[str] = ()) -> None:
    """Print warnings on standard error; with ``-v`` all of them.

    If there are more than a few, it prints their number; ``check`` lists them. It always prints those that could change
    a verdict, one line for each rule.
    """
    found = list(dict.fromkeys(problems))
    if verbose():
        print_problems(found)
        return
    deciding = [one for one in found if one.rule in _CHANGES_VERDICTS]
    others = [one for one in found if one.rule not in _CHANGES_VERDICTS]
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
    """Print problems on standard error, the first ``MOST_PRINTED`` errors and warnings; the others are counted.

    Objects that two files define are one line for each pair of files; with ``-v`` one line for each object.
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


def print_errors(problems: Iterable[Problem]) -> None:
    """Print every error; print warnings as ``warn`` does."""
    found = list(problems)
    print_problems(one for one in found if one.severity == "error")
    warn(one for one in found if one.severity == "warning")


def print_skipped(skipped: Mapping[str, int], *, whole: bool = False) -> None:
    """Print a line with the kinds that netlab skipped: all (``whole``), or those that matter and how many others."""
    if not skipped:
        return
    from netlab.objects.fields import cut

    number, kinds = sum(skipped.values()), sorted(skipped.items())
    if not whole and not verbose() and len(kinds) > _FEW:
        kinds = [(kind, count) for kind, count in kinds if kind in _NAMED_KINDS or "Policy" in kind or "." in kind]
    named = ", ".join(f"{count} {cut(kind) or '(no kind)'}" for kind, count in kinds[:_KINDS])
    left = len(skipped) - len(kinds[:_KINDS])
    if left:
        named += f"{' and ' if named else ''}{left} {'more ' if named else ''}kind{'s' if left > 1 else ''}"
    what = "object" if number == 1 else "objects"
    terminal.say(f"skipped {number} {what} that netlab does not read: {named}")


def warn_unread(cluster: Cluster) -> None:
    """Print warnings about the policies of a running lab that netlab does not read."""
    if cluster.unread:
        from netlab.objects.unread import warning

        warn(map(warning, cluster.unread))


def say_no_system(cluster: Cluster, system: bool) -> None:
    """Print a line if ``--system`` was given and the lab can have no pods of the system."""
    if system and not any(pod.system for pod in cluster.pods):
        terminal.say("Warning: --system: the lab has no pods that netlab added")


def warn_nothing_proved(cluster: Cluster, pairs: int) -> None:
    """Print a warning if no pair of a cluster was measured."""
    if not pairs:
        why = "there is no pair to measure" if cluster.asked_pods() else "the input has no pods"
        terminal.say(f"Warning: {why}: nothing was proved")


def print_unenforced(cluster: Cluster, *, warned: bool = False) -> None:
    """Print a line for each network on which no policy is enforced, or one line if none is on any network.

    ``warned``: the warnings about the policies of the cluster are printed.
    """
    if cluster.policy.enforcement != "all":
        if not (warned and cluster.policies):
            terminal.say("nothing enforces policies (enforcement: none)")
        return
    for network in cluster.networks:
        if not network.traits.attachment.enforced:
            terminal.say(f"network {network.name}: {network.mode}: policy is not enforced")


def confirm(pods: int, yes: bool) -> None:
    """Raise UsageError if a lab has many pods and ``--yes`` was not given."""
    from netlab.objects.bounds import MANY_PODS

    if pods > MANY_PODS and not yes:
        raise UsageError(f"this builds {pods:,} pods; say --yes to build more than {MANY_PODS:,}")


def refuse_unread(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems of ``--strict``: a policy that netlab does not read is an error."""
    from netlab.objects.unread import RULE

    return tuple(replace(one, severity="error") if one.rule == RULE else one for one in problems)


def examined(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    ignored: Sequence[str] = (),
    *,
    system: bool = False,
    of_lab: Sequence[Document] = (),
    assume: bool = True,
) -> Input:
    """Return the objects of files with all problems; raises UsageError if there are no files.

    ``ignored`` has the kinds that the running lab ignores, ``of_lab`` its documents. ``system``: the input asks for
    system objects. ``assume``: the options ``--with``, ``--without`` and ``--label`` change it.
    """
    from netlab.objects import read_input, versions

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    edit = what_if.change(of_lab, assume=assume)
    found = read_input(
        files,
        strict=strict,
        ignore=(*ignore, *ignored),
        system=system,
        change=edit,
        sources=what_if.sources(files),
        server=versions.of(of_lab) if of_lab else None,
    )
    warn_unused(ignore, found)
    return replace(found, problems=refuse_unread(found.problems)) if strict else found


def warn_unused(ignore: Sequence[str], found: Input) -> None:
    """Print a warning for each kind of ``--ignore`` of which the input has no object."""
    from netlab.objects.ignored import ignored
    from netlab.objects.meta import key_of

    if not ignore:
        return
    kinds = {(key.kind, key.api_version.rpartition("/")[0]) for key in map(key_of, found.objects.documents)}
    for name, one in zip(dict.fromkeys(ignore), ignored(ignore), strict=True):
        if not any(one.means(kind, group) for kind, group in kinds if (kind, group) != _NETWORK_POLICY):
            terminal.say(f"Warning: --ignore {name}: the input has no such policy that netlab does not read")


def read_objects(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str] = (),
    *,
    system: bool = False,
    also_read: Collection[str] | None = (),
) -> tuple[Objects, Cluster]:
    """Return the objects of files and the cluster that they describe; print warnings.

    With ``system`` the cluster has system objects, also without a Service or an Ingress. ``also_read`` are kinds that
    are no part of a lab and that the command reads all the same; None: it reads all.

    Raises:
      InputError: with every problem of the files.
      UsageError: when there are no files.
    """
    from netlab.cluster import resolve_input
    from netlab.cluster.plain_policies import without_read
    from netlab.policy.misplaced import misplaced
    from netlab.policy.warnings import warnings

    found = examined(files, strict, ignore, system=system)
    objects = found.objects
    cluster, made = resolve_input(found)
    if also_read is not None:
        print_skipped({kind: number for kind, number in objects.skipped.items() if kind not in also_read})
    for one in (*objects.scenarios, *objects.invariants):
        name, file = f"{type(one).__name__} {one.meta.name}", one.source.file
        terminal.say(f"Warning: {file}: {name} is not part of a lab; run it with: netlab test {file}")
    every = found.problems_and([*made, *warnings(cluster), *misplaced(cluster, objects.workloads)])
    warn(without_read(cluster, every), files)
    return objects, cluster


def read_cluster(
    files: Sequence[str], strict: bool, lab: str = "", ignore: Sequence[str] = (), *, system: bool = False
) -> Cluster:
    """Return the cluster of files, or that of a running lab: without files, or for ``lab:NAME`` alone; print warnings.

    Raises:
      InputError: with every problem of the files.
      UsageError: when both files and a lab are named, or no lab is running.
    """
    options.check_one_input(files)
    # A lab alone keeps what its documents do not say: where its pods run, and their addresses.
    named = what_if.lab_of(files[0]) if len(files) == 1 else None
    if not files or named:
        from netlab.machines.labs import labs

        opened = labs().open(named or lab)
        running = without(_cluster_of(opened, system=system), ignore)
        warn_unread(running)
        say_no_system(running, system)
        print_unenforced(running)
        return running
    _, cluster = read_objects(files, strict, ignore, system=system)
    print_unenforced(cluster, warned=True)
    return cluster


def _cluster_of(lab: Lab, *, system: bool) -> Cluster:
    """Return the cluster of a running lab, changed as the options say; the lab stays as it is."""
    edit = what_if.change()
    if edit is None:
        return lab.cluster_with_system() if system else lab.cluster
    from netlab.errors import InputError
    from netlab.objects.documents import Reader

    def edited(documents: Sequence[Document]) -> list[Document]:
        found, problems = edit([*documents], Reader(sources=what_if.sources()))
        if any(one.severity == "error" for one in problems):
            raise InputError(problems)
        warn(problems)
        return found

    return lab.cluster_as(edited, system=system)


def without(cluster: Cluster, ignore: Sequence[str]) -> Cluster:
    """Return a cluster without the policies of ignored kinds; raises UsageError for an unknown kind."""
    from netlab.objects.ignored import ignored

    named = ignored(ignore)
    left = tuple(one for one in cluster.unread if not any(kind.means(one.kind, one.group) for kind in named))
    read = tuple(one for one in cluster.understood if not any(kind.means(one.kind, one.group) for kind in named))
    if (left, read) == (cluster.unread, cluster.understood):
        return cluster
    return replace(cluster, unread=left, understood=read)
