"""Decoding of the fields of ``metadata`` that netlab reads, with the API server's checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from netlab.frozen import NamedTuple
from netlab.objects import kind as kinds
from netlab.objects import names
from netlab.objects.field_types import Flag, Part, Parts, Text, TextMap, Unread
from netlab.objects.fields import LAST, Fields, Report, cut, duplicates, invalid, required
from netlab.objects.label_selectors import labels_of
from netlab.objects.shapes import Shape
from netlab.objects.types import Document, Meta

Check = Callable[[str], Sequence[str]]
"""Returns the messages about a value, none if it is valid."""
DEFAULT_NAMESPACE = "default"
# As much of a prefix as the name has that netlab makes of it.
_GENERATED = 58
IGNORED_KIND = "IgnoredKind"
SERVICE_LABEL = "kubernetes.io/service-name"
INGRESS_CLASS = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
TOPOLOGY_MODES = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")
BETA_ISOLATION = "net.beta.kubernetes.io/network-policy"
BANDWIDTH = {
    "ingress": "kubernetes.io/ingress-bandwidth",
    "egress": "kubernetes.io/egress-bandwidth",
}
"""The annotations of a pod that say how many bits it may receive and send in a second."""
_READ_ANNOTATIONS = frozenset({INGRESS_CLASS, DEFAULT_CLASS, *TOPOLOGY_MODES, *BANDWIDTH.values(), BETA_ISOLATION})


class WrittenByServer(Shape):
    """What the API server writes, and ``kubectl get -o yaml`` exports."""

    finalizers = Unread("finalizers", "Not read.")
    uid = Unread("uid", "Not read.")
    resource_version = Unread("resourceVersion", "Not read.")
    generation = Unread("generation", "Not read.")
    creation_timestamp = Unread("creationTimestamp", "Not read.")
    managed_fields = Unread("managedFields", "Not read.")
    self_link = Unread("selfLink", "Not read.")
    deletion_timestamp = Unread("deletionTimestamp", "Not read.")
    deletion_grace_period_seconds = Unread("deletionGracePeriodSeconds", "Not read.")


class _Owner(Shape):
    """An object that owns this one."""

    controller = Flag("controller", "Whether the owner is the controller that made this object.")
    kind = Text("kind", "The owner's kind.")
    name = Text("name", "The owner's name.")


class TemplateMeta(Shape):
    """The metadata of a pod template."""

    labels = labels_of("labels", "Labels, by which policies select.")
    annotations = TextMap("annotations", "Annotations; `netlab/network` names the network of a pod.")


class _ObjectMeta(WrittenByServer, TemplateMeta):
    """The metadata of any object."""

    name = Text("name", "The object's name.")
    generate_name = Text("generateName", "The beginning of a name, for an object without one.")
    owners = Parts("ownerReferences", "The objects that own this one.", shape=_Owner)


class NamespacedMeta(_ObjectMeta, any_of=[("name",), ("generateName",)]):
    """The metadata of an object in a namespace."""

    namespace = Text("namespace", "The object's namespace.", default=DEFAULT_NAMESPACE)


class ClusterMeta(_ObjectMeta, any_of=[("name",), ("generateName",)]):
    """The metadata of an object of the whole cluster."""

    namespace = Unread("namespace", "Not read, as the kind has no namespace.")


class StrictNamespacedMeta(NamespacedMeta, strict=True):
    """The metadata of an object in a namespace; other fields are errors."""


class StrictClusterMeta(ClusterMeta, strict=True):
    """The metadata of an object of the whole cluster; other fields are errors."""


_ABOUT = "The object's name, labels and annotations."
METADATA = Part("metadata", _ABOUT, shape=NamespacedMeta, required=True)
CLUSTER_METADATA = Part("metadata", _ABOUT, shape=ClusterMeta, required=True)
STRICT_METADATA = Part("metadata", _ABOUT, shape=StrictNamespacedMeta, required=True)
STRICT_CLUSTER_METADATA = Part("metadata", _ABOUT, shape=StrictClusterMeta, required=True)


class Key(NamedTuple):
    """The identity of an object. Of several versions of its kind, the one that netlab names is its version."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace and self.name else self.name
        return cut(f"{self.kind} {name}".rstrip())


def key_of(document: Document) -> Key:
    """Return a document's key without checking the document; a part that is missing or mistyped is ""."""
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
    if known is not None and (version in known.retired or version in known.served):
        version = known.api_version
    return Key(version, document.kind, where, name)


def _namespaced(name: str, known: kinds.Kind | None) -> bool:
    if known is not None:
        return known.namespaced
    # Imported here, as most inputs have only kinds that netlab reads.
    from netlab.objects.unread_kinds import is_cluster_wide

    return not is_cluster_wide(name)


def is_stored(document: Document) -> bool:
    """Say whether an API server has stored the object: its metadata has what only the server writes."""
    metadata = METADATA.written(Fields(Report(document.source, "", []), document.data))
    if not isinstance(metadata, dict):
        return False
    return any(metadata.get(field.name) for field in (WrittenByServer.uid, WrittenByServer.resource_version))


def open_document(document: Document, *, strict: bool = False) -> Fields:
    """Return the fields of an object; report duplicate fields, as errors if the kind is strict."""
    report = Report(document.source, str(key_of(document)), [], partial(is_stored, document))
    duplicates(report, document, strict=strict)
    return Fields(report, document.data)


def object_meta(
    root: Fields,
    check_name: Check = names.dns_subdomain,
    metadata: Part = METADATA,
    older: tuple[int, Check] | None = None,
) -> Meta:
    """Decode the metadata of an object.

    ``metadata`` is its declaration, ``check_name`` the rule for the name, ``older`` the last version of Kubernetes with
    another rule, and that rule.
    """
    fields = metadata.read(root)
    metadata.shape.only(fields)
    name, prefix = _ObjectMeta.name.read(fields), _ObjectMeta.generate_name.read(fields)
    # The API server checks a prefix as a name, with a letter instead of a hyphen at its end.
    example = f"{prefix[:-1]}a" if prefix.endswith("-") and len(prefix) > 1 else prefix
    unfit = _check_name(fields, _ObjectMeta.generate_name, example, prefix, check_name, older)
    namespaced = issubclass(metadata.shape, NamespacedMeta)
    namespace = (NamespacedMeta.namespace.read(fields) or DEFAULT_NAMESPACE) if namespaced else ""
    if name:
        # The name of an object with a bad prefix and no name is netlab's own.
        if not (unfit and _is_made(name, prefix)):
            _check_name(fields, _ObjectMeta.name, name, name, check_name, older)
    elif _ObjectMeta.name.missing(fields) and not unfit:
        _ObjectMeta.name.error(fields, required("name or generateName is required"))
    if namespace:
        for message in names.dns_label(namespace):
            NamespacedMeta.namespace.error(fields, invalid(namespace, message))
    return Meta(name, namespace, _ObjectMeta.labels.read(fields), read_annotations(fields), _controller(fields))


def _is_made(name: str, prefix: str) -> bool:
    """Say whether a name is a prefix and a number, as ``generate_name`` makes it."""
    made = prefix[:_GENERATED]
    return name.startswith(made) and name[len(made) :].isdecimal()


def _check_name(
    fields: Fields, field: Text, checked: str, written: str, check: Check, older: tuple[int, Check] | None
) -> bool:
    """Report what is wrong with a name; return whether a server refuses it. An empty one is not checked."""
    if not written:
        return False
    since = 0 if older is None else older[0] + 1
    wrong = [(message, since, LAST) for message in check(checked)]
    if older is not None:
        wrong += [(message, 0, older[0]) for message in older[1](checked)]
    for message, first, last in wrong:
        if (first, last) == (0, LAST):
            field.error(fields, invalid(written, message))
        else:
            fields.report.refuse(field.at(fields), invalid(written, message), since=first, until=last)
    return bool(wrong)


def _controller(fields: Fields) -> str:
    """Return ``KIND NAME`` of the owner that is the object's controller, "" if it has none."""
    for owner in _ObjectMeta.owners.read(fields):
        if _Owner.controller.read(owner):
            return f"{_Owner.kind.read(owner)} {_Owner.name.read(owner)}"
    return ""


def is_read_annotation(key: str) -> bool:
    """Say whether netlab reads an annotation: its own, and those that Services, Ingresses and isolation depend on.

    Annotations of other tools may hold secrets.
    """
    return key.startswith("netlab/") or key in _READ_ANNOTATIONS


def _lower(key: str) -> str:
    # Go changes each character alone. Python makes two characters of this one.
    return key.replace("\u0130", "i").lower()


def read_annotations(fields: Fields, shown: str = "") -> dict[str, str]:
    """Check all annotations of ``metadata``, and return those that netlab reads.

    ``shown`` is the path in messages. As in Kubernetes, the check of a key ignores case.
    """
    found = TemplateMeta.annotations.read(fields)
    path = TemplateMeta.annotations.at(fields)
    for key in found:
        for message in names.label_key(_lower(key)):
            fields.report.error(shown or path, invalid(key, message), at=f"{path}.{key}")
    return {key: value for key, value in found.items() if is_read_annotation(key)}
