"""The README and the pages of ``docs`` show what the program prints, and no block of code is without a proof.

``make test-docs`` runs all of their commands, with labs; here are those that take no time.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_blocks import Block, Command, blocks, fits, quick

from netlab.objects import decode
from netlab.objects.documents import parse

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted({block.page for block in blocks() if quick(block.page)})
DOCUMENTS = [block for block in blocks() if block.language in ("yaml", "json") and not (block.reason or block.own_test)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages speak of, in which the test is."""
    for name in ("examples", "scenarios", "topologies"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copytree(REPOSITORY / "examples" / "shop", tmp_path / "manifests")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(page: str, kernel: bool) -> list[tuple[Block, Command]]:
    """Return the commands that make namespaces, or the others."""
    return [(block, one) for block in quick(page) for one in block.commands if one.kernel == kernel]


def prove(netlab: Callable[..., Any], found: list[tuple[Block, Command]]) -> None:
    """Run commands one after the other, as a reader would."""
    for block, command in found:
        words = command.words[1:]
        words, file = (words[:-2], words[-1]) if ">" in words else (words, "")
        done = netlab(*words, env={"COLUMNS": "120"}, prog_name="netlab")
        if file:
            Path(file).write_text(done.stdout)
        where = f"{block.page}:{block.line}: {command.line}\n"
        if block.language == "sh":
            assert 0 == done.exit_code, where + done.stderr
        elif not file:
            assert fits(command.expected or "", done.stdout or done.stderr), where + done.output


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_that_need_no_lab_do_what_it_says(netlab: Callable[..., Any], page: str) -> None:
    """Sessions print what is shown; other commands end with exit code 0."""
    prove(netlab, commands(page, kernel=False))


@pytest.mark.kernel
@pytest.mark.usefixtures("folder")
def test_the_readme_verifies_what_it_shows(netlab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With packets; the first thing that a reader tries."""
    found = commands("README.md", kernel=True)
    prove(netlab, found)

    assert 2 == len(found)


@pytest.mark.parametrize("block", DOCUMENTS, ids=lambda block: f"{block.page}:{block.line}")
def test_a_document_of_a_page_is_valid(block: Block) -> None:
    """Objects that netlab reads have no problem; of other documents the syntax is right."""
    if block.language == "json":
        json.loads(block.text)
        return
    documents = [one for one in yaml.safe_load_all(block.text) if one is not None]

    assert documents
    if all(isinstance(one, dict) and {"apiVersion", "kind"} <= one.keys() for one in documents):
        _, problems = decode(parse(block.text, block.page)[0])
        # The files that a page names are the reader's.
        messages = [one.message for one in problems if not re.search("no such file|must be a file", one.message)]
        assert [] == messages


@pytest.mark.parametrize("page", sorted({block.page for block in blocks()}))
def test_no_block_of_a_page_is_without_a_proof(page: str) -> None:
    """A block that no test runs or reads has a comment with the reason above it, and no other block has one."""
    kinds = ("console", "sh", "yaml", "json", "python")
    found = [block for block in blocks() if block.page == page]
    unproven = [one.line for one in found if not (one.reason or one.own_test or one.language in kinds)]
    comments = len(re.findall(r"^<!-- not run: [^\n]{10,} -->$", (REPOSITORY / page).read_text(), re.MULTILINE))

    assert [] == unproven
    assert comments == len([block for block in found if block.reason])
    assert [] == [block.own_test for block in found if block.own_test and not (REPOSITORY / block.own_test).exists()]


def test_a_page_is_in_the_navigation_once() -> None:
    """A new page of ``docs`` is found by those who read the site."""
    named = re.findall(r": ([\w/-]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = {path.relative_to(REPOSITORY / "docs").as_posix() for path in (REPOSITORY / "docs").rglob("*.md")}

    assert set() == pages - set(named)
    assert sorted(set(named)) == sorted(named)


@pytest.mark.parametrize(
    ("expected", "found", "fitting"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\n  ...\nb", "a\n1\n2\nb\n", True),
        ("a\n  ...", "a\n", True),
        ("a ...\nb", "a 1 2\nb\n", True),
        ("a ...\nb", "a 1\n2\nb\n", False),
        ("  ...", "", True),
        ("  ...\nb", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("", "", True),
        ("", "a\n", False),
    ],
)
def test_dots_stand_for_any_lines(expected: str, found: str, fitting: bool) -> None:
    """And nothing else does."""

    assert fitting == fits(expected, found)
