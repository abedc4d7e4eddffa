"""What is said while a command waits for another one on the same lab."""

from __future__ import annotations

from collections.abc import Callable

_say: Callable[[str], None] | None = None


def say_by(say: Callable[[str], None]) -> None:
    """Have lines said by a function from now on; a program that uses netlab as a library hears nothing by default."""
    global _say
    _say = say


def say(line: str) -> None:
    """Say a line."""
    if _say is not None:
        _say(line)


def tell(lab: str) -> None:
    """Say that a command waits for another one."""
    say(f"waiting for another command on lab {lab}")
