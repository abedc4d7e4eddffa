"""Directories with manifests and files of other tools."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.objects import read

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write files, by path, into a directory that becomes the current one."""
    monkeypatch.chdir(tmp_path)

    def written(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    return written


OTHERS = {
    "empty.yaml": "",
    "comment.yaml": "# nothing\n",
    "playbook.yml": "- hosts: all\n",
    "Chart.yaml": "apiVersion: v2\nname: web\n",
    "package.json": '{"name": "x"}',
    "tsconfig.json": '// comment\n{"a": {}, /* b */ "c": "//",}\n',
    "values.yaml": "kind: special\n",
}


def test_files_without_an_object_are_passed_by_and_counted(write: Write) -> None:
    """In one warning. The objects are read."""
    write({**OTHERS, "web.yaml": POD})
    documents, (problem,) = read(["."])

    assert ["web.yaml"] == [d.source.file for d in documents]
    assert (
        "warning",
        ".: skipped 7 files that hold no Kubernetes object: Chart.yaml, comment.yaml, empty.yaml, package.json,"
        " playbook.yml and 2 more",
    ) == (problem.severity, str(problem))


def test_strict_makes_each_of_them_an_error(write: Write) -> None:
    """Each error has the file's name."""
    write({**OTHERS, "web.yaml": POD})
    _, problems = read(["."], strict=True)

    assert sorted(OTHERS) == [p.file for p in problems if p.severity == "error"]


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_a_file_that_is_named_has_an_object(write: Write, text: str) -> None:
    """And the whole input must have an object."""
    write({"one/x.json": text, "two/y.yaml": POD})

    assert [] == [p for p in read(["one", "two"])[1] if p.severity == "error"]
    assert ["error"] == sorted({p.severity for p in read(["one"])[1]} - {"warning"})
    assert ["error"] == sorted({p.severity for p in read(["one/x.json", "two"])[1]})


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        '{"a": 1',
        "kind: NetworkPolicy\n",
        "kind: networkpolicies\nspec: {}\n",
        "apiVersion: networking.k8s.io/v1\nspec: {}\n",
        "apiversion: networking.k8s.io/v1\nkind: NetworkPolicy\n",
        "apiVersion: v1\nKind: Pod\n",
        '// c\n{"apiVersion": "v1", "kind": "Pod"}\n',
        f"{POD}---\na: 1\n",
    ],
)
def test_a_file_that_may_be_an_object_is_an_error(write: Write, text: str) -> None:
    """Broken, or without kind or apiVersion: to skip it could let more traffic through."""
    write({"web.yaml": POD, "x.json" if text.startswith("//") else "x.yaml": text})

    assert ["error"] == sorted({p.severity for p in read(["."])[1]})


def test_a_field_that_is_misspelt_is_named() -> None:
    """Names of fields are case-sensitive."""
    from netlab.objects.documents import parse

    _, (problem,) = parse("apiversion: networking.k8s.io/v1\nkind: NetworkPolicy\n", "x.yaml")

    assert 'Required value: an object has an apiVersion; did you mean "apiVersion" by "apiversion"?' == problem.message


TEMPLATE = "{{- if .Values.x }}\napiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\n{{- end }}\n"
WHOLE = 'apiVersion: v1\nkind: Pod\nmetadata: {name: "{{ .Release.Name }}"}\n'


def test_a_template_is_recognised(write: Write) -> None:
    """By its braces if it is not YAML, and in a chart also if it is."""
    write(
        {
            "web.yaml": POD,
            "t/x.yaml": TEMPLATE,
            "c/Chart.yaml": "",
            "c/templates/a/y.yaml": WHOLE,
            "c/templates/z.yaml": POD,
        }
    )
    documents, problems = read(["."])

    assert ["c/templates/z.yaml", "web.yaml"] == [d.source.file for d in documents]
    assert (
        ".: skipped 2 Helm templates: c/templates/a/y.yaml, t/x.yaml; their objects are not in the result;"
        " give netlab the output of `helm template`"
    ) in [str(p) for p in problems]
    assert 3 == sum(p.severity == "error" for p in read(["."], strict=True)[1])


def test_a_template_that_is_named_is_an_error(write: Write) -> None:
    """The message has the same advice."""
    write({"x.yaml": TEMPLATE})
    _, (problem,) = read(["x.yaml"])

    assert problem.severity == "error"
    assert problem.message.endswith("; it looks like a template: read the output of `helm template`")


KUSTOMIZATION = """\
resources: [web.yaml]
patches: [{path: patch.yaml}, {patch: "- op: x"}]
patchesStrategicMerge: [more.yaml, "a:\\n  b"]
patchesJson6902: [{path: ops/six.yaml}]
"""


def test_patches_of_a_kustomization_are_no_objects(write: Write) -> None:
    """They look like objects, and would replace the objects that they patch."""
    write(
        dict.fromkeys(("web.yaml", "patch.yaml", "more.yaml", "ops/six.yaml"), POD)
        | {"kustomization.yaml": KUSTOMIZATION}
    )
    documents, problems = read(["."])

    assert ["web.yaml"] == [d.source.file for d in documents]
    assert [
        ".: skipped 1 kustomization: kustomization.yaml; its changes are not applied; give netlab the output of"
        " `kustomize build`"
    ] == [str(p) for p in problems]


@pytest.mark.parametrize("name", ["kustomization.yaml", "x.yaml"])
def test_a_kustomization_that_is_named_is_an_error(write: Write, name: str) -> None:
    """It is no object, whatever its file name."""
    write({name: f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{KUSTOMIZATION}"})
    _, (problem,) = read([name])

    assert problem.message == "a kustomization, which holds no object: read the output of `kustomize build`"


@pytest.mark.parametrize("junk", ["/*a", '"\\', "//", ",", '"a": "\\"'])
def test_broken_json_is_judged_in_linear_time(write: Write, junk: str) -> None:
    """An unterminated comment or string is searched once, not from each of its quotes."""
    write({"broken.json": "{" + junk * 200_000, "web.yaml": POD})
    _, problems = read(["."])

    assert ["broken.json"] == [p.file for p in problems if p.severity == "error"]


def test_results_of_netlab_are_no_objects(write: Write) -> None:
    """A baseline or a proof lies beside the manifests; also with --strict. docs/reference.md lists all kinds."""
    page = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
    table = page.partition("`kind` of the JSON document")[2].partition("\n\n")[0]
    kinds = {*re.findall(r"^\|[^|]*\| `(\w+)` \|", table, re.MULTILINE)} - {"List", "Profile"}
    kinds |= {"LintBaseline", "InvariantsProof"}
    write(
        {"web.yaml": POD}
        | {f"{kind}.json": json.dumps({"apiVersion": "netlab/v1alpha1", "kind": kind}) for kind in kinds}
    )

    documents, problems = read(["."], strict=True)

    assert len(kinds) > 15
    assert (["web.yaml"], []) == ([d.source.file for d in documents], problems)
