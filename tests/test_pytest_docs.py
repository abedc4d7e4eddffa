"""docs/pytest.md: its files make a repository, and its commands print there what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import netlab.scenario.in_steps  # noqa: F401  what each pytest in this process would import again

pytest_plugins = ["pytester"]

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / "docs" / "pytest.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+)\n")


def sessions() -> list[tuple[str, list[str]]]:
    """Return each command of the page with the lines that it prints, but for those that install."""
    found: list[tuple[str, list[str]]] = []
    for language, text in BLOCK.findall(TEXT):
        for line in text.splitlines() if language == "console" else ():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line:
                found[-1][1].append(line)
    return [(command, lines) for command, lines in found if command.startswith("pytest")]


@pytest.fixture
def here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The repository of the page."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "200")
    (pytester.path / ".git").mkdir()
    for _, text in BLOCK.findall(TEXT):
        if (name := FILE.match(text)) is not None:
            file = pytester.path / name[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
    return pytester


def test_every_file_of_the_layout_is_on_the_page(here: pytest.Pytester) -> None:
    """And no other one."""
    layout = re.search(r"^## A repository\n\n```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    files = sorted(file.relative_to(here.path).as_posix() for file in here.path.rglob("*") if file.is_file())

    assert layout is not None
    assert files == sorted(line.split()[0] for line in layout[1].splitlines())


@pytest.mark.kernel
@pytest.mark.parametrize(("command", "lines"), sessions(), ids=[command for command, _ in sessions()])
def test_commands_print_what_the_page_shows(here: pytest.Pytester, command: str, lines: list[str]) -> None:
    """The lines are there, in this order."""
    words = shlex.split(command)[1:]
    done = here.runpytest_inprocess("-p", "netlab.pytest_plugin", "-p", "no:cacheprovider", *words)
    printed = iter(done.outlines)

    assert [] == [line for line in lines if not any(line in one for one in printed)]
