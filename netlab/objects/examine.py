"""Read input that may have errors, and keep the part that is correct, so that all problems show at once.

A pod with errors keeps its correct fields. An error may hide other facts, such as the names of the nodes. These facts
are doubts: netlab reports no problem about them, as the input may be correct once the error is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import IO, Any, get_args

from netlab.errors import Problem, in_order
from netlab.frozen import frozen
from netlab.objects.all_objects import Objects
from netlab.objects.documents import Reader
from netlab.objects.kind import Doubt, Kind, get
from netlab.objects.load import decode
from netlab.objects.topology import Topology
from netlab.objects.types import Document
from netlab.objects.unread import ignored_kinds

EVERYTHING: frozenset[Doubt] = frozenset(get_args(Doubt))


@frozen
class Input:
    """What was read: the usable part of the ``objects``, every problem so far, and what is not known."""

    objects: Objects
    problems: tuple[Problem, ...]
    doubts: frozenset[Doubt] = frozenset()
    files: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether a problem is an error."""
        return _errors(self.problems)

    def problems_and(self, more: Iterable[Problem]) -> list[Problem]:
        """Return the problems and more of them: by file as they were read, then by line."""
        return in_order((*self.problems, *more), self.files)


def examine(
    paths: Sequence[str], *, strict: bool = False, stdin: IO[Any] | None = None, ignore: Sequence[str] = ()
) -> Input:
    """Read and decode files, directories and ``-``, with errors or without; ``ignore`` is as for ``load``."""
    kinds = ignored_kinds(ignore)
    reader = Reader(strict, stdin=stdin)
    documents, unread = reader.read(paths)
    found = examine_documents([*kinds, *documents], strict=strict)
    files = tuple(reader.files)
    problems = tuple(in_order((*unread, *found.problems), files))
    return Input(found.objects, problems, EVERYTHING if _errors(unread) else found.doubts, files)


def examine_documents(documents: Iterable[Document], *, strict: bool = False) -> Input:
    """Decode documents, with errors or without."""
    objects, problems = decode(documents, strict=strict)
    given = objects.documents
    if not _errors(problems):
        return Input(objects, tuple(problems))
    paths = [(d, [p.path for p in _own(d) if p.severity == "error"]) for d in given]
    broken = {id(d.memo["object"][1]): (get(d.kind), wrong) for d, wrong in paths if wrong}
    doubts = {doubt for d, wrong in paths for path in wrong for doubt in _doubts(d, path)}
    if sum(d.kind == "Topology" and isinstance(d.memo["object"][1], Topology) for d in given) > 1:
        doubts |= EVERYTHING
    usable = {
        kind: [_usable(one, *broken.get(id(one), (None, []))) for one in of] for kind, of in objects.found.items()
    }
    left = {kind: tuple(one for one in of if one is not None) for kind, of in usable.items()}
    return Input(replace(objects, found=left, pod_labels={}), tuple(problems), frozenset(doubts))


def _usable(one: Any, kind: Kind | None, wrong: list[str]) -> Any:
    """Return the part of an object that can be used, None for nothing."""
    return kind.usable(one, wrong) if kind is not None and wrong else one


def _own(document: Document) -> Sequence[Problem]:
    """Return the problems that decoding found in a document alone."""
    return document.memo["object"][2] or ()


def _doubts(document: Document, path: str) -> Iterable[Doubt]:
    kind = get(document.kind)
    if kind is None:
        # A kind of netlab's own that does not exist may have been meant to be the Topology.
        return EVERYTHING if str(document.data.get("apiVersion", "")).startswith("netlab/") else ()
    return next((doubts for fields, doubts in kind.doubts if re.fullmatch(fields, path)), ())


def _errors(problems: Iterable[Problem]) -> bool:
    return any(p.severity == "error" for p in problems)
