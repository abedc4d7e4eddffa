"""Names for objects with a ``metadata.generateName`` and no name. An API server appends random letters.

The first object of a prefix is ``PREFIX0``, the next ``PREFIX1``, in the order of the input, without names that other
objects of the kind have. So the same input gives the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from netlab.objects.meta import Key, key_of
from netlab.objects.types import Document

# The API server cuts longer prefixes (maxGeneratedNameLength of apiserver/pkg/storage/names).
_LONGEST = 58


def with_generated_names(documents: Iterable[Document]) -> list[Document]:
    """Return the documents; one with a ``generateName`` and no name gets a name."""
    found = list(documents)
    unnamed = [place for place, key in enumerate(map(key_of, found)) if not key.name]
    nameless = [(place, prefix) for place in unnamed if (prefix := _prefix(found[place]))]
    if not nameless:
        return found
    taken = {key_of(one) for one in found}
    numbers: dict[Key, Iterable[int]] = {}
    for place, prefix in nameless:
        key = key_of(found[place])._replace(name=prefix)
        for number in numbers.setdefault(key, count()):
            name = f"{prefix}{number}"
            if key._replace(name=name) not in taken:
                taken.add(key._replace(name=name))
                found[place] = _with_name(found[place], name)
                break
    return found


def _prefix(document: Document) -> str:
    metadata = document.data.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") not in (None, ""):
        return ""
    prefix = metadata.get("generateName")
    return prefix[:_LONGEST] if isinstance(prefix, str) else ""


def _with_name(document: Document, name: str) -> Document:
    """Return the document with a name; the same document each time, so that it is decoded once."""
    known: Document | None = document.memo.get("named")
    if known is None or key_of(known).name != name:
        metadata: dict[str, Any] = {**document.data["metadata"], "name": name}
        data = {**document.data, "metadata": metadata}
        known = document.memo["named"] = Document(data, document.source, document.duplicates)
    return known
