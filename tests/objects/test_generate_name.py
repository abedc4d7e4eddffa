"""Names for objects with a generateName."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.errors import Problem
from netlab.objects import Document, Objects, apply, decode, load
from netlab.objects.documents import parse
from netlab.objects.generate_name import with_generated_names

Read = Callable[[str], tuple[Objects, list[Problem]]]

JOB = "{apiVersion: batch/v1, kind: Job, metadata: {generateName: import-, namespace: %s}}"


def documents(*texts: str) -> list[Document]:
    return parse("\n---\n".join(texts), "x.yaml")[0]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("v1", "Pod"),
        ("batch/v1", "Job"),
        ("apps/v1", "Deployment"),
        ("v1", "ReplicationController"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("v1", "Service"),
    ],
)
def test_every_kind_may_be_named_so(read_text: Read, version: str, kind: str) -> None:
    """As with kubectl create."""
    spec = "spec: {podSelector: {}, ports: [{port: 80}]}" if kind == "Service" else "spec: {podSelector: {}}"
    one = f"{{apiVersion: {version}, kind: {kind}, metadata: {{generateName: import-}}, {spec}}}"
    objects, problems = read_text(f"{one}\n---\n{one}")

    assert [] == problems
    every = (*objects.pods, *objects.workloads, *objects.policies, *objects.services)
    assert ["import-0", "import-1"] == [found.meta.name for found in every]  # type: ignore[attr-defined]


def test_the_names_do_not_depend_on_other_objects() -> None:
    """Other prefixes, namespaces and kinds have their own numbers. A name that is taken is skipped."""
    others = documents(
        JOB % "y",
        "{apiVersion: v1, kind: Pod, metadata: {generateName: import-, namespace: x}}",
        "{apiVersion: batch/v1, kind: Job, metadata: {generateName: export-, namespace: x}}",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: import-1, namespace: x}}",
    )
    mine = documents(JOB % "x", JOB % "x")

    assert ["import-0", "import-1"] == [d.data["metadata"]["name"] for d in with_generated_names(mine)]
    assert ["import-0", "import-2"] == [d.data["metadata"]["name"] for d in with_generated_names([*others, *mine])[4:]]


def test_prefixes_that_make_the_same_name() -> None:
    """Each object has a name of its own."""
    pod = "{apiVersion: v1, kind: Pod, metadata: {generateName: %s}}"
    texts = [pod % prefix for prefix in ("a-1", *["a-"] * 12)]
    names = [d.data["metadata"]["name"] for d in with_generated_names(documents(*texts))]

    assert len(texts) == len({*names})


@pytest.mark.parametrize("prefix", ["null", "''", "1", "[]"])
def test_no_prefix_is_no_name(read_text: Read, prefix: str) -> None:
    """An object must have a name or a generateName."""
    _, problems = read_text(f"{{apiVersion: v1, kind: Pod, metadata: {{generateName: {prefix}}}}}")

    assert "metadata.name: Required value: name or generateName is required" in [
        f"{p.path}: {p.message}" for p in problems
    ]


def test_a_prefix_is_cut_as_the_api_server_cuts_it() -> None:
    """So that random letters fit."""
    (found,) = with_generated_names(documents("{apiVersion: v1, kind: Pod, metadata: {generateName: %s}}" % ("a" * 80)))

    assert f"{'a' * 58}0" == found.data["metadata"]["name"]


def test_a_name_that_is_written_stays() -> None:
    """An exported pod has a name and a generateName."""
    given = documents("{apiVersion: v1, kind: Pod, metadata: {generateName: web-, name: web-x7k2p}}")

    assert given == with_generated_names(given)


def test_the_same_objects_make_the_same_names_again() -> None:
    """The documents are the same values too, so each is decoded once."""
    given = documents(JOB % "x", JOB % "x")

    assert all(
        one is other for one, other in zip(with_generated_names(given), with_generated_names(given), strict=True)
    )


def test_applying_an_object_twice_makes_one() -> None:
    """It gets the same name again."""
    once = apply([], documents(JOB % "x"))
    twice = apply(once, documents(JOB % "x"))

    assert ["import-0"] == [d.data["metadata"]["name"] for d in twice]
    assert ["import-0"] == [w.meta.name for w in decode(twice)[0].workloads]


def test_scenarios_name_what_their_files_and_steps_bring(tmp_path: Path) -> None:
    """The numbers count over all files of a scenario."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(JOB % "x")
    (tmp_path / "s.yaml").write_text(
        "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  resources: [a.yaml, b.yaml]\n"
        "  steps:\n  - apply: [a.yaml]\n    delete: [{kind: Job, namespace: x, name: import-1}]\n"
    )
    (scenario,) = load([str(tmp_path / "s.yaml")])[0].scenarios

    assert ["import-0", "import-1"] == [d.data["metadata"]["name"] for d in scenario.resources]
    assert ["import-0"] == [d.data["metadata"]["name"] for d in scenario.steps[0].apply]
