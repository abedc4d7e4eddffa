"""``netlab apply`` and ``netlab delete``: add, replace and remove objects of the running lab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, kind_names, options
from netlab.cli.change_summary import print_changes
from netlab.cli.option import option
from netlab.errors import InputError, NetlabError, Problem, UsageError

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.objects import Document, Input
    from netlab.objects.scenarios import ObjectRef


@click.command("apply")
@options.files
@options.profile
@options.strict
@options.ignore
@options.lab
@options.yes
@option(
    "--rollout",
    is_flag=True,
    help="Replace the pods of a workload with another template step by step, as its update strategy says.",
)
@options.verbose
def apply_command(
    files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, yes: bool, rollout: bool
) -> None:
    """Add objects to the running lab, or replace those of the same name: all or none.

    Pods of a workload with another template are changed at once and keep their names. With --rollout they are replaced
    as by a rolling update, with maxSurge and maxUnavailable, and each step is in force before the next one.
    The change is in force when the command returns.
    """
    from netlab.lab.outcome import label_of
    from netlab.machines.labs import labs
    from netlab.objects.ignored import ignored_names

    running, missing = None, None
    try:
        running = labs().repaired(lab) if rollout else labs().open(lab)
    except NetlabError as error:
        # Report errors of the input before this one.
        missing = error
    of_lab = running.documents if running else ()
    found = inputs.examined(files, strict, ignore, ignored_names(of_lab), of_lab=of_lab)
    if found.wrong:
        raise InputError(found.problems_and(_errors_in_lab(found, running)))
    if running is None:
        raise missing or UsageError("no lab is running")
    documents = _documents(found, files)
    more = _most_pods(found, len(running.cluster.nodes))
    inputs.confirm(len(running.cluster.pods) + more if more else 0, yes)
    before = running.cluster
    try:
        running.check_no_control_plane()
        changes = running.rollout(documents) if rollout else running.apply(documents)
    except InputError as error:
        # What may not change, and what does not fit together, are found one after the other.
        raise InputError([*dict.fromkeys((*error.problems, *_errors_in_lab(found, running)))]) from error
    inputs.print_unenforced(running.cluster)
    given = {label_of(document) for document in documents}
    lines = [(name, verb) for name, verb in changes.objects if name in given]
    if rollout:
        from netlab.cli.pod_moves import print_moves

        print_moves(running.name, changes, lines, before, running.cluster)
    else:
        print_changes(running.name, changes, lines)


@click.command("delete")
@click.argument("names", metavar="[KIND NAME...]", nargs=-1, shell_complete=options.completed("deletable"))
@options.files
@options.strict
@options.ignore
@options.lab
@options.namespace
@options.verbose
def delete_command(
    names: Sequence[str], files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, namespace: str
) -> None:
    """Remove objects from the running lab, by files or by names: all or none.

    Everything in a Namespace goes with it. The change is in force when the command returns.
    """
    from netlab.machines.labs import labs

    if bool(names) == bool(files):
        raise UsageError("name the objects: with -f FILE, or by KIND NAME")
    refs = _refs_of(_documents_of(files, strict, ignore)) if files else _refs(names, namespace)
    running = labs().open(lab)
    running.check_no_control_plane()
    changes = running.delete(refs)
    inputs.print_unenforced(running.cluster)
    print_changes(running.name, changes, [(name, verb) for name, verb in changes.objects if verb == "deleted"])


def _documents_of(files: Sequence[str], strict: bool, ignore: Sequence[str]) -> list[Document]:
    """Return the documents of files that netlab reads, each valid by itself; raises InputError, UsageError."""
    found = inputs.examined(files, strict, ignore)
    if found.wrong:
        raise InputError(found.problems)
    return _documents(found, files)


def _documents(found: Input, files: Sequence[str]) -> list[Document]:
    """Return the documents that netlab reads; print warnings and the kinds that it skips."""
    from netlab.objects.reduced import reduced

    inputs.warn(found.problems, files)
    inputs.print_skipped(found.objects.skipped)
    return reduced(found.objects.documents)


def _most_pods(found: Input, nodes: int) -> int:
    """Return the largest number of pods that the objects can make."""
    workloads = found.objects.workloads
    return len(found.objects.pods) + sum(nodes if w.replicas is None else w.replicas for w in workloads)


def _errors_in_lab(found: Input, running: Lab | None) -> list[Problem]:
    """Return the errors that an input with errors would also cause in the running lab; without a lab, none."""
    from netlab.cluster import Placement, try_resolve
    from netlab.objects import input_of
    from netlab.objects.document_changes import applied

    if running is None:
        return []
    documents, refused = applied(running.documents, found.objects.documents)
    merged = input_of(documents)
    keep = {pod.ref: Placement(pod.node, pod.addresses) for pod in running.cluster.pods}
    services = {one.meta.key: one for one in running.cluster.services}
    resolved = try_resolve(merged.objects, keep, found.unknown | merged.unknown, services=services)[1]
    return [*refused, *resolved]


def _refs_of(documents: Sequence[Document]) -> list[ObjectRef]:
    from netlab.objects.kinds.topology import KIND as TOPOLOGY
    from netlab.objects.meta import IGNORED_KIND, key_of
    from netlab.objects.scenarios import ObjectRef

    keys = dict.fromkeys(key_of(document) for document in documents if document.kind != IGNORED_KIND)
    if any(key.kind == TOPOLOGY.name for key in keys):
        raise UsageError("the Topology is the lab itself; remove it with: netlab down")
    # To delete a namespace deletes the objects in it, so it comes last.
    ordered = sorted(keys, key=lambda key: key.kind == "Namespace")
    return [ObjectRef(key.kind, key.name, key.namespace, api_version=key.api_version) for key in ordered]


def _refs(names: Sequence[str], namespace: str) -> list[ObjectRef]:
    """Return the objects that ``KIND NAME...`` or ``KIND/NAME...`` names; raises UsageError."""
    from netlab.objects.scenarios import ObjectRef

    pairs = [name.split("/", 1) for name in names]
    if len(pairs[0]) == 1:
        if len(names) == 1:
            raise UsageError(f"which {names[0]}? write KIND NAME, or KIND/NAME")
        pairs = [[names[0], name] for name in names[1:]]
    elif any(len(pair) == 1 for pair in pairs):
        raise UsageError("write KIND NAME..., or KIND/NAME for each")
    refs = []
    for kind_name, name in pairs:
        kind = kind_names.kind_of(kind_name, *kind_names.deletable())
        own_namespace, slash, bare = name.rpartition("/")
        refs.append(
            ObjectRef(kind, bare, (own_namespace if slash else namespace) if kind_names.is_namespaced(kind) else "")
        )
    return refs
