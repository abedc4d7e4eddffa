"""What-if: the documents of an input or a running lab, changed for one question. Nothing else changes.

Objects are removed first, then files are applied, then labels change. So a file can replace an object that is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from netlab.cluster.find import find, pod_of
from netlab.cluster.resolve import try_resolve
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem, UsageError
from netlab.frozen import frozen
from netlab.objects.document_changes import applied, delete, relabel
from netlab.objects.generate_name import with_generated_names
from netlab.objects.input import input_of
from netlab.objects.kind import deletable
from netlab.objects.meta import DEFAULT_NAMESPACE, Key, key_of
from netlab.objects.scenarios import LabelChange, ObjectRef
from netlab.objects.similar_names import did_you_mean, known_names, similar
from netlab.objects.types import Document

_NAMESPACE = "namespace"


@frozen
class WhatIf:
    """Changes that a question assumes.

    Args:
      without: the objects to remove, each as ``KIND/NAMESPACE/NAME`` or ``KIND/NAME``. KIND is as for kubectl, or the
        kind of an object of the input.
      files: the files to apply, as ``-f`` names them.
      labels: the labels to change. The name of a pod may be that of a workload, which stands for its first pod.
    """

    without: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    labels: tuple[LabelChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.without or self.files or self.labels)

    def __str__(self) -> str:
        parts = [*(f"without {one}" for one in self.without), *(f"with {one}" for one in self.files)]
        parts += [f"{_written(one)} on {one.kind} {one.name}" for one in self.labels]
        return ", ".join(parts)

    def changed(
        self, documents: Iterable[Document], added: Sequence[Document] = ()
    ) -> tuple[list[Document], list[Problem]]:
        """Return the changed documents, and an error for each change that is not possible.

        ``added`` has the documents of the files.
        """
        found = with_generated_names(documents)
        problems: list[Problem] = []
        for text in self.without:
            try:
                found = delete(found, [_ref(text, found)])
            except UsageError as error:
                problems.append(_problem(f"--without {text}", error))
        if added:
            found, more = applied(found, added)
            problems += more
        for change in self.labels:
            try:
                found = _relabelled(found, change)
            except UsageError as error:
                problems.append(_problem(f"--label {_named(change)}", error))
        return found, problems


def _problem(option: str, error: UsageError) -> Problem:
    return Problem(option, 0, "", "", str(error))


def _ref(text: str, documents: Sequence[Document]) -> ObjectRef:
    """Return the object that a text names; raises UsageError for a text that names none of the documents."""
    name, *rest = text.split("/")
    if not 0 < len(rest) < 3 or not all((name, *rest)):
        raise UsageError("write KIND/NAMESPACE/NAME, or KIND/NAME for an object without a namespace")
    keys = [key_of(document) for document in documents]
    kind, namespaced = _kind(name, keys)
    if len(rest) == 2 and namespaced is False:
        raise UsageError(f"a {kind} has no namespace: write {name}/{rest[1]}")
    namespace = rest[0] if len(rest) == 2 else DEFAULT_NAMESPACE if namespaced else ""
    same = [key for key in keys if key.kind == kind]
    wanted = (namespace, rest[-1])
    if not any((key.namespace, key.name) == wanted for key in same) and not _is_used(kind, rest[-1], keys):
        raise UsageError(f"no {kind} {_full(*wanted)}{_hint(_full(*wanted), same)}")
    return ObjectRef(kind, rest[-1], namespace)


def _is_used(kind: str, name: str, keys: Iterable[Key]) -> bool:
    """Say whether a namespace that nothing declares has objects."""
    return kind == "Namespace" and any(key.namespace == name for key in keys)


def _kind(name: str, keys: Iterable[Key]) -> tuple[str, bool | None]:
    """Return a kind by a name of it, and whether it has namespaces, None if that is unknown."""
    lower = name.lower()
    for kind in deletable():
        if lower in kind.names or lower == kind.name.lower():
            return kind.name, kind.namespaced
    present = {key.kind.lower(): key for key in keys}
    if lower not in present:
        known = ", ".join(one.names[1] for one in deletable())
        raise UsageError(f"no kind {name!r}: write KIND/NAMESPACE/NAME; KIND is one of {known}")
    return present[lower].kind, bool(present[lower].namespace)


def _hint(wanted: str, same: Iterable[Key]) -> str:
    known = [_full(key.namespace, key.name) for key in same]
    return did_you_mean(similar(wanted, known)) or known_names(known)


def _full(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _relabelled(documents: list[Document], change: LabelChange) -> list[Document]:
    """Return the documents with changed labels; raises UsageError with similar names for an unknown pod."""
    if change.kind == _NAMESPACE:
        return relabel(documents, change, lambda ref: None)
    namespace, _, name = change.name.rpartition("/")
    pod = Key("v1", "Pod", namespace, name)
    if any(key_of(document) == pod for document in documents):
        return relabel(documents, change, lambda ref: None)
    found = input_of(documents)
    cluster, problems = try_resolve(found.objects, unknown=found.unknown)
    if found.wrong or any(one.severity == "error" for one in problems):
        # Pods of an object with an error are unknown. The command reports the error.
        return documents
    named = replace(change, name=_pod(cluster, change.name).ref)
    return relabel(documents, named, lambda ref: pod_of(cluster, ref))


def _pod(cluster: Cluster, name: str) -> Pod:
    found = find(cluster, name)
    if not isinstance(found, Pod):
        raise UsageError(f"{name} is not a pod")
    return found


def _named(change: LabelChange) -> str:
    return f"namespace:{change.name}" if change.kind == _NAMESPACE else change.name


def _written(change: LabelChange) -> str:
    of = change.labels.items()
    return " and ".join(f"without label {key}" if new is None else f"with label {key}={new}" for key, new in of)
