"""The changes of a command, as kubectl prints them: a line for each object, and a summary on standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from netlab.cli import terminal
from netlab.quantity import quantity

if TYPE_CHECKING:
    from netlab.lab.outcome import Changes


def print_changes(lab: str, changes: Changes, objects: Iterable[tuple[str, str]]) -> None:
    """Print a line for each object, then the number of changes in the kernel and the time until they were in force."""
    lines = list(objects)
    terminal.emit(f"{name} {verb}" for name, verb in lines)
    if not changes and all(verb == "unchanged" for _, verb in lines):
        terminal.say(f"lab {lab}: unchanged")
        return
    steps = len(changes.steps) + changes.agent_steps
    parts = [
        quantity(steps, "change") + " to the network" if steps else "",
        quantity(changes.replaced, "ruleset") + " loaded" if changes.replaced else "",
        quantity(changes.elements, "ruleset element") + " changed" if changes.elements else "",
    ]
    what = ", ".join(part for part in parts if part) or "no rule changes"
    terminal.say(f"lab {lab}: {what}; in force after {_seconds(changes.seconds)}")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
