"""Commands of netlab as processes of their own, from start to exit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.turns import timed

ROOT = Path(__file__).resolve().parent.parent
"""The root of the repository; its scenarios and examples are the input."""

NOTHING = ("python -c pass", ("-c", "pass"))
"""The floor of every command: Python starts and ends."""


def python(*arguments: str) -> Callable[[], float]:
    """Return a contestant that runs this Python with arguments; it raises CalledProcessError if that fails."""
    command = [sys.executable, *arguments]
    return timed(lambda: subprocess.run(command, check=True, capture_output=True))
