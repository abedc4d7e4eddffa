"""Comments in rulesets: the names behind the numbers, cut to what nft takes and without what would end them."""

from __future__ import annotations

from collections.abc import Sequence

LIMIT = 128
"""Bytes in an element's comment: NFTNL_UDATA_COMMENT_MAXLEN in libnftnl's udata.h."""

_SHARES = (LIMIT, 60, 38)
"""How long each part of a sentence may be, tried in order until the whole fits: three parts and their words at 38."""


def plain(text: str) -> str:
    """Return a text that ends no comment and no quoted string of an nft file, whatever is in it.

    Names that were read from files have no such characters, but objects that a program made itself may have them; nft
    knows no way of writing a quote within quotes.
    """
    if text.isascii() and text.isprintable() and '"' not in text:
        return text
    return "".join(c if c.isascii() and c.isprintable() and c != '"' else "?" for c in text)


def listing(names: Sequence[str], limit: int = LIMIT) -> str:
    """Return as many of the names as fit into ``limit`` bytes, and how many more there are: ``a, b and 3 more``."""
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
    for share in _SHARES:
        text = listing(first, share) + "".join(f" {word} {listing(names, share)}" for word, names in more)
        if len(text) <= LIMIT:
            break
    return text[:LIMIT]
