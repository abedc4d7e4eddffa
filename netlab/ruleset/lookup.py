"""Finds the element that a packet's fields look up, where a kernel prints the fields as text."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple

from netlab.ruleset.elements import Element, Key, Part, Set, Span, writer


class Found(NamedTuple):
    """An element, with its key and the value at it as nft writes them."""

    key: str
    value: str
    comment: str


def find(declared: Set, elements: Mapping[Key, Element], fields: Sequence[str]) -> Found | None:
    """Return the element at a key whose fields nft printed; of an interval set the one that holds the key."""
    try:
        key = tuple(_read(kind, text) for kind, text in zip(declared.key, fields, strict=True))
    except ValueError:
        return None
    if key not in elements:
        holding = (one for one in elements if declared.interval and all(map(_holds, one, key)))
        if (held := next(holding, None)) is None:
            return None
        key = held
    element = elements[key]
    return Found(
        writer(declared.key)(key), writer(declared.value)(element.value) if element.value else "", element.comment
    )


def _read(kind: str, text: str) -> Part:
    match kind:
        case "ipv4_addr" | "ipv6_addr":
            return ip_address(text)
        case "mark" | "inet_service":
            return int(text, 0)
        case "classid":
            major, _, minor = text.partition(":")
            return int(major, 16) << 16 | int(minor, 16)
        case _:
            return text.strip('"')


def _holds(part: Part, field: Part) -> bool:
    """Say whether a part of an interval's key (a prefix, a span, a single value) holds a field."""
    if isinstance(part, IPv4Network | IPv6Network):
        return field in part
    if isinstance(part, Span):
        with contextlib.suppress(TypeError):  # addresses of two families have no order
            return bool(part.first <= field <= part.last)  # type: ignore[operator]
        return False
    return part == field
