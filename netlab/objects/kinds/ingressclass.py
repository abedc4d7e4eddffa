"""IngressClass: which controller serves the Ingresses of a class."""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects.field_types import Part, Root, Text
from netlab.objects.fields import required
from netlab.objects.ingresses import IngressClass
from netlab.objects.kind import Column, Kind
from netlab.objects.meta import CLUSTER_METADATA, DEFAULT_CLASS, object_meta, open_document
from netlab.objects.shapes import Shape
from netlab.objects.types import Document


class _Spec(Shape):
    """The spec of an IngressClass."""

    controller = Text("controller", "The controller that serves the class.", required=True)


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
    default = meta.annotations.get(DEFAULT_CLASS) == "true"
    return IngressClass(meta, controller, default, document.source), root.report.problems


KIND = Kind(
    "IngressClass",
    "networking.k8s.io/v1",
    IngressClass,
    ingress_class,
    plural="ingressclasses",
    namespaced=False,
    columns=(Column("CONTROLLER", lambda one: one.controller),),
    shape=_Root,
)
