"""A lab on three machines with agents, and what tests of calls ask of it."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

from machines.agents import Agents
from machines.labs import allowing, documents

DRIVER = Path(__file__).with_name("call_driver.py")
numbers = itertools.count(7_000_000)
"""Numbers that no other test has."""


def up(on: Agents, folder: Path, **more: Any) -> str:
    """Build a lab with a pod on each machine, p1, p2 and so on; only p2 may reach p3. Return its name."""
    lab = f"calls-{os.getpid():x}-{next(numbers)}"
    file = folder / "lab.yaml"
    file.write_text(documents(lab, "overlay", len([*on.on]), families=(4,), **more) + allowing("p3", "p2"))
    on.netlab("m1", "up", "-f", file)
    return lab


def drive(on: Agents, machine: str, what: str, /, **values: Any) -> Any:
    """Call a function of ``call_driver.py`` in a process of a machine; return what it prints."""
    done = on.on[machine].run(sys.executable, DRIVER, what, text=json.dumps(values))
    assert 0 == done.returncode, f"{done.stderr}\n{on.logs()}"
    return json.loads(done.stdout)


def execute(on: Agents, machine: str, pod: str, *argv: str, text: str = "", options: tuple[str, ...] = ()) -> Any:
    """Run a program in a pod by ``netlab exec`` on a machine; return its exit status and outputs."""
    done = on.on[machine].netlab("exec", pod, *options, "--", *argv, text=text)
    return done.returncode, done.stdout, done.stderr


def runs(on: Agents, machine: str, words: str) -> bool:
    """Return whether a program with these words runs in a machine."""
    return words in on.on[machine].run("ps", "-e", "-o", "args=").stdout


def only_the_lab(on: Agents) -> bool:
    """Return whether etcd has nothing of a call."""
    return not any(key.startswith(("calls/", "inputs/", "answers/", "probes/")) for key in on.etcd_keys())
