"""Comments in rulesets: the names of pods and policies for the numbers, as short and as plain as nft requires."""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 128
"""Bytes in an element's comment: NFTNL_UDATA_COMMENT_MAXLEN in libnftnl's udata.h."""

_PART_LIMITS = (LIMIT, 60, 38)
"""Limits for each part of a sentence, in bytes, tried in order until the sentence fits. Three parts fit at 38."""


def plain(text: str) -> str:
    """Return a text with "?" for each character that could end a comment or a quoted string of an nft file.

    Names in files have no such characters, as decoding refuses them. Objects that a program makes may have them, and
    nft has no escape for a quote within quotes.
    """
    if text.isascii() and text.isprintable() and '"' not in text:
        return text
    return "".join(c if c.isascii() and c.isprintable() and c != '"' else "?" for c in text)


def listing(names: Sequence[str], limit: int = LIMIT) -> str:
    """Return as many names as fit into ``limit`` bytes, and the number of the others: ``a, b and 3 more``."""
    fitting = ""
    for count in range(1, len(names) + 1):
        rest = len(names) - count
        text = ", ".join(names[:count]) + (f" and {rest} more" if rest else "")
        if len(text) <= limit:
            fitting = text
        elif len(text) > limit + len(" and 99999999 more"):
            break
    if fitting or not names:
        return fitting
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return names[0][: max(0, limit - len(more) - 3)] + "..." + more


def sentence(first: Sequence[str], *more: tuple[str, Sequence[str]]) -> str:
    """Join listings by words into one comment: ``sentence(["a"], ("from", ["b"]))`` is ``a from b``."""
    text = ""
    for limit in _PART_LIMITS:
        text = listing(first, limit) + "".join(f" {word} {listing(names, limit)}" for word, names in more)
        if len(text) <= LIMIT:
            break
    return text[:LIMIT]
