"""Read input that may have errors and keep the correct part, so that one run reports all problems.

A pod with errors keeps its correct fields. Facts that depend on a field with an error, such as the names of the nodes,
are unknown. No problem is reported that could vanish when the error is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import IO, Any, get_args

from netlab.errors import Problem, in_order
from netlab.frozen import frozen
from netlab.objects import versions
from netlab.objects.all_objects import Objects
from netlab.objects.documents import Reader
from netlab.objects.file_trees import InputSource
from netlab.objects.ignored import ignored_documents
from netlab.objects.kind import Fact, Kind, get
from netlab.objects.load import decode
from netlab.objects.topology import Topology
from netlab.objects.types import Document

ALL_FACTS: frozenset[Fact] = frozenset(get_args(Fact))

Change = Callable[[list[Document], Reader], tuple[list[Document], list[Problem]]]
"""Takes the documents of an input and its reader; returns other documents in their place, and problems."""


@frozen
class Input:
    """The input of a command: the usable part of its objects, the problems, the unknown facts, and the files."""

    objects: Objects
    problems: tuple[Problem, ...]
    unknown: frozenset[Fact] = frozenset()
    files: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether a problem of the input is an error."""
        return _errors(self.problems)

    def problems_and(self, more: Iterable[Problem]) -> list[Problem]:
        """Return the problems of the input and further ones, by file in the order of reading, then by line."""
        return in_order((*self.problems, *more), self.files)


def read_input(
    paths: Sequence[str],
    *,
    strict: bool = False,
    stdin: IO[Any] | None = None,
    ignore: Sequence[str] = (),
    system: bool = False,
    change: Change | None = None,
    sources: Sequence[InputSource] = (),
    server: int | None = None,
) -> Input:
    """Read and decode files, directories and ``-``. It raises no InputError; the arguments are those of ``load``.

    ``system``: the input also asks for system objects. ``change`` changes the documents before they are decoded.
    ``sources``: the forms of input that are no path, as ``netlab.sources.SOURCES`` has them. ``server``: as for
    ``decode``.
    """
    kinds = ignored_documents(ignore)
    if system:
        from netlab.objects.system_objects import system_document

        kinds = [*kinds, system_document()]
    reader = Reader(strict, stdin=stdin, sources=sources)
    documents, unread = reader.read(paths)
    if change is not None:
        documents, more = change(documents, reader)
        unread += more
    found = input_of([*kinds, *documents], strict=strict, server=server)
    files = tuple(reader.files)
    problems = tuple(in_order((*unread, *found.problems), files))
    return Input(found.objects, problems, ALL_FACTS if _errors(unread) else found.unknown, files)


def input_of(documents: Iterable[Document], *, strict: bool = False, server: int | None = None) -> Input:
    """Decode documents. It raises no InputError. The arguments are those of ``decode``."""
    objects, problems = decode(documents, strict=strict, server=server)
    given = objects.documents
    if not _errors(problems):
        return Input(objects, tuple(problems))
    server = versions.of(given) if server is None else server
    judged = ((d, versions.judged(_problems_of(d), server)) for d in given)
    paths = [(d, [p.path for p in found if p.severity == "error"]) for d, found in judged]
    broken = {id(d.memo["object"][1]): (get(d.kind), wrong) for d, wrong in paths if wrong}
    unknown = {fact for d, wrong in paths for path in wrong for fact in _hidden_by(d, path)}
    if sum(d.kind == "Topology" and isinstance(d.memo["object"][1], Topology) for d in given) > 1:
        unknown |= ALL_FACTS
    usable = {
        kind: [_usable(one, *broken.get(id(one), (None, []))) for one in of] for kind, of in objects.found.items()
    }
    left = {kind: tuple(one for one in of if one is not None) for kind, of in usable.items()}
    return Input(replace(objects, found=left, pod_labels={}), tuple(problems), frozenset(unknown))


def _usable(one: Any, kind: Kind | None, wrong: list[str]) -> Any:
    """Return the usable part of an object, None if there is none."""
    return kind.usable(one, wrong) if kind is not None and wrong else one


def _problems_of(document: Document) -> Sequence[Problem]:
    """Return the problems that decoding found in one document."""
    return document.memo["object"][2] or ()


def _hidden_by(document: Document, path: str) -> Iterable[Fact]:
    """Return the facts that are unknown while the field at a path has an error."""
    kind = get(document.kind)
    if kind is None:
        # A misspelt kind of netlab's own API may be the Topology.
        return ALL_FACTS if str(document.data.get("apiVersion", "")).startswith("netlab/") else ()
    return next((unknown for fields, unknown in kind.unknown_if_wrong if re.fullmatch(fields, path)), ())


def _errors(problems: Iterable[Problem]) -> bool:
    return any(p.severity == "error" for p in problems)
