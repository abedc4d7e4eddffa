"""Decoding the part of ``metadata`` that netlab reads, with the API server's checks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from netlab.objects import kind as kinds
from netlab.objects import names
from netlab.objects.fields import Fields, Report, cut, duplicates, invalid, required
from netlab.objects.label_selectors import check_labels
from netlab.objects.types import Document, Meta

DEFAULT_NAMESPACE = "default"
OBJECT_META = (
    *("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers"),
    # What the API server writes, and `kubectl get -o yaml` exports.
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
IGNORED_KIND = "IgnoredKind"


class Key(NamedTuple):
    """What makes two documents the same object; a version that is retired is that in which the kind is served now."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name
        return cut(f"{self.kind} {name}".rstrip())


def key_of(document: Document) -> Key:
    """Return a document's key, before anything in it was checked; what is missing or mistyped is empty."""
    key: Key | None = document.memo.get("key")
    if key is None:
        key = document.memo["key"] = _key_of(document)
    return key


def _key_of(document: Document) -> Key:
    metadata = document.data.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    name, namespace = (value if isinstance(value := found.get(n), str) else "" for n in ("name", "namespace"))
    known = kinds.get(document.kind)
    where = (namespace or DEFAULT_NAMESPACE) if _namespaced(document.kind, known) else ""
    version = str(document.data.get("apiVersion", ""))
    if known is not None and version in known.retired:
        version = known.api_version
    return Key(version, document.kind, where, name)


def _namespaced(name: str, known: kinds.Kind | None) -> bool:
    if known is not None:
        return known.namespaced
    # Most inputs have no kind that netlab does not read.
    from netlab.objects.unread_kinds import is_cluster_wide

    return not is_cluster_wide(name)


def open_document(document: Document, *, strict: bool = False) -> Fields:
    """Return the cursor at an object's root; duplicate fields are reported at once, a strict kind's as errors."""
    report = Report(document.source, str(key_of(document)), [])
    duplicates(report, document, strict=strict)
    return Fields(report, document.data)


def object_meta(
    root: Fields,
    check_name: Callable[[str], tuple[str, ...]] = names.dns_subdomain,
    *,
    namespaced: bool = True,
    strict: bool = False,
    default_name: str = "",
) -> Meta:
    """Decode ``metadata`` of an object.

    ``check_name`` is the rule for its name; ``default_name`` stands in for a missing name, which else is an error.
    """
    fields = root.sub("metadata")
    if strict:
        fields.only(*OBJECT_META)
    name = fields.string("name", default_name)
    prefix = fields.string("generateName")
    # The API server judges a prefix as a name, with a letter for the hyphen that it mostly ends with.
    unfit = check_name(f"{prefix[:-1]}a" if prefix.endswith("-") and len(prefix) > 1 else prefix) if prefix else ()
    for message in unfit:
        fields.error("generateName", invalid(prefix, message))
    namespace = (fields.string("namespace") or DEFAULT_NAMESPACE) if namespaced else ""
    if name:
        for message in () if unfit else check_name(name):
            fields.error("name", invalid(name, message))
    elif fields.missing("name") and not unfit:
        fields.error("name", required("name or generateName is required"))
    if namespace:
        for message in names.dns_label(namespace):
            fields.error("namespace", invalid(namespace, message))
    return Meta(name, namespace, read_labels(fields), read_annotations(fields), _controller(fields))


def _controller(fields: Fields) -> str:
    """Return ``KIND NAME`` of the one owner that is the object's controller, "" when it has none."""
    for owner in fields.mappings("ownerReferences"):
        if owner.boolean("controller"):
            return f"{owner.string('kind')} {owner.string('name')}"
    return ""


def read_labels(fields: Fields) -> dict[str, str]:
    """Decode ``labels`` of a ``metadata``."""
    found = fields.string_map("labels")
    check_labels(fields, "labels", found)
    return found


def is_read_annotation(key: str) -> bool:
    """Say whether netlab reads an annotation: its own only; those of others hold whole manifests, with passwords."""
    return key.startswith("netlab/")


def read_annotations(fields: Fields) -> dict[str, str]:
    """Decode ``annotations`` of a ``metadata``: all are checked, and those that netlab reads are returned.

    Keys are checked without regard to case, as in Kubernetes.
    """
    found = fields.string_map("annotations")
    path = fields.at("annotations")
    for key in found:
        for message in names.label_key(key.lower()):
            fields.report.error(path, invalid(key, message), at=f"{path}.{key}")
    return {key: value for key, value in found.items() if is_read_annotation(key)}
