"""Files and targets that the documents for contributors name exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()

# `cluster/paths.py` in backticks: a path with a folder. Words in capitals stand for a name that the reader chooses.
PATH = re.compile(r"`((?:netlab|tests|scenarios|topologies|requirements|scripts)/[\w./-]*)`")
CHOSEN = re.compile(r"[A-Z]{2,}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_to_a_file(document: Path) -> None:
    """A link to a file of the repository names one that exists."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    assert [] == [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_anchor_of_a_link_is_a_heading(document: Path) -> None:
    """As a forge makes anchors of headings; the site has the same ones, which ``make docs`` checks."""
    links = re.findall(r"\]\(([^)#:]*\.md)?#([^)]*)\)", document.read_text())

    assert [] == [
        link for link in links if link[1] not in _anchors((document.parent / link[0]) if link[0] else document)
    ]


@cache
def _anchors(document: Path) -> set[str]:
    """Return the anchors of the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_path_of_the_guide_for_contributors_exists() -> None:
    """The table of what to touch names files and folders that are there."""
    named = [path for path in PATH.findall(CONTRIBUTING) if not CHOSEN.search(path)]

    assert len(named) > 10
    assert [] == [path for path in named if not (REPOSITORY / path).exists()]


def test_every_table_of_the_guide_for_contributors_is_where_it_says() -> None:
    """A table in which a line is to be added stands in the file that the guide names beside it."""
    tables = re.findall(r"`([A-Z_]{4,})`(?: \(| of )`(netlab/[\w/]+\.py)`", CONTRIBUTING)

    assert tables
    for name, path in tables:
        assert re.search(rf"^{name}\b.* = ", (REPOSITORY / path).read_text(), re.MULTILINE), f"{name} in {path}"


def test_every_make_command_of_the_guide_for_contributors_exists() -> None:
    """What the guide tells to type is a target of the Makefile."""
    named = set(re.findall(r"`make ([a-z-]+)", CONTRIBUTING))
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))

    assert named
    assert set() == named - targets
