"""The matrices and policies of a page as JSON. Texts, rows and cells that are equal are written once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from netlab.errors import printable
from netlab.report.blocks import Answer, Cell, Header, Matrix, Policy
from netlab.report.truth_table import MEANING

LONGEST = 2_000
"""The most characters of a text in the data."""


class PageData:
    """Collects the data of a page; ``text`` is the JSON, safe inside of an element ``script``."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._headers: dict[int, int] = {}
        self._cells: dict[int, int] = {}
        self._header_data: list[Any] = []
        self._cell_data: list[Any] = []
        self._blocks: list[list[Any]] = []
        self._policies: dict[str, list[Any]] = {}
        # Keeps the values alive whose identities are keys.
        self._kept: list[object] = []

    def add_matrices(self, items: Sequence[Matrix]) -> int:
        """Add the matrices of a block; return the block's number."""
        self._kept.append(items)
        self._blocks.append([self._matrix(one) for one in items])
        return len(self._blocks) - 1

    def add_policy(self, policy: Policy, ident: str) -> None:
        """Add what cells show of a policy, which the page has at ``ident``."""
        self._policies[printable(policy.name)] = [self._text(ident), self._text(policy.place), self._list(policy.rules)]

    def text(self) -> str:
        """Return the JSON."""
        found = {
            "meaning": MEANING,
            "texts": list(self._texts),
            "units": self._header_data,
            "cells": self._cell_data,
            "blocks": self._blocks,
            "policies": self._policies,
        }
        # ``</script>`` and ``<!--`` cannot occur: both begin with "<". All other characters are ASCII.
        return json.dumps(found, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e")

    def _matrix(self, one: Matrix) -> dict[str, Any]:
        numbers = [self._cell(cell) for cell in one.kinds]
        return {
            "name": self._text(one.name),
            "rows": [self._header(unit) for unit in one.rows],
            "columns": [self._header(unit) for unit in one.columns],
            "cells": [[numbers[kind] for kind in line] for line in one.cells],
            "inner": [self._matrix(inner) for inner in one.inner],
            "notes": self._list(one.notes),
            "axes": self._list(one.axes),
            "meaning": {mark: self._text(text) for mark, text in one.meaning.items()},
        }

    def _header(self, one: Header) -> int:
        number = self._headers.get(id(one))
        if number is None:
            self._kept.append(one)
            number = self._headers[id(one)] = len(self._header_data)
            lists = map(self._list, (one.namespaces, one.labels, one.lines))
            self._header_data.append([self._text(one.name), *lists, self._text(one.flag), self._text(one.ident)])
        return number

    def _cell(self, one: Cell) -> int:
        number = self._cells.get(id(one))
        if number is None:
            self._kept.append(one)
            number = self._cells[id(one)] = len(self._cell_data)
            answers = [self._answer(answer) for answer in one.answers]
            self._cell_data.append([one.mark, self._text(one.text), answers, list(one.opens)])
        return number

    def _answer(self, one: Answer) -> list[Any]:
        texts = (one.asked, one.verdict, one.reason, one.pair)
        return [*map(self._text, texts), self._list(one.lines), self._list(one.policies)]

    def _list(self, texts: Iterable[str]) -> list[int]:
        return [self._text(text) for text in texts]

    def _text(self, text: str) -> int:
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}…"
        return self._texts.setdefault(printable(text), len(self._texts))
