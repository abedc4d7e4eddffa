"""The server's side of WebSocket, on streams of asyncio.

Source: RFC 6455.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_NORMAL = (1000).to_bytes(2, "big")
# Bytes: kubectl sends some 32 KB at a time.
_MOST = 16 << 20


class ProtocolError(Exception):
    """The other side does not speak a protocol as its standard has it, or sends too much at once."""


def accept(headers: Mapping[str, str], protocols: Sequence[str]) -> tuple[str, bytes] | None:
    """Return the protocol and the answer to a request for a WebSocket; None for a request that is none.

    ``headers`` have lower-case names. ``protocols`` are those that the server speaks, the best one first; "" if the
    client names none of them.
    """
    key = headers.get("sec-websocket-key", "")
    if headers.get("upgrade", "").lower() != "websocket" or not key:
        return None
    asked = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
    chosen = next((one for one in protocols if one in asked), "")
    digest = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {digest}",
        *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else []),
    ]
    return chosen, "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


class WebSocket:
    """An open WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def receive(self) -> bytes | None:
        """Return the next message, None at the end; raises ProtocolError."""
        parts: list[bytes] = []
        size = 0
        while True:
            try:
                final, code, data = await self._frame()
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            if code == _CLOSE:
                return None
            if code == _PING:
                await self._send(_PONG, data)
            elif code in (_TEXT, _BINARY, _CONTINUATION):
                parts.append(data)
                size += len(data)
                if size > _MOST:
                    raise ProtocolError("a message is too large")
                if final:
                    return b"".join(parts)

    async def send(self, data: bytes) -> None:
        """Send a message; wait while the other side is slow."""
        await self._send(_BINARY, data)

    async def close(self) -> None:
        """Say that this is the end."""
        await self._send(_CLOSE, _NORMAL)

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        if not second & 0x80:
            raise ProtocolError("a client's frame is not masked")
        if size > _MOST:
            raise ProtocolError("a frame is too large")
        mask = await self._reader.readexactly(4)
        data = await self._reader.readexactly(size)
        return bool(first & 0x80), first & 0x0F, _unmasked(data, mask)

    async def _send(self, code: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes((0x80 | code, size))
        elif size < 1 << 16:
            head = bytes((0x80 | code, 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | code, 127)) + size.to_bytes(8, "big")
        self._writer.write(head + data)
        await self._writer.drain()


def _unmasked(data: bytes, mask: bytes) -> bytes:
    if not data:
        return data
    # One operation on large numbers is faster than a loop over bytes.
    whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)], "big")
    return whole.to_bytes(len(data), "big")
