"""What a step of the action reads from the runner, and how it answers.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable
from typing import Any

# The runner refuses a summary of more than 1 MiB.
_MOST_OF_SUMMARY = 1_000_000


class WrongInputError(Exception):
    """An input of the action is wrong; the message names it."""


def choice(name: str, *among: str) -> str:
    """Return the input ``name``, one of a few words; raises WrongInputError."""
    found = text(name) or among[0]
    if found not in among:
        raise WrongInputError(f"the input {name} is one of {', '.join(among)}, not {found!r}")
    return found


def text(name: str) -> str:
    """Return the input ``name`` without spaces around it, "" if it is missing."""
    return os.environ.get(f"INPUT_{name.upper().replace('-', '_')}", "").strip()


def items(name: str) -> list[str]:
    """Return the lines of the input ``name`` that are not empty."""
    return [line.strip() for line in text(name).splitlines() if line.strip()]


def event() -> dict[str, Any]:
    """Return the event that started the workflow, {} if there is none that can be read."""
    try:
        with open(os.environ.get("GITHUB_EVENT_PATH", ""), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def output(**values: object) -> None:
    """Set outputs of this step. Each has a random end mark, so no text can add another output."""
    lines = []
    for name, value in values.items():
        mark = secrets.token_hex(16)
        lines += [f"{name.replace('_', '-')}<<{mark}", str(value), mark]
    _append("GITHUB_OUTPUT", lines)


def summary(lines: Iterable[str]) -> None:
    """Add Markdown to the summary of the job; a text that is too long for it is replaced by a line."""
    added = "\n".join(lines)
    size = len(added.encode())
    if size > _MOST_OF_SUMMARY:
        added = f"The report has {size:,} bytes, and is too long for a summary. The artifact has it."
    _append("GITHUB_STEP_SUMMARY", [added])


def log(text: str) -> None:
    """Print text of strangers. No line of it is a command for the runner."""
    mark = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{mark}\n{text.rstrip()}\n::{mark}::\n")
    sys.stdout.flush()


def annotate(level: str, message: str) -> None:
    """Print an annotation; ``level`` is notice, warning or error."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    sys.stdout.write(f"::{level} title=netlab::{escaped}\n")
    sys.stdout.flush()


def _append(variable: str, lines: Iterable[str]) -> None:
    path = os.environ.get(variable)
    if path:
        with open(path, "a", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)
