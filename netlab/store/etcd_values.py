"""A record as values of etcd: a head, and parts where it is too large for one request of etcd (1.5 MB).

The head is a line of JSON with the record's size and the number of its parts. The compressed record follows it, or is
in the parts.
"""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Sequence

from netlab.errors import HostError
from netlab.frozen import NamedTuple, frozen
from netlab.store.values import MOST

# Bytes. Base64 adds a third outside of etcd only.
PART, INLINE = 1 << 20, 1 << 19
# etcd takes 128 operations in a transaction by default, and a few are not for parts.
MOST_PARTS = 100
_FORMAT = 1


@frozen
class Head:
    """The head of a record: ``id`` is another one for each save, and ``inline`` the record where it has no parts."""

    id: str
    size: int
    parts: int
    inline: bytes


class Packed(NamedTuple):
    """A record as etcd keeps it: the id, the value of the head, and the parts."""

    id: str
    head: bytes
    parts: Sequence[bytes]


def packed(data: bytes) -> Packed:
    """Return a record as values, with a new id; raises HostError where it is too large."""
    text = zlib.compress(data, 1)
    parts = [] if len(text) <= INLINE else [text[at : at + PART] for at in range(0, len(text), PART)]
    if len(data) > MOST or len(parts) > MOST_PARTS:
        raise HostError(f"a record of {len(data)} bytes is too large for etcd")
    id_ = secrets.token_hex(8)
    line = json.dumps({"format": _FORMAT, "id": id_, "size": len(data), "parts": len(parts)}).encode()
    return Packed(id_, line + b"\n" + (b"" if parts else text), parts)


def head(value: bytes) -> Head:
    """Return the head of a value; raises ValueError where it is damaged, or of another format."""
    line, _, inline = value.partition(b"\n")
    data = json.loads(line)
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError("format")
    id_, size, parts = data.get("id"), data.get("size"), data.get("parts")
    if type(id_) is not str or type(size) is not int or type(parts) is not int:
        raise ValueError("types")
    if not (len(id_) == 16 and set(id_) <= set("0123456789abcdef") and 0 <= size <= MOST and 0 <= parts <= MOST_PARTS):
        raise ValueError("values")
    return Head(id_, size, parts, inline)


def unpacked(of: Head, text: bytes) -> bytes:
    """Return the record; raises ValueError where it is damaged. No more than its size is decompressed."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(text, of.size + 1)
    except zlib.error as error:
        raise ValueError("compression") from error
    if len(data) != of.size or not stream.eof:
        raise ValueError("size")
    return data
