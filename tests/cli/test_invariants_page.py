"""docs/invariants.md: its files are valid, its sessions print what they show, and its program ends without an error."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import Block, Command, blocks, fits

REPOSITORY = Path(__file__).parents[2]
PAGE = "docs/invariants.md"
_FILE = re.compile(r"# (?P<name>[\w./-]+\.yaml)\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, in which the test is."""
    shutil.copytree(REPOSITORY / "examples/invariants", tmp_path / "examples/invariants")
    for block in of_page("yaml"):
        match = _FILE.match(block.text)
        assert match
        (tmp_path / match["name"]).parent.mkdir(exist_ok=True)
        (tmp_path / match["name"]).write_text(block.text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_page(language: str) -> list[Block]:
    return [block for block in blocks() if block.page == PAGE and block.language == language]


def commands(*, packets: bool) -> list[Command]:
    found = [command for block in of_page("console") for command in block.commands]
    return [command for command in found if ("--packets" in command.line) == packets]


def run(netlab: Callable[..., Any], command: Command) -> None:
    if not command.line.startswith("netlab "):
        subprocess.run(command.line, shell=True, check=True)  # noqa: S602  sed, as the page has it
        return
    done = netlab(*command.words[1:], prog_name="netlab")
    assert fits(command.expected or "", done.stdout or done.stderr), f"{command.line}\n{done.output}"


@pytest.mark.usefixtures("folder")
def test_sessions_print_what_the_page_shows(netlab: Callable[..., Any]) -> None:
    """Then the page's program finds in the proof the hash of the rules."""
    for command in commands(packets=False):
        run(netlab, command)
    (program,) = of_page("python")
    exec(compile(program.text, PAGE, "exec"), {})  # noqa: S102  the program of the page


@pytest.mark.kernel
@pytest.mark.usefixtures("folder")
def test_the_session_with_packets(netlab: Callable[..., Any]) -> None:
    """Packets have the verdicts of the evaluator."""
    for command in commands(packets=True):
        run(netlab, command)
