"""``netlab apply`` and ``netlab delete``: objects come to, and go from, the running lab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, kinds, options
from netlab.cli.changes import print_changes
from netlab.errors import InputError, NetlabError, Problem, UsageError

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.objects import Document, Input
    from netlab.objects.scenarios import ObjectRef


@click.command("apply")
@options.files
@options.strict
@options.ignore
@options.lab
@options.yes
@options.verbose
def apply_command(files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, yes: bool) -> None:
    """Add objects to the running lab, or replace those of the same name: all of them or none.

    They are in force when it returns.
    """
    from netlab.lab.lab import Lab
    from netlab.lab.outcome import label_of
    from netlab.objects.ignored import ignored_names

    running, missing = None, None
    try:
        running = Lab.open(lab)
    except NetlabError as error:
        # What is wrong with the input shows first.
        missing = error
    found = inputs.examined(files, strict, ignore, ignored_names(running.documents) if running else ())
    if found.wrong:
        raise InputError(found.problems_and(_misfits(found, running)))
    if running is None:
        raise missing or UsageError("no lab is running")
    documents = _documents(found, files)
    more = _pods_of(found, len(running.cluster.nodes))
    inputs.confirm(len(running.cluster.pods) + more if more else 0, yes)
    changes = running.apply(documents)
    inputs.print_unenforced(running.cluster)
    given = {label_of(document) for document in documents}
    print_changes(running.name, changes, [(name, verb) for name, verb in changes.objects if name in given])


@click.command("delete")
@click.argument("names", metavar="[KIND NAME...]", nargs=-1)
@options.files
@options.strict
@options.ignore
@options.lab
@options.namespace
@options.verbose
def delete_command(
    names: Sequence[str], files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, namespace: str
) -> None:
    """Remove objects from the running lab, those of files or those that are named: all of them or none.

    A Namespace goes with everything in it. The objects are out of force when it returns.
    """
    from netlab.lab.lab import Lab

    if bool(names) == bool(files):
        raise UsageError("say which objects: with -f FILE, or KIND NAME")
    refs = _refs_of(_given(files, strict, ignore)) if files else _refs(names, namespace)
    running = Lab.open(lab)
    changes = running.delete(refs)
    inputs.print_unenforced(running.cluster)
    print_changes(running.name, changes, [(name, verb) for name, verb in changes.objects if verb == "deleted"])


def _given(files: Sequence[str], strict: bool, ignore: Sequence[str]) -> list[Document]:
    """Return the documents of files that netlab reads, valid each on its own; raises InputError, UsageError."""
    found = inputs.examined(files, strict, ignore)
    if found.wrong:
        raise InputError(found.problems)
    return _documents(found, files)


def _documents(found: Input, files: Sequence[str]) -> list[Document]:
    """Return the documents that netlab reads; print warnings and what it does not read."""
    from netlab.objects.reduced import reduced

    inputs.warn(found.problems, files)
    inputs.print_skipped(found.objects.skipped)
    return reduced(found.objects.documents)


def _pods_of(found: Input, nodes: int) -> int:
    """Return how many pods the objects stand for at most."""
    workloads = found.objects.workloads
    return len(found.objects.pods) + sum(nodes if w.replicas is None else w.replicas for w in workloads)


def _misfits(found: Input, running: Lab | None) -> list[Problem]:
    """Return what in wrong input would not fit into the running lab either; nothing where none is known."""
    from netlab.cluster import Placement, try_resolve
    from netlab.objects import apply, input_of

    if running is None:
        return []
    merged = input_of(apply(running.documents, found.objects.documents))
    keep = {pod.ref: Placement(pod.node, pod.addresses) for pod in running.cluster.pods}
    return try_resolve(merged.objects, keep, found.unknown | merged.unknown)[1]


def _refs_of(documents: Sequence[Document]) -> list[ObjectRef]:
    from netlab.objects.kinds.topology import KIND as TOPOLOGY
    from netlab.objects.meta import IGNORED_KIND, key_of
    from netlab.objects.scenarios import ObjectRef

    keys = dict.fromkeys(key_of(document) for document in documents if document.kind != IGNORED_KIND)
    if any(key.kind == TOPOLOGY.name for key in keys):
        raise UsageError("the Topology is the lab itself, which goes with: netlab down")
    # A namespace takes what is in it along, so it goes last.
    ordered = sorted(keys, key=lambda key: key.kind == "Namespace")
    return [ObjectRef(key.kind, key.name, key.namespace, api_version=key.api_version) for key in ordered]


def _refs(names: Sequence[str], namespace: str) -> list[ObjectRef]:
    """Return what ``KIND NAME...`` or ``KIND/NAME...`` names."""
    from netlab.objects.scenarios import ObjectRef

    pairs = [name.split("/", 1) for name in names]
    if len(pairs[0]) == 1:
        if len(names) == 1:
            raise UsageError(f"which {names[0]}? write KIND NAME, or KIND/NAME")
        pairs = [[names[0], name] for name in names[1:]]
    elif any(len(pair) == 1 for pair in pairs):
        raise UsageError("write KIND NAME..., or KIND/NAME for each")
    refs = []
    for word, name in pairs:
        kind = kinds.kind_of(word, *kinds.deletable())
        where, slash, bare = name.rpartition("/")
        refs.append(ObjectRef(kind, bare, (where if slash else namespace) if kinds.is_namespaced(kind) else ""))
    return refs
