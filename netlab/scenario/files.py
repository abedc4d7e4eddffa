"""The scenarios of files and directories."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from netlab.errors import Problem
from netlab.objects import decode, read
from netlab.objects.files import SUFFIXES
from netlab.objects.types import Scenario


def scenarios_of(paths: Sequence[str], *, strict: bool = False) -> tuple[list[Scenario], list[Problem]]:
    """Return the scenarios of files and directories, in order, and every problem and warning of theirs.

    Of a directory only files that speak of a Scenario are read: manifests beside them are no scenarios.
    """
    found: list[Scenario] = []
    problems: list[Problem] = []
    for path in _files(paths):
        documents, unread = read([path])
        objects, wrong = decode([d for d in documents if d.kind == "Scenario"], strict=strict)
        problems += [*unread, *wrong]
        if not unread and not objects.scenarios and path in paths:
            problems.append(Problem(path, 0, "", "", "no Scenario in it"))
        found += objects.scenarios
    return found, problems


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for parent, folders, names in os.walk(path):
            folders.sort()
            files = (os.path.join(parent, name) for name in sorted(names) if name.endswith(SUFFIXES))
            yield from (file for file in files if may_hold_scenario(file))


def may_hold_scenario(file: str | os.PathLike[str]) -> bool:
    """Say whether a file speaks of a Scenario at all: cheap, and never wrong about one that does."""
    try:
        with open(file, "rb") as opened:
            return b"Scenario" in opened.read()
    except OSError:
        return True
