"""Changes to a set of documents: what ``apply``, ``delete`` and ``label`` make of a running lab's input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.errors import UsageError
from netlab.objects.generated import named
from netlab.objects.meta import DEFAULT_NAMESPACE, Key, key_of
from netlab.objects.networkpolicy import API_VERSION
from netlab.objects.podnames import RANKS, Owners, made_pods
from netlab.objects.pods import pod
from netlab.objects.topology import topology
from netlab.objects.types import Document, LabelChange, ObjectRef, Objects, Source, Workload
from netlab.objects.workloads import SHAPES, workload

NETLAB_VERSION = "netlab/v1alpha1"
POD_LABELS = "PodLabels"


def apply(documents: Iterable[Document], changes: Iterable[Document]) -> list[Document]:
    """Return the documents with each change in the place of the object that it replaces, or at the end.

    What states only a generateName is the object of the name that it makes: the same change twice is no second object.
    """
    merged = {key_of(d): d for d in named(documents)}
    merged.update((key_of(d), d) for d in named(changes))
    return list(merged.values())


def delete(documents: Iterable[Document], refs: Iterable[ObjectRef]) -> list[Document]:
    """Return the documents without those that are named; a Namespace goes with everything in it.

    Labels that were changed on a workload's pods go with the workload.

    Raises:
      UsageError: naming every object that is not there.
    """
    left = list(documents)
    missing = []
    for ref in refs:
        gone = [d for d in left if _names(ref, key_of(d))]
        if not gone:
            missing.append(f"{ref.kind} {_place(ref)} does not exist")
            continue
        orphans = {key for d in gone for key in _relabelled(left, d)}
        dropped = {id(d) for d in gone}
        left = [d for d in left if id(d) not in dropped and key_of(d) not in orphans]
    if missing:
        raise UsageError(*missing)
    return left


def _place(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def _names(ref: ObjectRef, key: Key) -> bool:
    if ref.kind == "Namespace":
        return key.namespace == ref.name or (key.kind == "Namespace" and key.name == ref.name)
    if key.kind != ref.kind or key.name != ref.name:
        return False
    # Policies of other APIs are kept beside those of Kubernetes' own, and may have the same kind and name.
    version = ref.api_version or (API_VERSION if key.kind == "NetworkPolicy" else "")
    if version not in ("", key.api_version):
        return False
    return not key.namespace or key.namespace == (ref.namespace or DEFAULT_NAMESPACE)


def relabel(documents: Iterable[Document], change: LabelChange) -> list[Document]:
    """Return the documents with labels set or removed on one pod or namespace.

    A workload's pod has no document of its own: its labels are kept in one of kind PodLabels, which ``decode`` reads.
    A namespace that is used but not declared gets a Namespace.

    Raises:
      UsageError: if the pod or the namespace does not exist.
    """
    found = list(documents)
    if change.kind == "namespace":
        return _relabel_namespace(found, change)
    namespace, _, name = change.name.rpartition("/")
    namespace = namespace or DEFAULT_NAMESPACE
    index = {key_of(document): place for place, document in enumerate(found)}
    own = index.get(Key("v1", "Pod", namespace, name))
    if own is not None:
        found[own] = _labelled(found[own], change.labels)
        return found
    meant = _workload_pod(found, namespace, name)
    if meant is None:
        raise UsageError(f"pod {namespace}/{name} does not exist")
    before = index.get(Key(NETLAB_VERSION, POD_LABELS, namespace, meant))
    if before is None:
        return [*found, _pod_labels(namespace, meant, change.labels)]
    found[before] = _pod_labels(namespace, meant, {**found[before].data["labels"], **change.labels})
    return found


def _pod_labels(namespace: str, name: str, labels: Mapping[str, str | None]) -> Document:
    metadata = {"namespace": namespace, "name": name}
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


# --- the pods of workloads ------------------------------------------------------------------------------------------


def _workload(document: Document) -> Workload | None:
    shape = SHAPES.get(document.kind)
    if shape is None or key_of(document).api_version != shape.api_version:
        return None
    found: Workload = document.memo["object"][1] if "object" in document.memo else workload(document)[0]
    return found


def _workload_pod(documents: Sequence[Document], namespace: str, name: str) -> str | None:
    """Return the name of the workload's pod that is meant: by its own name, or as the first of its workload."""
    pods = _made(documents, namespace)
    if any(name in names for _, names in pods):
        return name
    called = [(one, names) for one, names in pods if one.meta.name == name and names]
    if not called:
        return None
    return min(called, key=lambda pair: RANKS[pair[0].kind])[1][0]


def _made(documents: Sequence[Document], namespace: str) -> list[tuple[Workload, list[str]]]:
    """Return the workloads of a namespace that make pods, with the names of these in order."""
    here = [document for document in documents if key_of(document).namespace == namespace]
    objects = Objects(
        pods=tuple(pod(d)[0] for d in here if d.kind == "Pod" and key_of(d).api_version == "v1"),
        workloads=tuple(found for d in here if (found := _workload(d)) is not None),
    )
    made = made_pods(objects, Owners(objects), lambda daemons: _nodes(documents, daemons))
    return [(one, [f"{stem}-{end}" for end in ends]) for one, stem, ends in made]


def _nodes(documents: Sequence[Document], daemons: Workload) -> list[str]:
    """Return the names of the nodes that a DaemonSet's pods run on, sorted."""
    nodes: dict[str, dict[str, str]] = {}
    for document in documents:
        if document.kind == "Topology":
            for node in topology(document)[0].nodes:
                nodes.setdefault(node.name, {}).update(node.labels)
        elif document.kind == "Node" and isinstance(metadata := document.data.get("metadata"), dict):
            nodes.setdefault(key_of(document).name, {}).update(metadata.get("labels") or {})
    wanted = daemons.template
    return sorted(
        name
        for name, labels in (nodes or {"node-1": {}}).items()
        if wanted.node_name in ("", name)
        and all({"kubernetes.io/hostname": name, **labels}.get(k) == v for k, v in wanted.node_selector.items())
    )


def _relabelled(documents: Sequence[Document], gone: Document) -> set[Key]:
    """Return the keys of the PodLabels of a workload's pods."""
    found = _workload(gone)
    changed = [k for d in documents if d.kind == POD_LABELS and (k := key_of(d)).namespace == key_of(gone).namespace]
    if found is None or not changed:
        return set()
    made = _made(documents, found.meta.namespace)
    own = {name for one, names in made if (one.kind, one.meta) == (found.kind, found.meta) for name in names}
    return {key for key in changed if key.name in own}
