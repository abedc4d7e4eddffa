"""Scenario: what ``netlab test`` runs. Its decoder reads the files that it names; ``load`` checks their objects."""

from __future__ import annotations

from typing import Any

from netlab.errors import Problem
from netlab.objects.documents import Reader
from netlab.objects.expectations import EXPECTATION, expectation
from netlab.objects.field_types import Part, Parts, Raw, Root, Text, Texts
from netlab.objects.fields import Fields, forbidden, invalid, required, unsupported
from netlab.objects.generate_name import with_generated_names
from netlab.objects.included import Access, included, reader_of, without_tests
from netlab.objects.kind import NETLAB_VERSION, Kind, deletable
from netlab.objects.label_selectors import CHANGES, changed_labels
from netlab.objects.lists import object_at, unpack
from netlab.objects.meanwhile import MEANWHILE, meanwhile
from netlab.objects.meta import DEFAULT_NAMESPACE, STRICT_CLUSTER_METADATA, object_meta, open_document
from netlab.objects.scenarios import LabelChange, Name, ObjectRef, Scenario, Step
from netlab.objects.shapes import Shape
from netlab.objects.types import Document
from netlab.objects.usable import whole


def _files_or_objects() -> dict[str, Any]:
    return {"type": ["array", "null"], "items": {"type": ["string", "object"]}}


def _deletable() -> tuple[str, ...]:
    return tuple(one.name for one in deletable())


class _LabelChange(Shape, strict=True, any_of=[("pod",), ("namespace",)]):
    """Labels to set or remove on one pod or one namespace."""

    pod = Text("pod", "The pod, as `NAMESPACE/NAME`.")
    namespace = Text("namespace", "The namespace.")
    labels = CHANGES


class _ObjectRef(Shape, strict=True):
    """An object to delete."""

    kind = Text("kind", "The object's kind.", values=_deletable, required=True)
    namespace = Text("namespace", "The object's namespace, if the kind has one.", default=DEFAULT_NAMESPACE)
    name = Text("name", "The object's name.", required=True)


_CHANGES = ("apply", "rollout", "label", "delete", "kill", "stop", "start")


class _Step(Shape, strict=True, any_of=[*((name,) for name in _CHANGES), ("expect",)]):
    """A change, and the verdicts after it."""

    name = Text("name", "The step's name in reports; by default `step 1`, `step 2` and so on.")
    apply = Raw("apply", "Files, relative to this one, or objects to apply first.", type=_files_or_objects)
    rollout = Raw(
        "rollout",
        "As `apply`, after it; pods of workloads with another template are replaced step by step.",
        type=_files_or_objects,
    )
    label = Parts("label", "Labels to change after that.", shape=_LabelChange)
    delete = Parts("delete", "Objects to delete after that.", shape=_ObjectRef)
    kill = Texts("kill", "Pods to end after that, as `NAMESPACE/NAME`; their controllers replace them.")
    stop = Texts("stop", "Nodes to stop after that; controllers replace their pods on other nodes.")
    start = Texts("start", "Stopped nodes to start after that.")
    meanwhile = Parts("meanwhile", "Clients that ask while the changes are made, every 10 ms by TCP.", shape=MEANWHILE)
    expect = Parts("expect", "What must hold then.", shape=EXPECTATION)


class _Spec(Shape, strict=True):
    """The spec of a Scenario."""

    description = Text("description", "What the scenario shows.")
    resources = Texts("resources", "Files or folders of objects to begin with, relative to this file.")
    steps = Parts("steps", "The steps, in order.", shape=_Step, required=True)


class _Root(Root, strict=True):
    """What `netlab test` runs: objects, changes to them, and the verdicts that must hold."""

    metadata = STRICT_CLUSTER_METADATA
    spec = Part("spec", "The objects and the steps.", shape=_Spec, required=True)


def scenario(document: Document, access: Access | None = None) -> tuple[Scenario, list[Problem]]:
    """Decode a Scenario, and read the files that it names, relative to its own file.

    Unless ``access`` allows more, a file must be in the scenario's repository, or without one, in its folder.
    """
    with reader_of(document, access) as reader:
        return _scenario(document, reader)


def _scenario(document: Document, reader: Reader) -> tuple[Scenario, list[Problem]]:
    root = open_document(document, strict=True)
    _Root.only(root)
    meta = object_meta(root, metadata=_Root.metadata)
    spec = _Root.spec.read(root)
    _Spec.only(spec)
    resources: list[Document] = []
    for path, name in _Spec.resources.read(spec):
        resources += included(root, document, path, name, reader)
    if _Spec.steps.empty(spec):
        _Spec.steps.error(spec, required("a scenario has at least one step"))
    steps = tuple(_step(item, index, document, reader) for index, item in enumerate(_Spec.steps.read(spec)))
    problems = root.report.problems
    wrong = tuple(dict.fromkeys(p.path for p in problems if p.severity == "error"))
    description = _Spec.description.read(spec)
    return Scenario(meta, description, tuple(with_generated_names(resources)), steps, document.source, wrong), problems


def _step(fields: Fields, index: int, document: Document, reader: Reader) -> Step:
    _Step.only(fields)
    expect = tuple(expectation(item) for item in _Step.expect.read(fields))
    changes = any(not _Step.fields[name].empty(fields) for name in _CHANGES)
    if not changes and _Step.expect.empty(fields):
        names = ", ".join(_CHANGES)
        fields.report.error(fields.path, required(f"a step has at least one of {names} and expect"))
    if not changes and not _Step.meanwhile.empty(fields):
        _Step.meanwhile.error(fields, forbidden(f"may not be specified without one of {', '.join(_CHANGES)}"))
    return Step(
        _Step.name.read(fields, f"step {index + 1}"),
        tuple(with_generated_names(_applied(_Step.apply, fields, document, reader))),
        tuple(_label_change(item) for item in _Step.label.read(fields)),
        tuple(_object_ref(item) for item in _Step.delete.read(fields)),
        expect,
        fields.path,
        tuple(with_generated_names(_applied(_Step.rollout, fields, document, reader))),
        tuple(
            Name(name if "/" in name else f"{DEFAULT_NAMESPACE}/{name}", path) for path, name in _Step.kill.read(fields)
        ),
        tuple(Name(name.removeprefix("node:"), path) for path, name in _Step.stop.read(fields)),
        tuple(Name(name.removeprefix("node:"), path) for path, name in _Step.start.read(fields)),
        tuple(meanwhile(item) for item in _Step.meanwhile.read(fields)),
    )


def _applied(field: Raw, fields: Fields, document: Document, reader: Reader) -> list[Document]:
    """Return the documents of ``apply`` or ``rollout``: those of files, and inline objects."""
    items = field.read(fields)
    if items is None:
        return []
    if not isinstance(items, list):
        field.error(fields, invalid(items, "must be a list of files or objects"))
        return []
    found: list[Document] = []
    for index, item in enumerate(items):
        path = f"{field.at(fields)}[{index}]"
        if isinstance(item, str):
            found += included(fields, document, path, item, reader)
        elif isinstance(item, dict):
            documents, problems = unpack(object_at(document, path))
            fields.report.problems.extend(problems)
            found += without_tests(fields, document, path, documents)
        else:
            fields.report.error(path, invalid(item, "must be a file's name or an object"))
    return found


def _label_change(fields: Fields) -> LabelChange:
    _LabelChange.only(fields)
    pod, namespace = _LabelChange.pod.read(fields), _LabelChange.namespace.read(fields)
    if bool(pod) == bool(namespace):
        fields.report.error(fields.path, required("names either a pod or a namespace"))
    labels = changed_labels(fields)
    if pod:
        return LabelChange("pod", pod if "/" in pod else f"{DEFAULT_NAMESPACE}/{pod}", labels, fields.path)
    return LabelChange("namespace", namespace, labels, fields.path)


def _object_ref(fields: Fields) -> ObjectRef:
    _ObjectRef.only(fields)
    kind, name = _ObjectRef.kind.read(fields), _ObjectRef.name.read(fields)
    if _ObjectRef.name.missing(fields):
        _ObjectRef.name.error(fields, required())
    kinds = {one.name: one for one in deletable()}
    if kind not in kinds:
        _ObjectRef.kind.error(fields, unsupported(kind, tuple(kinds)) if kind else required())
    namespaced = kind in kinds and kinds[kind].namespaced
    namespace = _ObjectRef.namespace.read(fields, DEFAULT_NAMESPACE if namespaced else "")
    return ObjectRef(kind, name, namespace, fields.path)


KIND = Kind(
    "Scenario",
    NETLAB_VERSION,
    Scenario,
    scenario,
    namespaced=False,
    of_lab=False,
    reads_files=True,
    usable=whole,
    shape=_Root,
)
