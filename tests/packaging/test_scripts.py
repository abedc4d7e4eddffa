"""The scripts and the Makefile: portable, documented, and clear about what they need."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = sorted(
    path for path in (REPOSITORY / "scripts").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
)
TARGET = re.compile(r"^([a-z-]+):.*?(?:  ## (.*))?$", re.MULTILINE)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", [*SCRIPTS, REPOSITORY / ".ci" / "run"], ids=lambda path: path.name)
def test_a_script_can_be_run_and_its_shell_can_read_it(script: Path) -> None:
    """Each script is executable and parses in the shell that its first line names."""
    shell = script.read_text().splitlines()[0].removeprefix("#!").split()[-1]
    parsed = run(shell, "-n", script)

    assert os.access(script, os.X_OK)
    assert (0, "") == (parsed.returncode, parsed.stderr)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_asks_for_no_more_than_a_posix_shell(script: Path) -> None:
    """A fresh machine may have no bash."""

    assert "#!/bin/sh" == script.read_text().splitlines()[0]


def test_every_make_command_of_the_readme_exists() -> None:
    """Commands of the README are targets of the Makefile."""
    readme = (REPOSITORY / "README.md").read_text()
    named = set(re.findall(r"(?:`|^)(?:sudo )?make ([a-z]+)", readme, re.MULTILINE))
    targets = {name for name, _ in TARGET.findall((REPOSITORY / "Makefile").read_text())}

    assert {"demo", "test"} <= named
    assert set() == named - targets


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    """`make` without a target lists the targets and changes nothing."""
    listed = run("make", "--no-print-directory", "-C", REPOSITORY).stdout
    targets = TARGET.findall((REPOSITORY / "Makefile").read_text())

    assert [name for name, _ in targets] == [line.split()[0] for line in listed.splitlines()]
    assert [] == [name for name, does in targets if not does]


def test_setup_refuses_an_unsuitable_python() -> None:
    """An interpreter that the user named is used or refused, never replaced in silence."""
    refused = run(REPOSITORY / "scripts" / "setup", "runtime", PYTHON="/bin/false")

    assert 3 == refused.returncode
    assert "netlab: PYTHON=/bin/false is not Python 3.11 or newer" == refused.stderr.strip()
    assert "" == refused.stdout


def test_setup_refuses_a_level_that_it_does_not_know() -> None:
    """A misspelt level is a usage error; nothing is installed."""
    refused = run(REPOSITORY / "scripts" / "setup", "everything")

    assert (2, "usage: scripts/setup [runtime|dev|system]") == (refused.returncode, refused.stderr.strip())


def test_an_installation_imports_nothing_of_the_working_directory() -> None:
    """It may be the checkout of a stranger's pull request, and the script may be root: -I leaves it out."""
    texts = [(REPOSITORY / "scripts" / name).read_text() for name in ("setup", "action/install")]
    started = [
        line for text in texts for line in re.findall(r'^.*(?:python|python3\}|\$1)" (?:-I )?-[cm] .*', text, re.M)
    ]

    assert len(started) > 6
    assert [] == [line for line in started if '" -I -' not in line]
