"""Lines that tell the user of a command why it waits, or what happened to the lab beside it."""

from __future__ import annotations

from collections.abc import Callable

_print: Callable[[str], None] | None = None
_show: Callable[[str, int, int], None] | None = None


def print_with(function: Callable[[str], None]) -> None:
    """Print notices by a function from now on; without one they are dropped, so a library prints nothing."""
    global _print
    _print = function


def show_progress_with(function: Callable[[str, int, int], None]) -> None:
    """Show the progress of long changes by a function of a text, the number done and the total from now on."""
    global _show
    _show = function


def progress(what: str, done: int, total: int) -> None:
    """Show how much of a change is done."""
    if _show is not None:
        _show(what, done, total)


def notice(line: str) -> None:
    """Print a line."""
    if _print is not None:
        _print(line)


def notice_waiting(lab: str) -> None:
    """Print that this command waits for another command on a lab."""
    notice(f"waiting for another command on lab {lab}")
