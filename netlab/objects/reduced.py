"""What of a document a running lab keeps: the fields that netlab reads, and nothing else of it.

Manifests hold secrets: data of Secrets, values of ``env``, arguments of programs, whole manifests in the annotation
``kubectl.kubernetes.io/last-applied-configuration``. None of it may reach a lab's record. Which fields are read is not
written down a second time: a document is decoded once more, as a mapping that notes what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netlab.objects.decoders import without_skipped
from netlab.objects.kind import get
from netlab.objects.load import decode
from netlab.objects.meta import is_read_annotation
from netlab.objects.types import Document, Source

_KEPT = "kept"
_ABSENT: Any = object()
# What is noted of documents is garbage at once, and cheap to collect while it is little.
_AT_ONCE = 200


class _Noted(dict[str, Any]):
    """A mapping that notes which of its fields are read, in ``found``; to list the names alone reads nothing."""

    __slots__ = ("found",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self.found: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        found = self.found
        if name not in found:
            value = super().get(name, _ABSENT)
            if value is _ABSENT:
                return default
            found[name] = value if isinstance(value, str) else _noted(value)
        return found[name]

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, _ABSENT)
        if value is _ABSENT:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return self.get(name, _ABSENT) is not _ABSENT  # type: ignore[arg-type]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]

    def __iter__(self) -> Iterator[str]:
        # Without a method of its own, `{**data}` would copy the mapping past the methods above.
        return super().__iter__()


def _noted(value: Any) -> Any:
    if isinstance(value, dict):
        return _Noted(value)
    return [_noted(item) for item in value] if isinstance(value, list) else value


def reduced(documents: Iterable[Document]) -> list[Document]:
    """Return the documents of a lab, each with the fields and lines only that decoding it reads.

    Documents that netlab does not read, or that are ignored, are left out, and so are Scenarios, which are no part of a
    lab.
    """
    given = without_skipped(documents)
    new = [document for document in given if _KEPT not in document.memo]
    for start in range(0, len(new), _AT_ONCE):
        _prepare(new[start : start + _AT_ONCE])
    pairs = ((document, document.memo[_KEPT]) for document in given)
    return [document if one is True else one for document, one in pairs if one is not None]


def mark_reduced(document: Document) -> Document:
    """Return a document which is known to have no field too many."""
    document.memo[_KEPT] = True
    return document


def _prepare(documents: list[Document]) -> None:
    noted = [
        (document, Document(_Noted(document.data), document.source))
        for document in documents
        if (kind := get(document.kind)) is None or kind.of_lab
    ]
    decode(twin for _, twin in noted)
    for document in documents:
        document.memo[_KEPT] = None
    for document, twin in noted:
        _, one, _ = twin.memo["object"]
        if one is not None:
            document.memo[_KEPT] = _reduced(document, twin)


def _reduced(document: Document, twin: Document) -> Document:
    lines = {"": document.source.line()}
    data = _read_of(twin.data, "", lines[""], document.source, lines)
    found = mark_reduced(Document(data, Source(document.source.file, lines)))
    if "object" in document.memo:
        found.memo["object"] = document.memo["object"]
    return found


def _read_of(value: Any, path: str, line: int, source: Source, lines: dict[str, int]) -> Any:
    """Return what was read of a value; its lines are added where they are not those of the field that it is in."""
    if isinstance(value, _Noted):
        found = {}
        annotations = path.endswith("metadata.annotations") or path == "metadata.annotations"
        for name in value:
            if name not in value.found or (annotations and not is_read_annotation(name)):
                continue
            found[name] = _child(value.found[name], f"{path}.{name}" if path else name, line, source, lines)
        return found
    if isinstance(value, list):
        return [_child(item, f"{path}[{index}]", line, source, lines) for index, item in enumerate(value)]
    return value


def _child(value: Any, path: str, line: int, source: Source, lines: dict[str, int]) -> Any:
    own = source.line(path)
    if own != line:
        lines[path] = own
    return _read_of(value, path, own, source, lines)
