"""Changes to a set of documents: what ``apply``, ``delete`` and ``label`` make of a running lab's input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netlab.errors import UsageError
from netlab.objects.meta import DEFAULT_NAMESPACE, Key, key_of
from netlab.objects.networkpolicy import API_VERSION
from netlab.objects.topology import topology
from netlab.objects.types import Document, LabelChange, ObjectRef, Source, Workload
from netlab.objects.workloads import SHAPES, workload

NETLAB_VERSION = "netlab/v1alpha1"
POD_LABELS = "PodLabels"


def apply(documents: Iterable[Document], changes: Iterable[Document]) -> list[Document]:
    """Return the documents with each change in the place of the object that it replaces, or at the end."""
    merged = {key_of(d): d for d in documents}
    merged.update((key_of(d), d) for d in changes)
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
        raise UsageError("\n".join(missing))
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
    pod = _workload_pod(found, namespace, name)
    if pod is None:
        raise UsageError(f"pod {namespace}/{name} does not exist")
    before = index.get(Key(NETLAB_VERSION, POD_LABELS, namespace, pod))
    if before is None:
        return [*found, _pod_labels(namespace, pod, change.labels)]
    found[before] = _pod_labels(namespace, pod, {**found[before].data["labels"], **change.labels})
    return found


def _pod_labels(namespace: str, pod: str, labels: Mapping[str, str | None]) -> Document:
    metadata = {"namespace": namespace, "name": pod}
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
    if shape is None or document.data.get("apiVersion") != shape.api_version:
        return None
    return workload(document)[0]


def _workload_pod(documents: Sequence[Document], namespace: str, name: str) -> str | None:
    """Return the name of the workload's pod that is meant: by its own name, or as the first of its workload."""
    for document in documents:
        key = key_of(document)
        if key.namespace != namespace or not key.name or not name.startswith(key.name):
            continue
        found = _workload(document)
        if found is None:
            continue
        if name == found.meta.name and (first := _first_pod(documents, found)):
            return first
        if _owns(documents, found, name):
            return name
    return None


def _first_pod(documents: Sequence[Document], found: Workload) -> str | None:
    if found.replicas is not None:
        return f"{found.meta.name}-0" if found.replicas else None
    nodes = _nodes(documents, found)
    return f"{found.meta.name}-{nodes[0]}" if nodes else None


def _owns(documents: Sequence[Document], found: Workload, pod: str) -> bool:
    stem, suffix = f"{found.meta.name}-", pod.removeprefix(f"{found.meta.name}-")
    if not pod.startswith(stem):
        return False
    if found.replicas is None:
        return suffix in _nodes(documents, found)
    return suffix.isdecimal() and str(int(suffix)) == suffix and int(suffix) < found.replicas


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
    if found is None:
        return set()
    keys = [key_of(d) for d in documents if d.kind == POD_LABELS]
    return {k for k in keys if k.namespace == found.meta.namespace and _owns(documents, found, k.name)}
