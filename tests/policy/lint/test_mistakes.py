"""Mistakes of the public: the rule that docs/mistakes.md names for each finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from linting import linted

TEXT = (Path(__file__).parents[3] / "docs" / "mistakes.md").read_text()
SECTION = re.compile(r"^## (\d+\. [^\n]+)\n\n(.*?)\.\n\n```yaml\n(.*?)```$", re.MULTILINE | re.DOTALL)
MISTAKES = SECTION.findall(TEXT)


@pytest.mark.parametrize(("title", "prose", "text"), MISTAKES, ids=[title for title, _, _ in MISTAKES])
def test_a_mistake_is_found(title: str, prose: str, text: str) -> None:
    """By each rule that the page names, with a line and a hint."""
    rules = set(re.findall(r"\(lint-rules\.md#([a-z-]+)\)", prose))
    found = [one for one in linted(text).found if one.rule in rules]

    assert rules
    assert rules == {one.rule for one in found}
    assert all(one.line and one.fix for one in found)


def test_every_mistake_of_the_page_is_tested() -> None:
    """There are about twenty."""
    assert 20 <= len(MISTAKES) == len(re.findall("^## ", TEXT, re.MULTILINE))
