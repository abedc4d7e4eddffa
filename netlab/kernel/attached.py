"""The terminal of a program that has one."""

from __future__ import annotations

import contextlib
import fcntl
import termios


def take_terminal() -> None:
    """Make the terminal of this process's input that of its session; nothing where it is none."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
