"""After every interrupt of a command, the next command repairs or removes what is left.

A part of the rounds that ``make crash`` plays in full: those of the calls that make and remove what labs share.
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
# Rounds of a step: in a usual run no part has as many.
MOST = "12"
TREES = "mkdir,rmdir,mount,umount2,symlink,unlink,rename,fork,vfork,clone,execve"


@pytest.fixture(autouse=True, scope="module")
def bytecode() -> None:
    """Compile netlab once: the rounds write no bytecode, and each of their commands would compile what it imports."""
    compileall.compile_dir(REPOSITORY / "netlab", quiet=2)


@pytest.mark.parametrize("user", ["root", "rootless"])
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--steps", "up,down", "--calls", TREES), ("1/24", "13/24")),
        (("--steps", "again,apply", "--calls", TREES), ("1/36", "19/36")),
        (("--beside", "--steps", "up", "--calls", TREES), ("1/24", "13/24")),
        (("--beside", "--errors", "--steps", "up"), ("1/80", "41/80")),
        (("--errors", "--steps", "up,down"), ("1/160", "81/160")),
        (("--end", "TERM", "--steps", "verify"), ("1/160", "81/160")),
        (("--end", "HUP", "--steps", "verify"), ("17/160", "97/160")),
        (("--steps", "exec,web,reload,end", "--calls", TREES), ("1/160", "41/160")),
        (("--errors", "--steps", "exec,reload"), ("1/320", "161/320")),
        (("--shortage", "--steps", "up"), ("1/2", "2/2")),
        (("--shortage", "--steps", "exec"), ("1/10", "6/10")),
    ],
    ids=[
        "killed",
        "a change killed",
        "killed beside",
        "failing calls beside",
        "failing calls",
        "terminated",
        "hung up",
        "programs killed",
        "programs failing",
        "shortage",
        "shortage for programs",
    ],
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
