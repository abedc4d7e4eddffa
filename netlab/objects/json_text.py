"""A JSON parser that has the line of every field. The standard library's parser has lines of errors only."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any

from netlab.objects.bounds import FIELD, LIST, MAPPING, MAX_DEPTH, NARROW, WIDE_FIELD, Budget, too_dense
from netlab.objects.lines import Lines, Table
from netlab.objects.scalars import DIGITS, number
from netlab.patterns import pattern

_SPACE = pattern(r"[ \t\r\n]*")
_NUMBER = pattern(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# The largest number of distinct keys that are cached.
_NAMES = 5_000
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


class JSONText:
    """Reads the JSON values of a text, one after another.

    After each value, ``lines`` has the lines of its fields, and the fields that are written twice.
    """

    def __init__(self, text: str, budget: Budget) -> None:
        self._text = text
        self._budget = budget
        self._position = 0
        self._counted = 0
        self._line = 1
        self._names: dict[str, str] = {}
        self._table = Table()
        # The block in the table of the value just read, 0 if it has no fields or items.
        self._block = 0
        self.lines = Lines(self._table, 0)

    def values(self) -> Iterator[Any]:
        """Yield each value in turn.

        Raises:
          JSONDecodeError: if the text is not JSON; ``lineno`` is the line.
          TooLargeError: if it takes more memory than the budget has.
        """
        while self._peek():
            line = self._line_here()
            value = self._value(0)
            self.lines = Lines(self._table, line, self._block)
            yield value

    def _peek(self) -> str:
        self._position = _SPACE.match(self._text, self._position).end()  # type: ignore[union-attr]
        return self._text[self._position : self._position + 1]

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def _error(self, message: str) -> JSONDecodeError:
        return JSONDecodeError(message, self._text, self._position)

    def _value(self, depth: int) -> Any:
        first = self._peek()
        self._block = 0
        if first == '"':
            return self._string()
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                raise self._error(f"nested more than {MAX_DEPTH} deep")
            return self._object(depth + 1) if first == "{" else self._array(depth + 1)
        if first in _WORDS:
            word, value = _WORDS[first]
            if self._text.startswith(word, self._position):
                self._position += len(word)
                return value
        elif match := _NUMBER.match(self._text, self._position):
            self._position = match.end()
            text = match[0]
            return number(float(text), text) if match[1] or match[2] or len(text) > DIGITS else int(text)
        raise self._error("Expecting value")

    def _string(self) -> str:
        text, self._position = scanstring(self._text, self._position + 1, True)
        if not text.isascii():
            # Half a surrogate pair cannot be printed. Go also replaces it with U+FFFD.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if len(text) > FIELD:
            self._budget.spend(4 * len(text))
        return str(text)

    def _name(self) -> str:
        """Return a key; equal keys are the same string object, which saves memory."""
        name = self._string()
        if len(self._names) > _NAMES:
            self._names.clear()
        return self._names.setdefault(name, name)

    def _more(self, closing: str) -> bool:
        """Read a comma or the closing bracket; return whether it was a comma."""
        found = self._peek()
        if found not in (",", closing) or not found:
            raise self._error(f"Expecting ',' or '{closing}'")
        self._position += 1
        return found == ","

    def _object(self, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        below: dict[str, int] = {}
        repeated: list[tuple[str, int]] = []
        first = len(self._table)
        budget = self._budget
        budget.spend(MAPPING)
        self._position += 1
        if self._peek() == "}":
            self._position += 1
            return data
        while True:
            budget.memory -= FIELD if len(lines) < NARROW else WIDE_FIELD
            if budget.memory < 0:
                raise too_dense()
            if self._peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            line = self._line_here()
            key = self._name()
            if self._peek() != ":":
                raise self._error("Expecting ':' delimiter")
            self._position += 1
            if key in data:
                repeated.append((key, line))
                below.pop(key, None)
            lines[key] = line
            data[key] = self._value(depth)
            if self._block:
                below[key] = self._block
            if not self._more("}"):
                self._block = self._table.add_mapping(first, lines, below)
                if repeated:
                    self._table.repeated[self._block] = repeated
                return data

    def _array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        lines, below = array("I"), array("I")
        first = len(self._table)
        budget = self._budget
        budget.spend(LIST)
        self._position += 1
        if self._peek() == "]":
            self._position += 1
            return items
        while True:
            budget.memory -= FIELD
            if budget.memory < 0:
                raise too_dense()
            self._peek()
            lines.append(self._line_here())
            items.append(self._value(depth))
            below.append(self._block)
            if not self._more("]"):
                self._block = self._table.add_list(first, lines, below)
                return items
