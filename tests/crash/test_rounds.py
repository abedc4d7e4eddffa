"""After every interrupt of a command, the next command repairs or removes what is left.

A part of the rounds that ``make test-crash`` plays in full: those of the calls that make and remove what labs share.
Root plays one half of them and an ordinary user the other.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROUNDS = Path(__file__).with_name("rounds.py")
# Rounds of a step. One process plays all rounds of a kind, as importing netlab takes as long as some rounds.
MOST = "3"
TREES = "mkdir,rmdir,mount,umount2,symlink,unlink,rename,fork,vfork,clone,execve"


@pytest.fixture(autouse=True, scope="module")
def bytecode() -> None:
    """Compile netlab once: the rounds write no bytecode, and each of their commands would compile what it imports."""
    compileall.compile_dir(REPOSITORY / "netlab", quiet=2)


@pytest.mark.parametrize("user", ["root", "rootless"])
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--calls", TREES), ("1/2", "2/2")),
        (("--errors", "--steps", "up,down,exec,reload"), ("1/2", "2/2")),
        (("--end", "TERM", "--steps", "verify"), ("1/4", "2/4")),
        (("--end", "HUP", "--steps", "verify"), ("3/4", "4/4")),
        (("--shortage", "--steps", "up,exec"), ("1/5", "1/5")),
    ],
    ids=["killed", "failing calls", "terminated", "hung up", "shortage"],
)
def test_what_is_cut_short_leaves_nothing(user: str, arguments: tuple[str, ...], parts: tuple[str, str]) -> None:
    """Every round repairs or removes what is there, and finds no process, mount or file afterwards."""
    # The keeper of an ordinary user runs this interpreter: one in root's home would not do.
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    python = system if os.access(system, os.X_OK) else sys.executable
    own = ["--rootless", "--part", parts[1]] if user == "rootless" else ["--part", parts[0]]
    command = [python, str(ROUNDS), *arguments, *own, "--most", MOST]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{sysconfig.get_paths()['purelib']}"}
    # Bytecode that is written in one round and read in the next would change which calls there are.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)

    assert 0 == done.returncode, done.stdout + done.stderr
