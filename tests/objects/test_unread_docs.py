"""The page about policies of other kinds has each kind of the table, and no other one."""

from __future__ import annotations

import re
from pathlib import Path

from netlab.objects import unread_kinds

PAGE = Path(__file__).parents[2] / "docs" / "unread.md"


def test_the_page_has_each_kind_of_the_table() -> None:
    """A row of the first table names kinds and their API groups; the last row is about all other kinds."""
    table, _, _ = PAGE.read_text().partition("\n## ")
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")]
    named = {
        (kind.strip(), group)
        for kinds, groups in rows[1:]
        for kind in kinds.split(",")
        for group in re.findall(r"`([^`]+)`", groups)
    }

    assert {*unread_kinds._KINDS} == named
