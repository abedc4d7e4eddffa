"""The files that an object of netlab names: a Scenario and Invariants have resources."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import field

from netlab.frozen import frozen
from netlab.objects.bounds import Budget
from netlab.objects.documents import Reader
from netlab.objects.fields import Fields, invalid, quoted, required
from netlab.objects.file_trees import HostFiles, tree_of
from netlab.objects.files import outside
from netlab.objects.kind import get
from netlab.objects.types import Document

INVARIANTS = "Invariants"


@frozen
class Access:
    """The files that objects may name: ``anywhere``, or only those in their repository or folder; and the budget."""

    anywhere: bool = False
    budget: Budget = field(default_factory=Budget)


def is_test(kind: str) -> bool:
    """Say whether ``netlab test`` runs objects of a kind: they name the files of the objects that they are about."""
    known = get(kind)
    return known is not None and known.reads_files


@contextlib.contextmanager
def reader_of(document: Document, access: Access | None) -> Iterator[Reader]:
    """Give a reader of the files that an object may name: they are where the object's own file is."""
    given, source = access or Access(), document.source
    anywhere = given.anywhere and source.tree is None
    tree = HostFiles() if anywhere else tree_of(source).around(source.file)
    try:
        yield Reader(budget=given.budget, tree=tree)
    finally:
        tree.close()


def included(root: Fields, document: Document, path: str, name: str, reader: Reader) -> list[Document]:
    """Return the documents of a file or directory that an object names; report problems at the field's path.

    A Scenario among them is an error, as only objects can be included. Invariants in a directory are left out, and so
    are Scenarios beside them.
    """
    report = root.report
    tree = reader.tree
    file = tree.beside(document.source.file, name)
    if not name:
        report.error(path, required("must name a file"))
        return []
    if "\0" in file:
        report.error(path, invalid(name, "not a file name"))
        return []
    # The message about a path outside must not depend on what is at the path.
    if not tree.holds(file):
        report.error(path, f"{quoted(name)} {outside(tree.home)}")
        return []
    if not tree.exists(file):
        report.error(path, f"no such file: {quoted(tree.name(file))}")
        return []
    documents, problems = reader.read([file])
    report.problems.extend(problems)
    if tree.is_folder(file):
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
            itself = tree_of(document.source).is_same(file, document.source.file)
            owner = "file" if document.kind == INVARIANTS else "scenario"
            object_ = one.kind if one.kind == INVARIANTS else f"a {one.kind}"
            what = f"the {owner} includes itself" if itself else f"{quoted(file)} holds {object_}"
            root.report.error(path, f"{what}; only objects can be included")
        reported.add(file)
