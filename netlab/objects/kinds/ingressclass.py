"""IngressClass: which controller serves the Ingresses of a class."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.field_types import Choice, Part, Root, Text
from netlab.objects.fields import Fields, forbidden, invalid, required
from netlab.objects.ingresses import IngressClass
from netlab.objects.kind import Kind
from netlab.objects.meta import CLUSTER_METADATA, DEFAULT_CLASS, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document
from netlab.objects.updates import immutable

_SCOPES = ("Cluster", "Namespace")
_LONGEST = 250


class _Parameters(Shape):
    """An object with settings of the controller."""

    scope = Choice("scope", "Whether the object is in a namespace.", values=_SCOPES, default="Cluster")
    kind = Text("kind", "The object's kind.", check=names.path_segment, required=True)
    name = Text("name", "The object's name.", check=names.path_segment, required=True)
    namespace = Text("namespace", "The object's namespace.")


class _Spec(Shape):
    """The spec of an IngressClass."""

    controller = Text("controller", "The controller that serves the class.", required=True)
    parameters = Part("parameters", "An object with settings, which netlab does not read.", shape=_Parameters)


class _Root(Root):
    """A class of Ingresses."""

    metadata = CLUSTER_METADATA
    spec = Part("spec", "The controller.", shape=_Spec, required=True)


def ingress_class(document: Document) -> tuple[IngressClass, list[Problem]]:
    """Decode an IngressClass."""
    root = open_document(document)
    meta = object_meta(root, metadata=_Root.metadata)
    spec = _Root.spec.read(root)
    controller = _Spec.controller.read(spec)
    if _Spec.controller.missing(spec):
        _Spec.controller.error(spec, required())
    elif len(controller.encode()) > _LONGEST:
        _Spec.controller.error(spec, f"Too long: may not be more than {_LONGEST} bytes")
    for part, message in names.domain_prefixed_path(controller) if controller else ():
        _Spec.controller.error(spec, invalid(part, message))
    if (parameters := _Spec.parameters.find(spec)) is not None:
        _check_parameters(parameters)
    default = meta.annotations.get(DEFAULT_CLASS) == "true"
    return IngressClass(meta, controller, default, document.source), root.report.problems


def _check_parameters(fields: Fields) -> None:
    for field in (_Parameters.kind, _Parameters.name):
        field.read(fields)
        if field.missing(fields):
            field.error(fields, required())
    scope, written = _Parameters.scope.read(fields), _Parameters.namespace.has(fields)
    namespace = _Parameters.namespace.read(fields)
    if not _Parameters.scope.known(fields):
        return
    if scope == "Cluster":
        if written:
            _Parameters.namespace.error(fields, forbidden("`parameters.scope` is set to 'Cluster'"))
        return
    if not written:
        _Parameters.namespace.error(fields, required("`parameters.scope` is set to 'Namespace'"))
    for message in names.dns_label(namespace) if written else ():
        _Parameters.namespace.error(fields, invalid(namespace, message))


KIND = Kind(
    "IngressClass",
    "networking.k8s.io/v1",
    IngressClass,
    ingress_class,
    plural="ingressclasses",
    namespaced=False,
    columns=(),
    shape=_Root,
    update=immutable("spec.controller", lambda one: one.controller),
)
