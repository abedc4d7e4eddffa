"""Frames of SPDY/3.1: bytes to values, and values to bytes.

Source: SPDY Protocol, Draft 3.1 (chromium.org/spdy); what github.com/moby/spdystream, as kubectl has it, sends of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1
# The values of RST_STREAM.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
_CONTROL, _VERSION = 0x8000, 3
_ID = 0x7FFFFFFF
# Bytes: kubectl sends 32 KB at a time.
_MOST = 1 << 20
_MOST_HEADERS, _MOST_FIELDS = 64 << 10, 100
_WORDS = (
    "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,"
    "allow,authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,"
    "content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,"
    "if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,"
    "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,"
    "user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,"
    "keep-alive,origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)


def _field(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode("latin-1")


DICTIONARY = b"".join(map(_field, _WORDS.split(","))) + _TEXT.encode()
"""What both sides know of headers before the first one."""


class SpdyError(Exception):
    """The other side does not speak SPDY/3.1; the connection cannot be used further."""


class Frame(NamedTuple):
    """A frame: its type, 0 for data; the stream, or the number of a PING; flags, headers, and the rest as bytes."""

    kind: int
    stream: int
    flags: int = 0
    headers: Mapping[str, str] = {}
    data: bytes = b""


class Decoder:
    """Bytes of one direction of a connection to frames. Headers are compressed together, so order counts."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole now; raises SpdyError. Unknown frames are left out."""
        self._rest += data
        while len(self._rest) >= 8:
            first, second = struct.unpack_from(">II", self._rest)
            flags, size = second >> 24, second & 0xFFFFFF
            if size > _MOST:
                raise SpdyError(f"a frame has {size} bytes")
            if len(self._rest) < 8 + size:
                return
            body = bytes(self._rest[8 : 8 + size])
            del self._rest[: 8 + size]
            if first >> 31:
                found = self._control(first >> 16, first & 0xFFFF, flags, body)
                if found is not None:
                    yield found
            else:
                yield Frame(0, first, flags, data=body)

    def _control(self, version: int, kind: int, flags: int, body: bytes) -> Frame | None:
        if version != _CONTROL | _VERSION:
            raise SpdyError(f"version {version & 0x7FFF}")
        # The number of bytes before the headers.
        before = {SYN_STREAM: 10, SYN_REPLY: 4, HEADERS: 4}.get(kind)
        if before is None and kind not in (RST_STREAM, PING, GOAWAY):
            return None
        if len(body) < (before or 4):
            raise SpdyError(f"a frame of type {kind} is too short")
        number = struct.unpack_from(">I", body)[0]
        if kind != PING:
            number &= _ID
        if before is None:
            return Frame(kind, number, flags, data=body[4:])
        return Frame(kind, number, flags, self._headers(body[before:]))

    def _headers(self, data: bytes) -> dict[str, str]:
        try:
            text = self._inflate.decompress(data, _MOST_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"headers: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError("headers are too large")
        try:
            count, at, found = struct.unpack_from(">I", text)[0], 4, {}
            if count > _MOST_FIELDS:
                raise SpdyError(f"{count} headers")
            for _ in range(count):
                name, at = _text(text, at)
                found[name.lower()], at = _text(text, at)
        except struct.error as error:
            raise SpdyError("headers are cut off") from error
        return found


class Encoder:
    """Frames of one direction of a connection to bytes."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def data(self, stream: int, data: bytes, flags: int = 0) -> bytes:
        return struct.pack(">II", stream, flags << 24 | len(data)) + data

    def syn_stream(self, stream: int, headers: Mapping[str, str], flags: int = 0) -> bytes:
        """Open a stream, as clients do."""
        return _control(SYN_STREAM, flags, struct.pack(">IIH", stream, 0, 0) + self._headers(headers))

    def syn_reply(self, stream: int) -> bytes:
        return _control(SYN_REPLY, 0, struct.pack(">I", stream) + self._headers({}))

    def rst_stream(self, stream: int, status: int) -> bytes:
        return _control(RST_STREAM, 0, struct.pack(">II", stream, status))

    def ping(self, number: int) -> bytes:
        return _control(PING, 0, struct.pack(">I", number))

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        fields = b"".join(_field(name) + _field(value) for name, value in headers.items())
        text = struct.pack(">I", len(headers)) + fields
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, flags << 24 | len(body)) + body


def _text(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from(">I", data, at)[0]
    end = at + 4 + size
    if end > len(data):
        raise SpdyError("headers are cut off")
    return data[at + 4 : end].decode("latin-1"), end
