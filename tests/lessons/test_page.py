"""The page of lessons is what the lessons say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.lessons import page
from netlab.lessons.read import read_lesson
from netlab.lessons.rules import CHECK, FILES, SOLUTION, TEXT

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_made_from_the_lessons() -> None:
    """``python -m netlab.lessons.page`` writes it."""
    assert page.page() == (DOCS / "lessons.md").read_text()


def test_the_example_of_the_documentation_is_a_lesson(tmp_path: Path) -> None:
    """With a text and files, it has no error."""
    lesson, check = re.findall(r"```yaml\n(.*?)```", (DOCS / "learn.md").read_text(), re.DOTALL)
    pods = "".join(
        f"---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}}}\n"
        for name in ("web", "db")
    )
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: shop}\n"
        "spec:\n  podSelector: {matchLabels: {app: db}}\n"
    )
    for folder in (FILES, SOLUTION):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "policy.yaml").write_text(policy)
    (tmp_path / FILES / "pods.yaml").write_text(pods)
    (tmp_path / "lesson.yaml").write_text(lesson)
    (tmp_path / CHECK).write_text(check)
    (tmp_path / TEXT).write_text("A text.\n")

    found = read_lesson(str(tmp_path))

    assert "no" == found.lesson.question.answer
    assert 2 == len(found.lesson.hints)


def test_the_list_of_the_documentation_is_what_is_printed(
    netlab: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first lines, before a lesson has begun."""
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"```console\n\$ netlab learn list\n(.*?)  \.\.\.\n```", (DOCS / "learn.md").read_text(), re.DOTALL
    )

    assert netlab("learn", "list").stdout.startswith(block)
