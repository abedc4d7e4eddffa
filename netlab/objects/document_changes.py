"""Changes of a lab's documents: what the commands ``apply``, ``delete`` and ``label`` do to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netlab.errors import InputError, Problem, UsageError
from netlab.objects.generate_name import with_generated_names
from netlab.objects.kind import NETLAB_VERSION, get
from netlab.objects.meta import DEFAULT_NAMESPACE, Key, key_of
from netlab.objects.types import Document, Source

if TYPE_CHECKING:
    from netlab.objects.scenarios import LabelChange, ObjectRef

POD_LABELS = "PodLabels"
STOPPED_NODE = "StoppedNode"
WORKLOAD_PODS = "WorkloadPods"
PodOf = Callable[[str], tuple[str, str] | None]
"""Takes ``NAMESPACE/NAME`` of a pod or a workload. Returns that pod, or the workload's first pod, as ``NAMESPACE/POD``,
and its workload as ``KIND NAMESPACE/NAME`` ("" without one); None if there is no such pod."""


def apply(documents: Iterable[Document], changes: Iterable[Document]) -> list[Document]:
    """Return the documents; each change replaces the document of the same object, or is added at the end.

    An object with a generateName gets its name first, so the same change twice is one object.

    Raises:
      InputError: if a change of an object changes a field that may not change.
    """
    found, problems = applied(documents, changes)
    if problems:
        raise InputError(problems)
    return found


def applied(documents: Iterable[Document], changes: Iterable[Document]) -> tuple[list[Document], list[Problem]]:
    """Return what ``apply`` returns, with the problems that it raises.

    A rolling update of a changed workload ends at once.
    """
    merged = {key_of(d): d for d in with_generated_names(documents)}
    problems: list[Problem] = []
    workloads: list[Key] = []
    for document in with_generated_names(changes):
        key = key_of(document)
        before = merged.get(key)
        if before is not None:
            document, more = _updated(before, document)
            problems += more
        merged[key] = document
        if (known := get(document.kind)) is not None and known.template is not None:
            workloads.append(key)
    found = list(merged.values())
    if workloads and any(key.kind == WORKLOAD_PODS for key in merged):
        from netlab.objects.workload_pods import settled

        found = settled(found, workloads)
    return found, problems


def _updated(before: Document, after: Document) -> tuple[Document, list[Problem]]:
    """Return the new document of an object with what stays of the old one, and the problems of the update."""
    kind = get(after.kind)
    if kind is None or kind.update is None:
        return after, []
    # Late, as the kind PodLabels imports this module.
    from netlab.objects.decoders import decoded

    (_, old, _), (_, new, problems) = decoded(before), decoded(after)
    if type(old) is not kind.type or type(new) is not kind.type:
        return after, []
    if any(problem.severity == "error" for problem in problems or ()):
        return after, []
    return kind.update(old, new, after)


def delete(documents: Iterable[Document], refs: Iterable[ObjectRef]) -> list[Document]:
    """Return the documents without those of the given objects.

    A Namespace is removed with all objects in it, a workload with what netlab stores about its pods, a Node with its
    being stopped.

    Raises:
      UsageError: if an object does not exist. It has a message for each.
    """
    left = list(documents)
    missing = []
    for ref in refs:
        removed = [d for d in left if _matches(ref, key_of(d))]
        if not removed:
            missing.append(f"{ref.kind} {_full_name(ref)} does not exist")
            continue
        orphans = {key for d in removed for key in _owned_by(left, d)}
        dropped = {id(d) for d in removed}
        left = [d for d in left if id(d) not in dropped and key_of(d) not in orphans]
    if missing:
        raise UsageError(*missing)
    return left


def _full_name(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def _matches(ref: ObjectRef, key: Key) -> bool:
    if ref.kind == "Namespace":
        return key.namespace == ref.name or (key.kind == "Namespace" and key.name == ref.name)
    if key.kind != ref.kind or key.name != ref.name:
        return False
    # A policy of another API may have the kind and name of a NetworkPolicy.
    known = get(ref.kind)
    version = ref.api_version or (known.api_version if known is not None else "")
    if version not in ("", key.api_version):
        return False
    return not key.namespace or key.namespace == (ref.namespace or DEFAULT_NAMESPACE)


def relabel(documents: Iterable[Document], change: LabelChange, pod_of: PodOf) -> list[Document]:
    """Return the documents with labels set or removed on one pod or namespace.

    ``pod_of`` finds pods, which are known to the cluster only. A pod of a workload has no document, so its labels are
    stored in a document of kind PodLabels, which the workload owns. A namespace that is used and not declared gets a
    Namespace.

    Raises:
      UsageError: if the pod or the namespace does not exist.
    """
    found = list(documents)
    if change.kind == "namespace":
        return _relabel_namespace(found, change)
    namespace, _, name = change.name.rpartition("/")
    namespace = namespace or DEFAULT_NAMESPACE
    keys = [*map(key_of, found)]
    workload = ""
    if Key("v1", "Pod", namespace, name) not in keys:
        found_pod = pod_of(f"{namespace}/{name}")
        if found_pod is None:
            raise UsageError(f"pod {namespace}/{name} does not exist")
        name, workload = found_pod[0].partition("/")[2], found_pod[1]
    own = _last_place(keys, Key("v1", "Pod", namespace, name))
    if own is not None:
        found[own] = _labelled(found[own], change.labels)
        return found
    before = _last_place(keys, Key(NETLAB_VERSION, POD_LABELS, namespace, name))
    if before is None:
        return [*found, _pod_labels(namespace, name, workload, change.labels)]
    found[before] = _pod_labels(namespace, name, workload, {**found[before].data["labels"], **change.labels})
    return found


def _last_place(keys: Sequence[Key], key: Key) -> int | None:
    return len(keys) - 1 - keys[::-1].index(key) if key in keys else None


def impair(
    documents: Iterable[Document], between: Sequence[str], values: Mapping[str, str], same: Callable[[Any], bool]
) -> list[Document]:
    """Return the documents with another link between two machines, or of one, in the Topology.

    Args:
      documents: the lab's documents. One of a Topology is added where there is none.
      between: the names of the machines.
      values: the fields of the new link by name; empty removes the link.
      same: takes a link as it is written, and returns whether the new one replaces it.
    """
    found = list(documents)
    place = next((at for at, document in enumerate(found) if key_of(document).kind == "Topology"), None)
    if place is None:
        data: dict[str, Any] = {"apiVersion": NETLAB_VERSION, "kind": "Topology", "metadata": {}}
        found.append(Document(data, Source("netlab impair")))
        place = len(found) - 1
    topology = found[place]
    spec = dict(topology.data.get("spec") or {})
    links = [link for link in spec.get("links") or () if not same(link)]
    spec["links"] = [*links, {"between": [*between], **values}] if values else links
    if not spec["links"]:
        del spec["links"]
    found[place] = Document({**topology.data, "spec": spec}, topology.source, topology.duplicates)
    return found


def _pod_labels(namespace: str, pod: str, workload: str, labels: Mapping[str, str | None]) -> Document:
    kind, _, owner = workload.partition(" ")
    owners = [{"kind": kind, "name": owner.partition("/")[2], "controller": True}]
    metadata = {"namespace": namespace, "name": pod, "ownerReferences": owners}
    data = {"apiVersion": NETLAB_VERSION, "kind": POD_LABELS, "metadata": metadata, "labels": dict(labels)}
    return Document(data, Source("netlab label"))


def _relabel_namespace(documents: list[Document], change: LabelChange) -> list[Document]:
    for index, document in enumerate(documents):
        if (key := key_of(document)).kind == "Namespace" and key.name == change.name:
            documents[index] = _labelled(document, change.labels)
            return documents
    if not any(key_of(d).namespace == change.name for d in documents):
        raise UsageError(f"namespace {change.name} does not exist")
    data = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": change.name}}
    return [*documents, _labelled(Document(data, Source("netlab label")), change.labels)]


def _labelled(document: Document, changes: Mapping[str, str | None]) -> Document:
    metadata: dict[str, Any] = dict(document.data["metadata"])
    labels = {**(metadata.get("labels") or {}), **changes}
    metadata["labels"] = {key: value for key, value in labels.items() if value is not None}
    return Document({**document.data, "metadata": metadata}, document.source, document.duplicates)


def _owned_by(documents: Sequence[Document], removed: Document) -> set[Key]:
    """Return the keys of the documents that netlab stores about a removed object: a workload or a Node."""
    key = key_of(removed)
    if key.kind == "Node":
        return {Key(NETLAB_VERSION, STOPPED_NODE, "", key.name)}
    return {
        key_of(d)
        for d in documents
        if d.kind in (POD_LABELS, WORKLOAD_PODS)
        and key_of(d).namespace == key.namespace
        and any(
            (owner.get("kind"), owner.get("name")) == (key.kind, key.name)
            for owner in d.data["metadata"].get("ownerReferences") or ()
        )
    }
