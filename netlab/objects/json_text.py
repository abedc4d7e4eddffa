"""JSON with line numbers: the standard library's parsers tell only where an error is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any

from netlab.objects.scalars import number

MAX_DEPTH = 200
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


class JSONText:
    """Reads the JSON values that stand one after another in a text.

    After each value ``lines`` maps its field paths to lines, and ``duplicates`` lists keys that stood twice.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._counted = 0
        self._line = 1
        self.lines: dict[str, int] = {}
        self.duplicates: list[tuple[str, int]] = []

    def values(self) -> Iterator[Any]:
        """Yield each value in turn.

        Raises:
          JSONDecodeError: where the text is not JSON; ``lineno`` says where.
        """
        while self._peek():
            self.lines, self.duplicates = {"": self._line_here()}, []
            yield self._value("", 0)

    def _peek(self) -> str:
        self._position = _SPACE.match(self._text, self._position).end()  # type: ignore[union-attr]
        return self._text[self._position : self._position + 1]

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line

    def _error(self, message: str) -> JSONDecodeError:
        return JSONDecodeError(message, self._text, self._position)

    def _value(self, path: str, depth: int) -> Any:
        first = self._peek()
        if first == '"':
            return self._string()
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                raise self._error(f"nested more than {MAX_DEPTH} deep")
            return self._object(path, depth + 1) if first == "{" else self._array(path, depth + 1)
        if first in _WORDS:
            word, value = _WORDS[first]
            if self._text.startswith(word, self._position):
                self._position += len(word)
                return value
        elif match := _NUMBER.match(self._text, self._position):
            self._position = match.end()
            return number(float(match[0]), match[0]) if match[1] or match[2] else int(match[0])
        raise self._error("Expecting value")

    def _string(self) -> str:
        text, self._position = scanstring(self._text, self._position + 1, True)
        if not text.isascii():
            # Half a surrogate pair is no character and could not be printed; Go makes it U+FFFD as well.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return str(text)

    def _more(self, closing: str) -> bool:
        """Step over the comma before the next item, or over the closing bracket."""
        found = self._peek()
        if found not in (",", closing) or not found:
            raise self._error(f"Expecting ',' or '{closing}'")
        self._position += 1
        return found == ","

    def _object(self, path: str, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        self._position += 1
        if self._peek() == "}":
            self._position += 1
            return data
        while True:
            if self._peek() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            line = self._line_here()
            key = self._string()
            if self._peek() != ":":
                raise self._error("Expecting ':' delimiter")
            self._position += 1
            child = f"{path}.{key}" if path else key
            if key in data:
                self.duplicates.append((child, line))
            self.lines[child] = line
            data[key] = self._value(child, depth)
            if not self._more("}"):
                return data

    def _array(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        self._position += 1
        if self._peek() == "]":
            self._position += 1
            return items
        while True:
            self._peek()
            child = f"{path}[{len(items)}]"
            self.lines[child] = self._line_here()
            items.append(self._value(child, depth))
            if not self._more("]"):
                return items
