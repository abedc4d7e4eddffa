"""The sessions of docs/tasks/many-machines.md, typed on three machines, and its unit of systemd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import Block, blocks, fits
from machines.agents import Agents

PAGE = [block for block in blocks() if block.page == "docs/tasks/many-machines.md"]
SESSIONS = [block for block in PAGE if block.language == "console"]


def _typed(on: Agents, line: str) -> str:
    """Return what a command prints on the third machine, typed in the repository's folder."""
    path = f"PATH={Path(sys.executable).parent}:{on.on['m1'].run('printenv', 'PATH').stdout.strip()}"
    done = on.on["m3"].run("env", path, "COLUMNS=120", "sh", "-c", line)
    # Where there is no output, a summary is on standard error.
    return done.stdout + done.stderr


def _wrong(on: Agents, block: Block) -> list[str]:
    found = []
    for command in block.commands:
        if command.words[0] == "export":
            continue
        printed = _typed(on, f"cd {Path(__file__).parents[2]} && {command.line}")
        if not fits(command.expected or "", printed):
            found.append(f"{block.page}:{block.line}: $ {command.line} printed\n{printed}")
    return found


def test_the_sessions_of_the_page(agents):
    """Each command prints what the page shows."""
    on = agents("m1", "m2", "m3")

    assert 2 == len(SESSIONS)
    assert [] == [wrong for block in SESSIONS for wrong in _wrong(on, block)]


def test_systemd_takes_the_unit_of_the_page(tmp_path):
    """Without a warning, also for an option that it does not know."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    (text,) = (block.text for block in PAGE if block.language == "ini")
    unit = tmp_path / "netlab-agent.service"
    # The program is not installed here.
    unit.write_text(text.replace("/usr/local/bin/netlab", shutil.which("true") or ""))
    command = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (0, "") == (done.returncode, "".join(line for line in done.stderr.splitlines() if str(unit) in line))
