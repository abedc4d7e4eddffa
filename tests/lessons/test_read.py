"""A lesson's folder is read whole, and a stranger's lesson gets nothing that is not in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.errors import InputError
from netlab.lessons.read import own_folders, read_lesson

OWN = Path(next(folder for folder in own_folders() if folder.endswith("default-deny")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one of netlab's own lessons."""
    return Path(shutil.copytree(OWN, tmp_path / "mine"))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def problems(folder: Path) -> list[str]:
    """Return the problems of a lesson, without the folder."""
    with pytest.raises(InputError) as caught:
        read_lesson(str(folder))
    return [str(one).replace(f"{folder}/", "") for one in caught.value.problems]


@pytest.mark.parametrize("path", own_folders(), ids=lambda path: Path(path).name)
def test_a_lesson_of_netlab_has_no_error(path: str) -> None:
    """Its folder has the name of the lesson after the number, and the lab of its text is called learn."""
    found = read_lesson(path)

    assert Path(path).name[3:] == found.name
    assert "learn" == found.lab
    assert 3 == len(found.lesson.hints)


WRONG: list[tuple[str, str, str, str, list[str]]] = [
    (
        "unknown field",
        "lesson.yaml",
        "  title:",
        "  titel:",
        [
            "lesson.yaml:4: Lesson default-deny: spec.title: Required value",
            'lesson.yaml:5: Lesson default-deny: spec.titel: unknown field "titel"; did you mean "title"?',
        ],
    ),
    (
        "name",
        "lesson.yaml",
        "name: default-deny",
        "name: a.b",
        [
            'lesson.yaml:3: Lesson a.b: metadata.name: Invalid value: "a.b": must not contain dots',
        ],
    ),
    (
        "edit outside",
        "lesson.yaml",
        "edit: [policy.yaml]",
        "edit: [../lesson.yaml]",
        [
            'lesson.yaml:17: Lesson default-deny: spec.edit[0]: Invalid value: "../lesson.yaml": no name of a file in'
            " files/: write one such as policy.yaml, without a folder",
            "solution/policy.yaml: spec.edit of lesson.yaml does not name policy.yaml",
        ],
    ),
    (
        "question runs a program",
        "lesson.yaml",
        "{from: shop/api, to: shop/db, port: 5432, verdict: deny}",
        "{from: shop/api, run: [id]}",
        ["lesson.yaml:11: Lesson default-deny: spec.question.expect: Forbidden: a lesson runs no program"],
    ),
    (
        "check runs a program",
        "check.yaml",
        "- expect:",
        "- expect:\n    - {from: shop/api, run: [id]}",
        ["check.yaml:8: Scenario default-deny: spec.steps[0].expect[0]: Forbidden: a lesson runs no program"],
    ),
    (
        "check asks every pair",
        "check.yaml",
        "- expect:",
        "- expect:\n    - oracle: true",
        [
            "check.yaml:8: Scenario default-deny: spec.steps[0].expect[0]: Forbidden: a lesson states each pair that it"
            " asks for"
        ],
    ),
    (
        "check reads elsewhere",
        "check.yaml",
        "resources: [files]",
        "resources: [../secret.yaml]",
        [
            "check.yaml:5: Scenario default-deny: spec.resources: the check of a lesson has `resources: [files]`, and"
            " names no other file"
        ],
    ),
    (
        "a step reads elsewhere",
        "check.yaml",
        "- expect:",
        "- apply: [/etc/passwd]\n    expect:",
        [
            "check.yaml:7: Scenario default-deny: spec.steps[0].apply[0]: the check of a lesson has `resources:"
            " [files]`, and names no other file"
        ],
    ),
    (
        "plugins",
        "files/lab.yaml",
        "  nodes:",
        "  networks: [{name: default, mode: cni, conflist: x.conflist}]\n  nodes:",
        [
            "files/lab.yaml:5: Topology learn: spec.networks[0]: a lesson has no network of mode cni: its plugins are"
            " programs of this host"
        ],
    ),
    (
        "a pair that is not there",
        "check.yaml",
        "to: other/visitor",
        "to: other/nobody",
        [
            "check.yaml:9: Scenario default-deny: spec.steps[0].expect[1]: no pod or workload 'other/nobody' (known:"
            " other/visitor, shop/api, shop/db, shop/web, node:node-a)"
        ],
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_problem_has_its_file_and_line(folder: Path, file: str, old: str, new: str, said: list[str]) -> None:
    """Every problem of the folder, and nothing of what is outside."""
    replace(folder / file, old, new)

    assert said == problems(folder)


def test_no_list_of_plugins_is_read(folder: Path) -> None:
    """Not even from a file beside the Topology: its plugins are programs of the host, which root would run."""
    (folder / "files" / "x.conflist").symlink_to("/etc/passwd")
    replace(folder / "files" / "lab.yaml", "  nodes:", "  networks: [{name: default, conflist: x.conflist}]\n  nodes:")

    said = problems(folder)

    assert "a lesson has no network of mode cni: its plugins are programs of this host" in "\n".join(said)
    assert "root:" not in "\n".join(said)


def test_files_are_no_links(folder: Path, tmp_path: Path) -> None:
    """Neither one of the files nor the folder that has them leads elsewhere; no message has the content."""
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    (folder / "files" / "policy.yaml").unlink()
    (folder / "files" / "policy.yaml").symlink_to(secret)
    (folder / "lesson.md").unlink()
    (folder / "lesson.md").symlink_to(secret)
    shutil.rmtree(folder / "solution")
    (folder / "solution").symlink_to(tmp_path)

    assert [
        "files/policy.yaml: is not a regular file",
        "lesson.md: is not a regular file",
        "solution: is not a folder",
    ] == sorted(problems(folder))


def test_a_lesson_is_small(folder: Path) -> None:
    """Files and pods are bounded."""
    (folder / "lesson.md").write_text("x" * 100_001)

    assert ["lesson.md: is larger than 100,000 bytes"] == problems(folder)

    (folder / "lesson.md").write_text("short")
    with (folder / "files" / "lab.yaml").open("a") as file:
        file.write(
            "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: many, namespace: shop},"
            " spec: {replicas: 200, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}},"
            " spec: {containers: [{name: c}]}}}}\n"
        )
    found = problems(folder)
    assert "lesson.yaml:1: Lesson default-deny: has 204 pods; a lesson has at most 100" in found


def test_what_is_missing_is_named(folder: Path) -> None:
    """All of it at once."""
    for name in ("lesson.md", "files", "solution"):
        (shutil.rmtree if (folder / name).is_dir() else Path.unlink)(folder / name)
    (folder / "files").mkdir()
    (folder / "files" / "My Lab.txt").write_text("")

    said = "\n".join(problems(folder))

    assert "files/My Lab.txt: is no file of a lesson" in said
    assert "lesson.md: No such file or directory" in said
    assert "solution: No such file or directory" in said


def test_validate_prints_the_problems_of_all_lessons(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 2 with problems; 0 and their number without."""
    shutil.copytree(OWN, tmp_path / "a")
    shutil.copytree(OWN, tmp_path / "b")

    twice = netlab("learn", "validate", tmp_path)

    assert 2 == twice.exit_code
    assert 2 == twice.stderr.count("metadata.name: two lessons have this name")

    replace(tmp_path / "b" / "lesson.yaml", "name: default-deny", "name: other")
    done = netlab("learn", "validate", tmp_path)
    assert (0, "2 lessons read: 0 problems\n") == (done.exit_code, done.stdout)
    assert 2 == netlab("learn", "validate", tmp_path / "a" / "files").exit_code
