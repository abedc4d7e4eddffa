"""Text of an input as Markdown that shows it and does nothing else.

GitHub reads mentions (``@team``), references (``#1``, ``GH-1``), commits, links and emojis in all text but code, after
the Markdown is read: no backslash and no entity keeps it from that. So words of letters and plain numbers are written
as they are, and all other words as code.
"""

from __future__ import annotations

import re
from html import escape
from itertools import accumulate, groupby

from netlab.errors import printable

LONGEST = 400
"""The most characters of a text: a longer one ends with an ellipsis."""

# Words that mean nothing to any reader of Markdown. A word of hexadecimal digits may be the name of a commit.
_WORD = re.compile(
    r"(\(?)((?![0-9a-f]{7})[^\W\d_]+(?:[-'][^\W\d_]+)*|[0-9]{1,6}|[0-9]{1,3}(?:,[0-9]{3})+)([).,;:?]{0,3})"
)
# At the beginning of a line it makes a list.
_NUMBERED = re.compile(r"[0-9]+[.)]")
_BRACKETS = re.compile(r"\(([^()]+)\)([,;:.]?)")
# No code between backquotes can have these in a table.
_NO_SPAN = re.compile(r"[`|\\]")


def plain(text: str, most: int = LONGEST) -> str:
    """Return a text as one line without control characters, cut to a number of characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def inline(text: str, most: int = LONGEST) -> str:
    """Return a text as Markdown for a paragraph, a heading, an item or a cell of a table."""
    return " ".join(_code(part) if code else part for code, part in _parts(plain(text, most)))


def summary(text: str) -> str:
    """Return a text as HTML for a line in which Markdown is not read."""
    return " ".join(_element(part) if code else escape(part) for code, part in _parts(plain(text)))


def _parts(line: str) -> list[tuple[bool, str]]:
    """Return the words of a line in runs, each with whether it is to be code. A semicolon ends a run of code."""
    words = line.split(" ") if line else []
    ended = list(accumulate((word.endswith(";") for word in words), initial=0))
    marked = [(not _is_plain(word, first=not at), ended[at], word) for at, word in enumerate(words)]
    runs = groupby(marked, key=lambda one: (one[0], one[0] and one[1]))
    return [(code, " ".join(word for *_, word in run)) for (code, _), run in runs]


def _is_plain(word: str, *, first: bool) -> bool:
    return _WORD.fullmatch(word) is not None and not (first and _NUMBERED.match(word))


def _code(text: str) -> str:
    head, core, tail = _around(text)
    return _element(text) if _NO_SPAN.search(core) else f"{head}`{core}`{tail}"


def _element(text: str) -> str:
    """Return a text as an element of HTML. A mail address in it would become a link, but for a space without width."""
    head, core, tail = _around(text)
    shown = "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in core).replace("&#64;", "&#64;&#8203;")
    return f"{head}<code>{shown}</code>{tail}"


def _around(text: str) -> tuple[str, str, str]:
    """Return a text as code, and what of it stands before and after the code: one pair of brackets, one mark."""
    if found := _BRACKETS.fullmatch(text):
        return "(", found[1], f"){found[2]}"
    if len(text) > 1 and text[-1] in ",;:":
        return "", text[:-1], text[-1]
    return "", text, ""
