"""The design document draws the house as it is: its rooms, its modules and the functions of its walks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_statements import import_statements

from netlab.policy import tiers as evaluated
from netlab.ruleset import tiers as compiled

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "netlab"
TEXT = (REPOSITORY / "docs" / "design.md").read_text()
ROOMS = re.findall(r"^(\w+) +\S", TEXT.partition("## Rooms")[2].split("```")[1], re.MULTILINE)

# A path in backticks: of a module, a test or a folder. Words in capitals stand for a name that the reader chooses.
PATHS = sorted(set(re.findall(r"`([\w/]+/(?:\w+\.\w+)?)`", TEXT)))
# A step of a walk: what it is, its module, its function or class, and what happens.
STEP = re.compile(r"^\| [^|]+ \| `([\w/]+\.py)` \| `(\w+)` \|", re.MULTILINE)
# A line to add: "in `TIERS` of `policy/tiers/__init__.py`".
LINE = re.compile(r"`([A-Z_]{4,})` of\s`([\w/]+\.py)`")


def _imported(file: Path) -> Iterator[str]:
    """Yield the rooms that a module imports, wherever in it."""
    for node in import_statements(file):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.module == "netlab":
            names = [f"netlab.{alias.name}" for alias in node.names]
        elif node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "netlab" and rest:
                yield rest.partition(".")[0]


def _files(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


def test_the_rooms_are_the_packages_and_modules_of_netlab() -> None:
    """Each has one line in the list."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}

    assert sorted(packages | modules) == sorted(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    """The list is from top to bottom."""
    below = ROOMS[ROOMS.index(room) :]

    assert [] == [(file.name, name) for file in _files(room) for name in _imported(file) if name not in below]


@pytest.mark.parametrize("path", [path for path in PATHS if not re.search("[A-Z]{2,}", path)])
def test_a_path_of_the_design_exists(path: str) -> None:
    """It is below ``netlab``, or of the repository."""

    assert (PACKAGE / path).exists() or (REPOSITORY / path).exists()


@pytest.mark.parametrize(("path", "name"), STEP.findall(TEXT))
def test_a_step_of_a_walk_is_where_the_design_says(path: str, name: str) -> None:
    """Its module defines the function or class."""

    assert re.search(rf"^(def|class) {name}\b", (PACKAGE / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "path"), LINE.findall(TEXT))
def test_a_table_for_a_new_line_is_where_the_design_says(name: str, path: str) -> None:
    """Its module assigns it."""

    assert re.search(rf"^{name}\b.* = ", (PACKAGE / path).read_text(), re.MULTILINE)


def test_each_addition_has_a_file_a_line_and_a_test() -> None:
    """The table has eleven rows; a tier has two, one for each reading."""
    table = TEXT.partition("## Where a change goes")[2].partition("###")[0]

    assert len(re.findall(r"^\| (?:a|the) (?:[^|]+\|){3} `tests/[\w/]+/test_\w+\.py` \|$", table, re.MULTILINE)) == 11


def test_a_tier_is_evaluated_and_compiled() -> None:
    """Both readings have the same tiers beside NetworkPolicy and the default."""

    assert len(evaluated.TIERS) - 2 == len(compiled.TIERS)
