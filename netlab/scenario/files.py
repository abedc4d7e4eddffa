"""The scenarios of files and directories."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from netlab.errors import Problem
from netlab.objects import Document, decode
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.documents import Reader
from netlab.objects.files import UnreadableError, below, text_of
from netlab.objects.ignored import ignored_documents
from netlab.objects.kinds.scenario import Access
from netlab.objects.scenarios import Scenario


def scenarios_of(
    paths: Sequence[str], *, strict: bool = False, ignore: Sequence[str] = (), allow_outside: bool = False
) -> tuple[list[Scenario], list[Problem]]:
    """Return the scenarios of files and directories, in order, with all their problems and warnings.

    Args:
      paths: files and directories. In a directory, only files that contain the word Scenario are read.
      strict: whether kinds that netlab does not read are errors.
      ignore: as for ``objects.load``.
      allow_outside: whether scenarios may name files outside of their repository (or else their folder).
    """
    kinds = ignored_documents(ignore)
    found: list[Scenario] = []
    problems: list[Problem] = []
    reader = Reader(strict)
    access = Access(allow_outside, reader.budget)
    for path in _files(paths, problems):
        documents, unread = reader.read([path])
        mine = [*kinds, *(d for d in documents if d.kind == "Scenario")]
        objects, wrong = decode(mine, strict=strict, access=access)
        problems += [*unread, *wrong]
        if objects.scenarios:
            problems += map(_beside, (one for one in documents if one.kind != "Scenario"))
        if not unread and not objects.scenarios and path in paths:
            problems.append(Problem(path, 0, "", "", "no Scenario in it"))
        found += objects.scenarios
    return found, problems


def _beside(document: Document) -> Problem:
    source = document.source
    message = "a file with a Scenario has only Scenarios; put this in a file of its own, and name it in spec.resources"
    return Problem(source.file, source.line(), "", document.kind, message)


def _files(paths: Sequence[str], problems: list[Problem]) -> Iterator[str]:
    """Yield the files of paths; problems of a directory are added to ``problems``."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        try:
            folder = below(path)
        except TooLargeError as error:
            problems.append(Problem(path, 0, "", "", str(error)))
            continue
        problems += folder.problems
        yield from (file for file in folder.files if may_hold_scenario(file))


def may_hold_scenario(file: str | os.PathLike[str]) -> bool:
    """Say whether a file may hold a Scenario: it contains the word, or it cannot be read."""
    try:
        return "Scenario" in text_of(os.fspath(file), Budget(), pipes=False)
    except (UnreadableError, TooLargeError):
        return _is_file(file)


def _is_file(file: str | os.PathLike[str]) -> bool:
    """Say whether a path is a regular file or missing; pipes and devices are not scenarios."""
    return os.path.isfile(file) or not os.path.exists(file)
