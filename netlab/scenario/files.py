"""The scenarios and invariants of files and directories."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from netlab.errors import Problem
from netlab.objects import Document, decode
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.documents import Reader
from netlab.objects.files import UnreadableError, below, text_of
from netlab.objects.ignored import ignored_documents
from netlab.objects.included import Access, is_test
from netlab.objects.invariants import Invariants
from netlab.objects.scenarios import Scenario

_WORD = re.compile("Scenario|Invariants")

Test = Scenario | Invariants
"""What ``netlab test`` runs."""


def read_tests(
    paths: Sequence[str], *, strict: bool = False, ignore: Sequence[str] = (), allow_outside: bool = False
) -> tuple[list[Test], list[Problem]]:
    """Return the scenarios and invariants of files and directories, in order, with all their problems and warnings.

    Args:
      paths: files and directories. In a directory, only files with the word Scenario or Invariants are read.
      strict: whether kinds that netlab does not read are errors.
      ignore: as for ``objects.load``.
      allow_outside: whether they may name files outside of their repository (or else their folder).
    """
    kinds = ignored_documents(ignore)
    found: list[Test] = []
    problems: list[Problem] = []
    reader = Reader(strict)
    access = Access(allow_outside, reader.budget)
    for path in _files(paths, problems):
        documents, unread = reader.read([path])
        mine = [*kinds, *(d for d in documents if is_test(d.kind))]
        objects, wrong = decode(mine, strict=strict, access=access)
        problems += [*unread, *wrong]
        tests = [*objects.scenarios, *objects.invariants]
        if tests:
            problems += map(_beside, (one for one in documents if not is_test(one.kind)))
        if not unread and not tests and path in paths:
            problems.append(Problem(path, 0, "", "", "no Scenario and no Invariants in it"))
        found += tests
    return found, problems


def _beside(document: Document) -> Problem:
    source = document.source
    tests = "a file with a Scenario or Invariants has nothing else"
    message = f"{tests}; put this in a file of its own, and name it in spec.resources"
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
        yield from (file for file in folder.files if may_hold_test(file))


def may_hold_test(file: str | os.PathLike[str]) -> bool:
    """Say whether a file may hold a Scenario or Invariants: it contains the word, or it cannot be read."""
    try:
        return _WORD.search(text_of(os.fspath(file), Budget(), pipes=False)) is not None
    except (UnreadableError, TooLargeError):
        return _is_file(file)


def _is_file(file: str | os.PathLike[str]) -> bool:
    """Say whether a path is a regular file or missing; pipes and devices are not scenarios."""
    return os.path.isfile(file) or not os.path.exists(file)
