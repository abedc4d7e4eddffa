"""The documents that findings are about: what their comments silence, and fingerprints that survive moved lines."""

from __future__ import annotations

import hashlib
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from netlab.objects.ignore_comments import ANNOTATION, named_rules
from netlab.objects.meta import key_of
from netlab.objects.types import Document
from netlab.policy.lint.rule import Found

_STEP = re.compile(r"\[([0-9]{1,9})\]|\.?([^.\[]+)")
_INDEX = re.compile(r"\[[0-9]+\]")
_NONE: frozenset[str] = frozenset()


class Places:
    """Finds the document of a finding: in its file the one of its object, or the one that has its line."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._of_file: dict[str, list[tuple[int, Document]]] = {}
        self._of_object: dict[tuple[str, str], list[tuple[int, Document]]] = {}
        for document in documents:
            file, line = document.source.file, document.source.line()
            self._of_file.setdefault(file, []).append((line, document))
            self._of_object.setdefault((file, str(key_of(document))), []).append((line, document))
        for of in self._of_file.values():
            of.sort(key=_line)

    def document(self, found: Found) -> Document | None:
        """Return the document that a finding is about, None if it is about a file or about no object of the input."""
        of = self._of_object.get((found.file, found.object))
        if of is None:
            of = self._of_file.get(found.file, [])
            if not found.line:
                return None
        if not of:
            return None
        # The last document that begins at the line or before it.
        return of[max(bisect_right(of, found.line, key=_line) - 1, 0)][1]

    def ignored(self, found: Found) -> frozenset[str]:
        """Return the rules that the object of a finding silences, by a comment or by its annotation."""
        document = self.document(found)
        if document is None:
            return _NONE
        return ignored_by(document)

    def fingerprint(self, rule: str, found: Found) -> str:
        """Return a text that is equal for the finding after lines, items or the file moved.

        It depends on the rule, the object, the names of the fields of the path, and the value at the path.
        """
        document = self.document(found)
        if document is None:
            about: Any = [os.path.basename(found.file), _INDEX.sub("", found.message)]
        else:
            about = value_at(document.data, found.path)
        text = json.dumps([rule, found.object, _INDEX.sub("[]", found.path), about], sort_keys=True, default=str)
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def ignored_by(document: Document) -> frozenset[str]:
    """Return the rules that a document silences, by a comment or by its annotation."""
    metadata = document.data.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    text = annotations.get(ANNOTATION) if isinstance(annotations, Mapping) else None
    written = named_rules(text) if isinstance(text, str) else _NONE
    return written | document.source.ignored


def value_at(data: Any, path: str) -> Any:
    """Return the value at a field path, or the nearest value above it that there is."""
    for item, name in _STEP.findall(path):
        if item:
            if not isinstance(data, list) or int(item) >= len(data):
                return data
            data = data[int(item)]
        elif isinstance(data, Mapping) and name in data:
            data = data[name]
        else:
            return data
    return data


def _line(pair: tuple[int, Document]) -> int:
    return pair[0]
