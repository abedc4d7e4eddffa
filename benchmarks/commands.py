"""netlab as a shell starts it: a process of its own, from start to exit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.turns import timed

ROOT = Path(__file__).resolve().parent.parent
"""The tree that these benchmarks stand in: its scenarios and examples are their input."""

NOTHING = ("python -c pass", ("-c", "pass"))
"""The floor of every command: a Python that starts and ends."""


def python(*arguments: str) -> Callable[[], float]:
    """Return a contestant: this Python with the arguments; raises CalledProcessError when it fails."""
    command = [sys.executable, *arguments]
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))
