"""Finds the element that a packet matched, from the fields that the kernel prints when it traces the packet."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from netlab.frozen import NamedTuple
from netlab.ruleset.elements import Element, Key, Part, Set, Span, writer


class Found(NamedTuple):
    """An element: its key and value as nft writes them, and its comment."""

    key: str
    value: str
    comment: str


def find(declared: Set, elements: Mapping[Key, Element], fields: Sequence[str]) -> Found | None:
    """Return the element at a key that nft printed; in an interval set, the element that contains it. None if none."""
    try:
        key = tuple(_read(kind, text) for kind, text in zip(declared.key, fields, strict=True))
    except ValueError:
        return None
    if key not in elements:
        containing = (one for one in elements if declared.interval and all(map(_contains, one, key)))
        if (container := next(containing, None)) is None:
            return None
        key = container
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


def _contains(part: Part, field: Part) -> bool:
    """Say whether a part of an interval's key (a prefix, a span, a single value) contains a field."""
    if isinstance(part, IPv4Network | IPv6Network):
        return field in part
    if isinstance(part, Span):
        with contextlib.suppress(TypeError):  # Python does not order addresses of two families.
            return bool(part.first <= field <= part.last)  # type: ignore[operator]
        return False
    return part == field
