"""Namespace: its labels, which selectors match."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.core_v1 import NAMESPACE_LABEL
from netlab.objects.field_types import Root
from netlab.objects.fields import quoted
from netlab.objects.kind import Kind
from netlab.objects.meta import CLUSTER_METADATA, object_meta, open_document
from netlab.objects.types import Document, Meta, Namespace, Source
from netlab.objects.usable import whole


class _Root(Root):
    """A namespace, which selectors match by its labels."""

    metadata = CLUSTER_METADATA


def namespace(document: Document) -> tuple[Namespace, list[Problem]]:
    """Decode a Namespace. As on a cluster, its label ``kubernetes.io/metadata.name`` is always its name."""
    root = open_document(document)
    meta = object_meta(root, names.dns_label, _Root.metadata)
    written = meta.labels.get(NAMESPACE_LABEL, meta.name)
    if written != meta.name:
        path = f"metadata.labels.{NAMESPACE_LABEL}"
        message = f"the API server sets it to the namespace's name: read as {quoted(meta.name)}"
        root.report.warn(path, message, "namespace-label-overwritten")
    found = Namespace(_named(meta, meta.labels), document.source)
    return found, root.report.problems


def undeclared_namespace(name: str, source: Source) -> Namespace:
    """Return a namespace that an object uses and the input does not declare; ``source`` is the object's."""
    where = Source(source.file, {"": source.line("metadata.namespace")})
    return Namespace(_named(Meta(name), {}), where, declared=False)


def _named(meta: Meta, labels: Mapping[str, str]) -> Meta:
    return Meta(meta.name, "", {**labels, NAMESPACE_LABEL: meta.name}, meta.annotations)


KIND = Kind(
    "Namespace",
    "v1",
    Namespace,
    namespace,
    plural="namespaces",
    short=("ns",),
    namespaced=False,
    usable=whole,
    shape=_Root,
)
