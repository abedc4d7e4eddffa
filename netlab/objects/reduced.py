"""Documents reduced to the fields that netlab reads, for the record of a lab.

Manifests hold secrets: data of Secrets, values of ``env``, arguments of programs, whole manifests in the annotation
``kubectl.kubernetes.io/last-applied-configuration``. None may be in a lab's record. To find the fields that netlab
reads, a document is decoded once more as a mapping that records which fields are read. So there is no second list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from netlab.objects.decoders import without_skipped
from netlab.objects.kind import get
from netlab.objects.load import decode
from netlab.objects.meta import is_read_annotation
from netlab.objects.types import Document, Source

_REDUCED = "reduced"
_ABSENT: Any = object()
# How many documents are decoded at a time. The recording mappings are garbage afterwards, and cheap to collect if few.
_BATCH = 200


class _Recording(dict[str, Any]):
    """A mapping that records its fields that are read in ``found``. Iteration over the names reads no field."""

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
            found[name] = value if isinstance(value, str) else _recording(value)
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
        # Without this method, `{**data}` would copy the mapping without calling the methods above.
        return super().__iter__()


def _recording(value: Any) -> Any:
    if isinstance(value, dict):
        return _Recording(value)
    return [_recording(item) for item in value] if isinstance(value, list) else value


def reduced(documents: Iterable[Document]) -> list[Document]:
    """Return the documents of a lab, each with only the fields, and their lines, that decoding reads.

    Documents that netlab does not read, or that the user ignores, are left out. So are Scenarios, which are not part of
    a lab.
    """
    given = without_skipped(documents)
    _reduce([document for document in given if _REDUCED not in document.memo])
    pairs = ((document, document.memo[_REDUCED]) for document in given)
    return [document if one is True else one for document, one in pairs if one is not None]


def each_reduced(documents: Sequence[Document]) -> list[Document]:
    """Return each document as ``reduced`` does; one that netlab does not read, or that has errors, as it is."""
    _reduce([document for document in documents if _REDUCED not in document.memo])
    return [document if (one := document.memo[_REDUCED]) in (True, None) else one for document in documents]


def reduced_for_record(documents: Sequence[Document]) -> Sequence[Document]:
    """Return what ``reduced`` returns; documents that all come from it are returned as they are."""
    return documents if all(document.memo.get(_REDUCED) is True for document in documents) else reduced(documents)


def mark_reduced(document: Document) -> Document:
    """Mark a document as reduced, as one from a lab's record is; return it."""
    document.memo[_REDUCED] = True
    return document


def _reduce(documents: Sequence[Document]) -> None:
    for start in range(0, len(documents), _BATCH):
        _reduce_batch(documents[start : start + _BATCH])


def _reduce_batch(documents: Sequence[Document]) -> None:
    copies = [
        (document, Document(_Recording(document.data), document.source))
        for document in documents
        if (kind := get(document.kind)) is None or kind.of_lab
    ]
    decode(copy for _, copy in copies)
    for document in documents:
        document.memo[_REDUCED] = None
    for document, copy in copies:
        _, one, _ = copy.memo["object"]
        if one is not None:
            document.memo[_REDUCED] = _reduced_to(document, copy)


def _reduced_to(document: Document, copy: Document) -> Document:
    lines = {"": document.source.line()}
    data = _read_part(copy.data, "", lines[""], document.source, lines)
    found = mark_reduced(Document(data, Source(document.source.file, lines, ignored=document.source.ignored)))
    if "object" in document.memo:
        found.memo["object"] = document.memo["object"]
    return found


def _read_part(value: Any, path: str, line: int, source: Source, lines: dict[str, int]) -> Any:
    """Return the part of a value that was read, and add the lines of its fields that differ from their parent's."""
    if isinstance(value, _Recording):
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
    return _read_part(value, path, own, source, lines)
