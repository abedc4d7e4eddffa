"""Scenario: what ``netlab test`` runs. The files that it names are read here; what they hold is checked by ``load``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from netlab.errors import Problem
from netlab.objects.bounds import Budget
from netlab.objects.documents import Reader
from netlab.objects.fields import Fields, forbidden, invalid, quoted, required, unsupported
from netlab.objects.files import home_of, is_inside, outside
from netlab.objects.generated import named
from netlab.objects.kind import NETLAB_VERSION, Kind, deletable
from netlab.objects.label_selectors import changed_labels
from netlab.objects.lists import unpack, within
from netlab.objects.meta import DEFAULT_NAMESPACE, object_meta, open_document
from netlab.objects.sound import as_it_is
from netlab.objects.types import Document, Expectation, LabelChange, ObjectRef, Scenario, Step

_PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")
_VERDICTS: tuple[Literal["allow", "deny"], ...] = ("allow", "deny")


@dataclass(frozen=True, slots=True)
class Access:
    """What scenarios may read: within one budget, and ``anywhere`` or only what is in the home of their own file."""

    anywhere: bool = False
    budget: Budget = field(default_factory=Budget)


def scenario(document: Document, access: Access | None = None) -> tuple[Scenario, list[Problem]]:
    """Decode a Scenario and read the files that it names, relative to its own.

    A file must be in the repository that the scenario is in, or else below the scenario's own folder.
    """
    given = access or Access()
    reader = Reader(home="" if given.anywhere else home_of(document.source.file), budget=given.budget)
    root = open_document(document, strict=True)
    root.only("apiVersion", "kind", "metadata", "spec")
    meta = object_meta(root, namespaced=False, strict=True)
    spec = root.sub("spec")
    spec.only("description", "resources", "steps")
    resources: list[Document] = []
    for path, name in spec.strings("resources"):
        resources += _read(root, document, path, name, reader)
    if not spec.data.get("steps"):
        spec.error("steps", required("a scenario has at least one step"))
    steps = tuple(_step(item, index, document, reader) for index, item in enumerate(spec.mappings("steps")))
    problems = root.report.problems
    wrong = tuple(dict.fromkeys(p.path for p in problems if p.severity == "error"))
    return Scenario(meta, spec.string("description"), tuple(named(resources)), steps, document.source, wrong), problems


def _read(root: Fields, document: Document, path: str, name: str, reader: Reader) -> list[Document]:
    """Return the documents of a file (or directory) that a scenario names; a scenario among them is an error."""
    report = root.report
    file = os.path.normpath(os.path.join(os.path.dirname(document.source.file), name))
    if not name:
        report.error(path, required("must name a file"))
        return []
    if "\0" in file:
        report.error(path, invalid(name, "no name of a file"))
        return []
    # What is said of a file outside must not depend on what is there.
    if reader.home and not is_inside(file, reader.home):
        report.error(path, f"{quoted(name)} {outside(reader.home)}")
        return []
    if not os.path.exists(file):
        report.error(path, f"no such file: {quoted(file)}")
        return []
    documents, problems = reader.read([file])
    report.problems.extend(problems)
    return list(_without_scenarios(root, document, path, documents))


def _without_scenarios(root: Fields, document: Document, path: str, found: Iterable[Document]) -> Iterable[Document]:
    told: set[str] = set()
    for one in found:
        if one.kind != "Scenario":
            yield one
            continue
        file = one.source.file
        if file not in told:
            itself = os.path.realpath(file) == os.path.realpath(document.source.file)
            what = "the scenario includes itself" if itself else f"{quoted(file)} holds a Scenario"
            root.report.error(path, f"{what}; only objects can be included")
        told.add(file)


def _step(fields: Fields, index: int, document: Document, reader: Reader) -> Step:
    fields.only("name", "apply", "label", "delete", "expect")
    expect = tuple(_expectation(item) for item in fields.mappings("expect"))
    if not any(fields.data.get(name) for name in ("apply", "label", "delete", "expect")):
        fields.report.error(fields.path, required("a step has at least one of apply, label, delete and expect"))
    return Step(
        fields.string("name", f"step {index + 1}"),
        tuple(named(_applied(fields, document, reader))),
        tuple(_label_change(item) for item in fields.mappings("label")),
        tuple(_object_ref(item) for item in fields.mappings("delete")),
        expect,
        fields.path,
    )


def _applied(fields: Fields, document: Document, reader: Reader) -> list[Document]:
    """Return the documents of ``apply``: of files, or objects written inline."""
    items: Any = fields.data.get("apply")
    if items is None:
        return []
    if not isinstance(items, list):
        fields.error("apply", invalid(items, "must be a list of files or objects"))
        return []
    found: list[Document] = []
    for index, item in enumerate(items):
        path = f"{fields.at('apply')}[{index}]"
        if isinstance(item, str):
            found += _read(fields, document, path, item, reader)
        elif isinstance(item, dict):
            documents, problems = unpack(within(document, path))
            fields.report.problems.extend(problems)
            found += _without_scenarios(fields, document, path, documents)
        else:
            fields.report.error(path, invalid(item, "must be a file's name or an object"))
    return found


def _expectation(fields: Fields) -> Expectation:
    fields.only("from", "to", "port", "protocol", "verdict", "family", "oracle")
    line = fields.report.source.line(fields.path)
    if fields.boolean("oracle"):
        for name in ("from", "to", "port", "protocol", "verdict", "family"):
            if fields.has(name):
                fields.error(name, forbidden("may not be specified when `oracle` is true: it asks every pair"))
        return Expectation(oracle=True, path=fields.path, line=line)
    for name in ("from", "to", "verdict"):
        if fields.missing(name):
            fields.error(name, required())
    protocol = fields.choice("protocol", _PROTOCOLS, "TCP")
    if protocol == "ICMP" and fields.has("port"):
        fields.error("port", forbidden("may not be specified when `protocol` is ICMP"))
    family = fields.integer("family")
    if family not in (None, 4, 6):
        fields.error("family", unsupported(family, ("4", "6")))
    return Expectation(
        fields.string("from"),
        fields.string("to"),
        fields.ranged("port", 1, 65535),
        protocol,
        "allow" if fields.missing("verdict") else fields.choice("verdict", _VERDICTS, "allow"),
        family,
        path=fields.path,
        line=line,
    )


def _label_change(fields: Fields) -> LabelChange:
    fields.only("pod", "namespace", "labels")
    pod, namespace = fields.string("pod"), fields.string("namespace")
    if bool(pod) == bool(namespace):
        fields.report.error(fields.path, required("names either a pod or a namespace"))
    labels = changed_labels(fields)
    if pod:
        return LabelChange("pod", pod if "/" in pod else f"{DEFAULT_NAMESPACE}/{pod}", labels, fields.path)
    return LabelChange("namespace", namespace, labels, fields.path)


def _object_ref(fields: Fields) -> ObjectRef:
    fields.only("kind", "namespace", "name")
    kind, name = fields.string("kind"), fields.string("name")
    if fields.missing("name"):
        fields.error("name", required())
    kinds = {one.name: one for one in deletable()}
    if kind not in kinds:
        fields.error("kind", unsupported(kind, tuple(kinds)) if kind else required())
    namespaced = kind in kinds and kinds[kind].namespaced
    namespace = fields.string("namespace", DEFAULT_NAMESPACE if namespaced else "")
    return ObjectRef(kind, name, namespace, fields.path)


KIND = Kind(
    "Scenario",
    NETLAB_VERSION,
    Scenario,
    scenario,
    namespaced=False,
    of_lab=False,
    reads_files=True,
    sound=as_it_is,
)
