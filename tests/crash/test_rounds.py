"""After every interrupt of a command, the next command repairs or removes what is left.

A part of the rounds that ``make test-crash`` plays in full: those of the calls that make and remove what labs share.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROUNDS = Path(__file__).with_name("rounds.py")
TREES = "mkdir,rmdir,mount,umount2,symlink,unlink,rename,fork,vfork,clone,execve"


@pytest.mark.parametrize("user", ["root", "rootless"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("--steps", "up,down", "--calls", TREES, "--part", "1/6"),
        ("--steps", "again,apply", "--calls", TREES, "--part", "1/18"),
        ("--errors", "--steps", "up,down", "--part", "1/40"),
        ("--end", "TERM", "--steps", "verify", "--part", "1/40"),
        ("--end", "HUP", "--steps", "verify", "--part", "9/40"),
        ("--steps", "exec,web,reload,end", "--calls", TREES, "--part", "1/40"),
        ("--errors", "--steps", "exec,reload", "--part", "1/80"),
        ("--shortage", "--steps", "up"),
        ("--shortage", "--steps", "exec", "--part", "1/5"),
    ],
    ids=[
        "killed",
        "a change killed",
        "failing calls",
        "terminated",
        "hung up",
        "programs killed",
        "programs failing",
        "shortage",
        "shortage for programs",
    ],
)
def test_what_is_cut_short_leaves_nothing(user: str, arguments: tuple[str, ...]) -> None:
    """Every round repairs or removes what is there, and finds no process, mount or file afterwards."""
    # The keeper of an ordinary user runs this interpreter: one in root's home would not do.
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    python = system if os.access(system, os.X_OK) else sys.executable
    command = [python, str(ROUNDS), *arguments, *(["--rootless"] if user == "rootless" else [])]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{sysconfig.get_paths()['purelib']}"}
    # Bytecode that is written in one round and read in the next would change which calls there are.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)

    assert 0 == done.returncode, done.stdout + done.stderr
