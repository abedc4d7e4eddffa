"""What an agent prints: a line with the time for each event."""

from __future__ import annotations

import time

from netlab.errors import printable
from netlab.lab import notices


def say(line: str) -> None:
    """Print a line with the time, where this process prints notices."""
    notices.notice(f"{time.strftime('%H:%M:%S')} {printable(line)}")
