"""What an agent prints: a line with the time for each event."""

from __future__ import annotations

import contextlib
import sys
import time

from netlab.errors import printable


def say(line: str) -> None:
    """Print a line with the time, at once."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {printable(line)}\n")
        sys.stderr.flush()
