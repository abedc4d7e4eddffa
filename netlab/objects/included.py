"""The files that an object of netlab names: a Scenario and Invariants have resources."""

from __future__ import annotations

import os
from collections.abc import Iterable

from netlab.objects.documents import Reader
from netlab.objects.fields import Fields, invalid, quoted, required
from netlab.objects.files import is_inside, outside
from netlab.objects.kind import get
from netlab.objects.types import Document

INVARIANTS = "Invariants"


def is_test(kind: str) -> bool:
    """Say whether ``netlab test`` runs objects of a kind: they name the files of the objects that they are about."""
    known = get(kind)
    return known is not None and known.reads_files


def included(root: Fields, document: Document, path: str, name: str, reader: Reader) -> list[Document]:
    """Return the documents of a file or directory that an object names; report problems at the field's path.

    A Scenario among them is an error, as only objects can be included. Invariants in a directory are left out, and so
    are Scenarios beside them.
    """
    report = root.report
    file = os.path.normpath(os.path.join(os.path.dirname(document.source.file), name))
    if not name:
        report.error(path, required("must name a file"))
        return []
    if "\0" in file:
        report.error(path, invalid(name, "not a file name"))
        return []
    # The message about a path outside must not depend on what is at the path.
    if reader.home and not is_inside(file, reader.home):
        report.error(path, f"{quoted(name)} {outside(reader.home)}")
        return []
    if not os.path.exists(file):
        report.error(path, f"no such file: {quoted(file)}")
        return []
    documents, problems = reader.read([file])
    report.problems.extend(problems)
    if os.path.isdir(file):
        if document.kind == INVARIANTS:
            documents = [one for one in documents if not is_test(one.kind)]
        else:
            documents = [one for one in documents if one.kind != INVARIANTS]
    return list(without_tests(root, document, path, documents))


def without_tests(root: Fields, document: Document, path: str, found: Iterable[Document]) -> Iterable[Document]:
    """Yield the documents that are no Scenario or Invariants; report each file with one of these."""
    reported: set[str] = set()
    for one in found:
        if not is_test(one.kind):
            yield one
            continue
        file = one.source.file
        if file not in reported:
            itself = os.path.realpath(file) == os.path.realpath(document.source.file)
            owner = "the file includes itself" if document.kind == INVARIANTS else "the scenario includes itself"
            a = "Invariants" if one.kind == INVARIANTS else f"a {one.kind}"
            what = owner if itself else f"{quoted(file)} holds {a}"
            root.report.error(path, f"{what}; only objects can be included")
        reported.add(file)
