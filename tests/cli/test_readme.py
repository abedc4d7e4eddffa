"""The README shows what the program prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
SKIPPED = "  ..."
"""A line of the README that stands for any number of lines."""


def sessions() -> Iterator[Any]:
    """Yield each command of the README's sessions with the lines that it prints there."""
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL):
        for session in block.split("$ netlab ")[1:]:
            command, *lines = session.strip().splitlines()
            marks = [pytest.mark.kernel] if command.startswith("verify") else []
            yield pytest.param(command, lines, id=command, marks=marks)


@pytest.mark.parametrize(("command", "lines"), [*sessions()])
def test_a_command_of_the_readme_prints_what_the_readme_shows(
    netlab: Callable[..., Any], command: str, lines: list[str]
) -> None:
    """A line of dots stands for what is left out."""
    done = netlab(*shlex.split(command), env={"COLUMNS": "120"})
    parts = "\n".join(lines).split(f"\n{SKIPPED}")
    pattern = r"(?:\n.*)*".join(map(re.escape, parts))

    assert re.fullmatch(pattern, done.stdout.rstrip("\n")), done.stdout


def plain_commands() -> list[str]:
    """Return the commands of the section about CNIs, without their comments."""
    section = TEXT.split("\n## CNIs\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line.split("  #")[0].strip().removeprefix("netlab ") for line in block.splitlines()]


def test_the_commands_about_cnis_run_one_after_the_other(netlab: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 0; the file that one writes is what the next ones read."""
    for command in plain_commands():
        text = re.sub(r"(?:\./)?mine\.yaml", str(tmp_path / "mine.yaml"), command)
        line, _, file = text.partition(" > ")
        done = netlab(*shlex.split(line))
        assert 0 == done.exit_code, (command, done.stderr)
        if file:
            Path(file).write_text(done.stdout)


def test_there_are_sessions() -> None:
    """At least those of ``make demo``."""

    assert len([*sessions()]) >= 3
