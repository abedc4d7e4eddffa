"""The frames of SPDY/3.1, without input and output: bytes to frames, and frames to bytes.

Clients before WebSocket, and all clients of port-forward, speak it inside of an upgraded connection. There is no flow
control, as the library of Kubernetes (github.com/moby/spdystream) has none.

Source: SPDY Protocol, draft 3.1 (www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from netlab.control_plane.nodes.websocket import ProtocolError
from netlab.frozen import NamedTuple

NAME = "SPDY/3.1"
_VERSION = 3
DATA, SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 0, 1, 2, 3, 4, 6, 7, 8, 9
_FINAL = 1
# The statuses of RST_STREAM.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
# Bytes of a frame, of the headers of a frame, and headers: those of Kubernetes are some hundred bytes.
_MOST, _MOST_HEADERS, _MOST_NAMES = 1 << 20, 16 << 10, 64
_STREAM = 0x7FFFFFFF

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)


class Frame(NamedTuple):
    """A frame; ``kind`` is a number of this module. ``final``: the sender has nothing more for the stream."""

    kind: int
    stream: int = 0
    data: bytes = b""
    final: bool = False
    headers: Mapping[str, str] = {}


class Connection:
    """What one end of a connection keeps: bytes of half a frame, and the state of both compressions of headers."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._inflate = zlib.decompressobj(zdict=_DICTIONARY)
        self._deflate = zlib.compressobj(zdict=_DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes, and yield the frames that are whole; raises ProtocolError."""
        self._left += data
        while len(self._left) >= 8:
            size = int.from_bytes(self._left[5:8], "big")
            if size > _MOST:
                raise ProtocolError("a frame is too large")
            if len(self._left) < 8 + size:
                return
            head, body = bytes(self._left[:8]), bytes(self._left[8 : 8 + size])
            del self._left[: 8 + size]
            yield self._frame(head, body)

    def syn_stream(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Return the bytes that open a stream."""
        body = stream.to_bytes(4, "big") + bytes(6) + self._packed(headers)
        return _control(SYN_STREAM, 0, body)

    def syn_reply(self, stream: int) -> bytes:
        """Return the bytes that accept a stream."""
        return _control(SYN_REPLY, 0, stream.to_bytes(4, "big") + self._packed({}))

    def _frame(self, head: bytes, body: bytes) -> Frame:
        first, final = int.from_bytes(head[:4], "big"), bool(head[4] & _FINAL)
        if not head[0] & 0x80:
            return Frame(DATA, first, body, final)
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != _VERSION:
            raise ProtocolError(f"a frame has version {version}")
        if kind in (SETTINGS, PING):
            return Frame(kind, 0, body)
        if len(body) < 4:
            raise ProtocolError("a frame is too short")
        stream = int.from_bytes(body[:4], "big") & _STREAM
        if kind == SYN_STREAM:
            return Frame(kind, stream, b"", final, self._unpacked(body[10:]))
        if kind in (SYN_REPLY, HEADERS):
            return Frame(kind, stream, b"", final, self._unpacked(body[4:]))
        return Frame(kind, stream, body[4:], final)

    def _packed(self, headers: Mapping[str, str]) -> bytes:
        plain = len(headers).to_bytes(4, "big")
        for name, value in headers.items():
            plain += _sized(name.lower().encode("latin-1")) + _sized(value.encode("latin-1"))
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _unpacked(self, data: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(data, _MOST_HEADERS)
        except zlib.error as error:
            raise ProtocolError("headers are not compressed as they should be") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError("headers are too large")
        words = _words(plain)
        return dict(zip(words[::2], words[1::2], strict=True))


def data_frame(stream: int, data: bytes, *, final: bool = False) -> bytes:
    """Return the bytes of a part of a stream, at most 16 MB."""
    return stream.to_bytes(4, "big") + bytes((_FINAL if final else 0,)) + len(data).to_bytes(3, "big") + data


def pong(frame: Frame) -> bytes:
    """Return the answer to a ping."""
    return _control(PING, 0, frame.data)


def reset(stream: int, status: int) -> bytes:
    """Return the bytes that break off a stream; the status says why."""
    return _control(RST_STREAM, 0, stream.to_bytes(4, "big") + status.to_bytes(4, "big"))


def cancel(stream: int) -> bytes:
    """Return the bytes that break off a stream which is no longer needed."""
    return reset(stream, CANCEL)


def go_away(last: int) -> bytes:
    """Return the bytes that say that no stream after this one is accepted."""
    return _control(GOAWAY, 0, last.to_bytes(4, "big") + bytes(4))


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return (0x8000 | _VERSION).to_bytes(2, "big") + kind.to_bytes(2, "big") + bytes((flags,)) + _size(body, 3) + body


def _size(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big")


def _sized(data: bytes) -> bytes:
    return _size(data, 4) + data


def _words(plain: bytes) -> list[str]:
    """Return the names and values of headers, one after the other."""
    count, at = int.from_bytes(plain[:4], "big"), 4
    if len(plain) < 4 or count > _MOST_NAMES:
        raise ProtocolError("headers are cut off or too many")
    found: list[str] = []
    for _ in range(2 * count):
        size = int.from_bytes(plain[at : at + 4], "big")
        if at + 4 + size > len(plain):
            raise ProtocolError("headers are cut off")
        found.append(plain[at + 4 : at + 4 + size].decode("latin-1"))
        at += 4 + size
    return found


_DICTIONARY = b"".join(_sized(word.replace("_", " ").encode()) for word in _WORDS.split(" ")) + _REST.encode()
