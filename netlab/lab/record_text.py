"""A lab's record as a value and as JSON text; the same text in every store.

It keeps the fields of documents that netlab reads. A document has a line of its own, which is kept with it: most
documents are those of the record before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Any, TypeVar

from netlab.cluster import Placement
from netlab.dataplane.names import belongs
from netlab.dataplane.part import Part
from netlab.errors import DamagedRecord
from netlab.frozen import frozen_with_cache
from netlab.lab import parts
from netlab.lab.allocations import Allocation, from_json
from netlab.objects import Document
from netlab.objects.documents import from_record, from_record_line, record_lines
from netlab.objects.reduced import mark_reduced, reduced_for_record

_T = TypeVar("_T")
# It goes up when netlab reads more of documents, as an older record does not have that.
_VERSION = 3
# Of a record with a part: a netlab that reads no parts would take it for the whole lab.
_VERSION_WITH_PART = 4
# A record is one JSON text. Its last field has a document in each line.
_DOCUMENTS, _AFTER_START, _BETWEEN, _END = '"documents":[', b"\n", b",\n", b"\n]}\n"


@frozen_with_cache
class Record:
    """The objects of a lab and what was decided for them.

    ``ready`` is false while the lab is built or changed. ``namespaces`` are all that may exist, with those of a change
    under way. ``placement`` keeps the nodes and addresses of running pods when objects change, ``services`` the
    addresses and ports of Services. ``part`` is what this machine has of a lab on several machines; None: all of it.
    """

    lab: str
    documents: tuple[Document, ...]
    placement: Mapping[str, Placement] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
    ready: bool = False
    boot: str = ""
    services: Mapping[str, Allocation] = field(default_factory=dict)
    part: Part | None = None

    @cached_property
    def decided(self) -> str:
        """Placement and allocations as JSON, without the braces around them."""
        placement = {ref: (p.node, [str(a) for a in p.addresses]) for ref, p in self.placement.items()}
        return _json({"placement": placement, "services": self.services})[1:-1]


def encoded(record: Record, boot: str, ready: bool, namespaces: Sequence[str]) -> bytes:
    """Return the text of a record with another boot and state, and other namespaces."""
    head = {
        "version": _VERSION if record.part is None else _VERSION_WITH_PART,
        "lab": record.lab,
        "boot": boot,
        "ready": ready,
        "namespaces": list(namespaces),
    }
    if record.part is not None:
        head["part"] = parts.to_json(record.part)
    # ``decided`` stays with the record, which is written twice for a change.
    start = f"{_json(head)[:-1]},{record.decided},{_DOCUMENTS}".encode()
    lines = record_lines(reduced_for_record(record.documents))
    return b"".join((start, _AFTER_START, _BETWEEN.join(lines), _END))


def decoded(lab: str, text: bytes, where: str) -> Record:
    """Return the record of a text that ``where`` names; raises DamagedRecord."""
    return Decoder(lab).record(text, where)


class Decoder:
    """Decodes the records of one lab, one after the other.

    What did not change since the record before is not decoded again: its documents are the same values, and so are the
    placement and the allocations where all of them are the same.
    """

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self._start = b""
        self._known: dict[bytes, Document] = {}
        self._record: Record | None = None

    def record(self, text: bytes, where: str) -> Record:
        """Return the record of a text that ``where`` names; raises DamagedRecord."""
        try:
            return self._decoded(text)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DamagedRecord(self._lab, f"{where} is damaged") from error

    def _decoded(self, text: bytes) -> Record:
        start, newline, rest = text.partition(_AFTER_START)
        if not (newline and start.endswith(_DOCUMENTS.encode()) and rest.endswith(_END)):
            data: dict[str, Any] = json.loads(text)
            return _record(self._lab, data, _checked(from_record(_typed(list, data["documents"]))))
        lines = rest[: -len(_END)].split(_BETWEEN) if len(rest) > len(_END) else []
        known = self._known
        new = [line for line in lines if line not in known]
        documents = known | dict(zip(new, _checked(map(from_record_line, new)), strict=True))
        found = tuple(documents[line] for line in lines)
        if self._record is not None and start == self._start:
            record = replace(self._record, documents=found)
        else:
            record = _record(self._lab, json.loads(start + b"]}"), found)
        self._start, self._record = start, record
        if len(documents) > len(found):
            kept = set(lines)
            documents = {line: document for line, document in documents.items() if line in kept}
        self._known = documents
        return record


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _checked(documents: Iterable[Document]) -> tuple[Document, ...]:
    """Return documents of a record; raises an error where a type is wrong."""
    found = tuple(map(mark_reduced, documents))
    for document in found:
        _typed(dict, document.data)
        _typed(str, document.source.file)
        if not all(type(line) is int for line in document.source.lines.values()):
            raise TypeError("lines")
        if not all(type(path) is str and type(line) is int for path, line in document.duplicates):
            raise TypeError("duplicates")
    return found


def _record(lab: str, data: dict[str, Any], documents: tuple[Document, ...]) -> Record:
    """Return the record of JSON data and documents; raises DamagedRecord, or another error where a type is wrong."""
    if data.get("version") != (_VERSION_WITH_PART if "part" in data else _VERSION):
        raise DamagedRecord(lab, "it is of another netlab version")
    placement = {
        ref: Placement(_typed(str, node), tuple(ip_address(_typed(str, address)) for address in addresses))
        for ref, (node, addresses) in data["placement"].items()
    }
    namespaces = tuple(_typed(str, name) for name in _typed(list, data["namespaces"]))
    if data["lab"] != lab or not all(belongs(lab, name) for name in namespaces):
        raise DamagedRecord(lab, "it is of another lab")
    services = from_json(_typed(dict, data["services"]))
    ready, boot = _typed(bool, data["ready"]), _typed(str, data["boot"])
    part = parts.from_json(_typed(dict, data["part"])) if "part" in data else None
    return Record(lab, documents, placement, namespaces, ready, boot, services, part)


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind):
        raise TypeError(kind.__name__)
    return value
