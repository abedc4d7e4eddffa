"""Plain data as YAML text, in the block style that kubectl prints.

Output needs a small, safe subset of YAML only, and streams it. Libraries write a whole document at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# Every YAML reader takes these for strings. All other strings are quoted as in JSON.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def lines(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a value of mappings, lists and scalars, ``depth`` levels in."""
    indent = "  " * depth
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{scalar(key)}:", item, depth if isinstance(item, list) else depth + 1)
    elif isinstance(value, list) and value:
        for item in value:
            inner = list(lines(item, depth + 1))
            yield f"{indent}- {inner[0].lstrip()}"
            yield from inner[1:]
    else:
        yield f"{indent}{scalar(value)}"


def _entry(head: str, item: Any, depth: int) -> Iterator[str]:
    if isinstance(item, (dict, list)) and item:
        yield head
        yield from lines(item, depth)
    else:
        yield f"{head} {scalar(item)}"


def scalar(value: Any) -> str:
    """Return a scalar (or an empty collection) on one line; a JSON string is a double-quoted YAML string."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    # JSON escapes characters beyond the basic plane as two surrogates, which YAML reads as two characters.
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
