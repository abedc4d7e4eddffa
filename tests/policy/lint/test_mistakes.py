"""Mistakes of the public: the rule that docs/mistakes.md names for each finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from linting import linted

TEXT = (Path(__file__).parents[3] / "docs" / "mistakes.md").read_text()
SECTION = re.compile(
    r"^## (\d+\. [^\n]+)\n.*?\(lint-rules\.md#([a-z-]+)\)\.\n\n```yaml\n(.*?)```$", re.MULTILINE | re.DOTALL
)
MISTAKES = SECTION.findall(TEXT)


@pytest.mark.parametrize(("title", "rule", "text"), MISTAKES, ids=[title for title, _, _ in MISTAKES])
def test_a_mistake_is_found(title: str, rule: str, text: str) -> None:
    """With a line and a hint."""
    found = [one for one in linted(text).found if one.rule == rule]

    assert found
    assert all(one.line and one.fix for one in found)


def test_every_mistake_of_the_page_is_tested() -> None:
    """There are about twenty."""
    assert 20 <= len(MISTAKES) == len(re.findall("^## ", TEXT, re.MULTILINE))
