"""A kind is one value in one registry: a new one is one file and one line, and no other module has a list of kinds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import netlab
from netlab.cli import kind_names as names
from netlab.cli import listing
from netlab.cluster import resolve
from netlab.errors import Problem, UsageError
from netlab.objects import Document, decode, delete, input_of, kinds
from netlab.objects.all_objects import Objects
from netlab.objects.documents import parse
from netlab.objects.field_types import Part, Root, Text
from netlab.objects.ignored import ignored_documents
from netlab.objects.kind import Column, Kind, Template, every, get, register, unregister
from netlab.objects.meta import METADATA, key_of, object_meta, open_document
from netlab.objects.reduced import reduced
from netlab.objects.scenarios import ObjectRef
from netlab.objects.services import Service
from netlab.objects.shapes import Shape
from netlab.objects.similar_names import close_to
from netlab.objects.topology import Topology
from netlab.objects.types import Meta, Pod, PodSpec, Source
from netlab.objects.workloads import as_stated, workload_kind

SOURCES = Path(netlab.__file__).parent
FILES = Path(kinds.__file__).parent
# What a program of a user imports by name, which are classes.
EXPORTS = {"__all__", "_WHERE"}
OTHERS = {
    # Classes of the Python API, by their names.
    SOURCES / "cli" / "api_reference.py",
    # The machines of a cluster, which are no API kinds.
    SOURCES / "report" / "groups.py",
    # Which fields of the conformance cases hold addresses.
    SOURCES / "conformance" / "dual_stack.py",
    # The objects of random cases.
    SOURCES / "conformance" / "service_cases.py",
    # The kinds of other APIs, some of which have the name of one of Kubernetes.
    SOURCES / "objects" / "unread_kinds.py",
    # The kinds whose changes change the endpoints of a Service.
    SOURCES / "policy" / "causes.py",
    # The objects of the probes of CNIs.
    SOURCES / "conformance" / "cni_probes.py",
}

TOYS = """\
{apiVersion: toys/v1, kind: Toy, metadata: {name: b, namespace: shop}, spec: {colour: blue, secret: hunter2}}
---
{apiVersion: toys/v1beta1, kind: Toy, metadata: {name: a, namespace: shop}, spec: {colour: red}}
"""
FLEET = "{apiVersion: toys/v1, kind: Fleet, metadata: {name: cars}, spec: {replicas: 2, template: {}}}\n"


class ToySpec(Shape):
    """The spec of a Toy."""

    colour = Text("colour", "The toy's colour.")


class ToyRoot(Root):
    """A toy."""

    metadata = METADATA
    spec = Part("spec", "What the toy looks like.", shape=ToySpec)


@dataclass(frozen=True)
class Toy:
    """An object of a kind that the test adds."""

    meta: Meta
    colour: str
    source: Source


def toy(document: Document) -> tuple[Toy, list[Problem]]:
    """Decode a Toy."""
    root = open_document(document)
    meta, spec = object_meta(root), ToyRoot.spec.read(root)
    return Toy(meta, ToySpec.colour.read(spec), document.source), root.report.problems


@pytest.fixture
def toys() -> Iterator[None]:
    """Register two kinds for one test: a plain one, and one that makes pods."""
    colour = Column("COLOUR", lambda toy: toy.colour)
    at = Column("WRITTEN", lambda toy: f"{toy.source.file}:{toy.source.line()}", wide=True)
    register(Kind("Toy", "toys/v1", Toy, toy, ("toys/v1beta1",), plural="toys", short=("ty",), columns=(colour, at)))
    register(workload_kind("Fleet", "toys/v1", Template(9, as_stated), short=("fl",)))
    yield
    unregister("Fleet")
    unregister("Toy")


def documents_of(text: str) -> list[Document]:
    """Return the documents of a text without errors."""
    found, problems = parse(text, "toys.yaml")
    assert [] == problems
    return found


def parts(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements of a module; those of a class one by one."""
    for node in tree.body:
        targets = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
        if not EXPORTS.intersection(targets):
            yield from node.body if isinstance(node, ast.ClassDef) else [node]


def spelt(part: ast.AST) -> set[str]:
    """Return the kinds that are in quotes in a part of a module."""
    known = {kind.name for kind in every()}
    return {node.value for node in ast.walk(part) if isinstance(node, ast.Constant) and node.value in known}


def test_no_other_module_has_a_list_of_kinds() -> None:
    """A function or table that names two kinds is a list of kinds, to which a new kind would have to be added."""
    quoted = re.compile("[\"'](" + "|".join(kind.name for kind in every()) + ")[\"']")
    lists = [
        f"{path.relative_to(SOURCES)}:{part.lineno}: {', '.join(sorted(spelt(part)))}"  # type: ignore[attr-defined]
        for path in sorted(SOURCES.rglob("*.py"))
        if FILES not in path.parents and path not in OTHERS
        # To parse all files takes seconds.
        if len({*quoted.findall(text := path.read_text())}) > 1
        for part in parts(ast.parse(text))
        if len(spelt(part)) > 1
    ]

    assert not lists, lists


def test_a_kind_is_a_file_of_its_name() -> None:
    """Every file has its line, and each kind is found by its name alone."""
    files = {path.stem for path in FILES.glob("*.py")} - {"__init__"}

    assert files == {kind.name.lower() for kind in every()}
    assert all(get(kind.name) is kind for kind in every())


def test_a_command_line_knows_each_name_as_one_kind() -> None:
    """Each of kubectl's names is of one kind."""
    found = [name for kind in every() for name in kind.names]

    assert len(found) == len(set(found))
    assert ["cronjobs", "cronjob", "cj"] == [*names.names_of("CronJob")]


@pytest.mark.usefixtures("toys")
def test_a_new_kind_is_read() -> None:
    """``Objects.of`` returns its objects in the order of the input, and the namespace that they use exists."""
    objects, problems = decode(documents_of(TOYS))

    assert ["blue", "red"] == [one.colour for one in objects.of(Toy)]
    assert ["shop"] == [one.meta.name for one in objects.namespaces]
    assert "shop" in resolve(objects).namespaces
    assert ["Kubernetes serves no Toy of toys/v1beta1 any more: read as toys/v1"] == [p.message for p in problems]
    assert "toys/v1" == key_of(documents_of(TOYS)[1]).api_version


@pytest.mark.usefixtures("toys")
def test_a_new_kind_is_listed() -> None:
    """By its names, with its columns."""
    cluster = resolve(decode(documents_of(TOYS))[0])
    found = listing.of_kind(names.kind_of("ty", *names.listed()), cluster, documents_of(TOYS), str)

    assert ("NAMESPACE", "NAME", "COLOUR") == found.header
    assert [("shop", "a", "red"), ("shop", "b", "blue")] == [item.cells for item in found.items]
    assert [("toys.yaml:3",), ("toys.yaml:1",)] == [item.wide for item in found.items]
    with pytest.raises(UsageError):
        names.kind_of("fleets", *names.listed())


@pytest.mark.usefixtures("toys")
def test_a_lab_keeps_of_a_new_kind_what_is_read() -> None:
    """There is no second list of these fields."""
    assert [{"colour": "blue"}, {"colour": "red"}] == [
        document.data["spec"] for document in reduced(documents_of(TOYS))
    ]


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("kind", ["toy", "Toys", "TOY"])
def test_a_new_kind_has_its_near_misses(kind: str) -> None:
    """A kind in another case or number is an error, and a similar name a warning."""
    _, (problem,) = decode(documents_of(f"{{apiVersion: toys/v1, kind: {kind}, metadata: {{name: a}}}}"))

    assert problem.message.endswith('write "Toy"')
    assert "Fleet" == close_to("Fleeet")


@pytest.mark.usefixtures("toys")
def test_a_list_of_a_new_kind_is_unpacked() -> None:
    """The items of a typed list get kind and version from the list."""
    (document,) = documents_of("{apiVersion: toys/v1, kind: ToyList, items: [{metadata: {name: a}}]}")

    assert "Toy" == document.kind


@pytest.mark.usefixtures("toys")
def test_a_new_kind_is_deleted_by_its_name() -> None:
    """On the command line, and by a step of a scenario."""
    ref = ObjectRef(names.kind_of("toys"), "b", "shop")
    steps = "[{delete: [{kind: Toy, name: a, namespace: shop}]}]"
    text = f"{{apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {{name: s}}, spec: {{steps: {steps}}}}}"
    (scenario,) = decode(documents_of(text))[0].scenarios

    assert ["a"] == [key_of(document).name for document in delete(documents_of(TOYS), [ref])]
    assert () == scenario.wrong


@pytest.mark.usefixtures("toys")
def test_a_new_kind_cannot_be_ignored() -> None:
    """netlab reads it, so it always counts."""
    with pytest.raises(UsageError, match="netlab reads this kind"):
        ignored_documents(["Toy"])


@pytest.mark.usefixtures("toys")
def test_a_new_kind_with_errors_is_left_out() -> None:
    """Unless it has a function ``usable``."""
    found = input_of(documents_of(TOYS.replace("colour: blue", "colour: [1]")))

    assert ["red"] == [one.colour for one in found.objects.of(Toy)]
    assert found.wrong


@pytest.mark.usefixtures("toys")
def test_a_new_kind_makes_pods() -> None:
    """As many as its replicas. Workloads of Kubernetes with that name have precedence."""
    deployment = FLEET.replace("toys/v1", "apps/v1").replace("Fleet", "Deployment")
    cluster = resolve(decode(documents_of(f"{FLEET}---\n{deployment}"))[0])

    assert ["cars-0", "cars-1", "cars-fleet-0", "cars-fleet-1"] == [pod.name for pod in cluster.pods]
    assert "default/cars-0" == cluster.by_workload["default/cars"].ref


def test_a_kind_that_is_removed_is_not_read() -> None:
    """It leaves nothing behind. One name stands for one kind."""
    register(Kind("Toy", "toys/v1", Toy, toy))
    with pytest.raises(ValueError, match="Toy is registered already"):
        register(Kind("Toy", "toys/v2", Toy, toy))
    unregister("Toy")

    assert {"Toy": 2} == decode(documents_of(TOYS))[0].skipped


def test_objects_are_found_by_their_class() -> None:
    """The properties are short for ``of``, and a program may pass objects by the properties' names."""
    pod, topology = Pod(Meta("a", "x"), PodSpec()), Topology("t")
    found = Objects(pods=[pod], topology=topology)

    assert (pod,) == found.of(Pod) == found.pods
    assert ((), topology) == (found.of(Service), found.topology)
    assert Objects({Pod: (pod,)}) == replace(found, topology=None)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Objects(podz=[pod])
