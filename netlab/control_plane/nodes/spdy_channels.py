"""``exec`` and ``attach`` over SPDY: the streams of a connection as the channels of remotecommand.

Clients of Kubernetes before 1.29, and programs built with the library of that time, ask so.

Source: k8s.io/cri-streaming (pkg/streaming/remotecommand, httpstream.go), the protocol v4.channel.k8s.io.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from netlab.control_plane.nodes import spdy
from netlab.control_plane.nodes.websocket import ProtocolError

PROTOCOLS = ("v4.channel.k8s.io",)
_TYPES = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_ERROR, _STDIN, _CLOSED = 3, 0, 255
_CHUNK = 1 << 16
_SECONDS = 30.0
_TRUE = (["1"], ["true"])


def accept(headers: Mapping[str, str]) -> bytes | None:
    """Return the answer to a request for SPDY; None for another request, or a protocol that netlab does not speak."""
    if headers.get("upgrade", "").lower() != spdy.NAME.lower():
        return None
    asked = [one.strip() for one in headers.get("x-stream-protocol-version", "").split(",")]
    chosen = next((one for one in PROTOCOLS if one in asked), None)
    if chosen is None:
        return None
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        f"Upgrade: {spdy.NAME}",
        "Connection: Upgrade",
        f"X-Stream-Protocol-Version: {chosen}",
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def wanted(query: Mapping[str, Sequence[str]]) -> set[int]:
    """Return the channels that a client opens, by what its request asks for. A terminal has no errors of its own."""
    terminal = query.get("tty") in _TRUE
    found = {_ERROR, *([4] if terminal else [])}
    for name, channel in (("input", 0), ("output", 1), ("error", 2)):
        if query.get(name) in _TRUE and not (terminal and name == "error"):
            found.add(channel)
    return found


class Channels:
    """An upgraded connection: messages begin with the byte of their channel, as those of a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._connection = spdy.Connection()
        self._streams: dict[int, int] = {}
        self._waiting: deque[bytes] = deque()
        self._last = 0

    async def open(self, channels: set[int]) -> bool:
        """Wait until the client has opened as many streams as it asked for; return False if it does not.

        They are counted, as by the kubelet: a client that asks for a terminal may open its errors in place of its size.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                while len(self._streams) < len(channels):
                    if not await self._read():
                        return False
        except (TimeoutError, ProtocolError):
            return False
        return True

    async def receive(self) -> bytes | None:
        """Return the next message, None at the end; raises ProtocolError."""
        while not self._waiting:
            if not await self._read():
                return None
        return self._waiting.popleft()

    async def send(self, data: bytes) -> None:
        """Send a message; wait while the other side is slow. What nobody asked for is left out."""
        stream = next((one for one, channel in self._streams.items() if channel == data[0]), None)
        if stream is not None and len(data) > 1:
            self._writer.write(spdy.data_frame(stream, data[1:]))
            await self._writer.drain()

    async def close(self) -> None:
        """Say that this is the end of all streams."""
        ends = (spdy.data_frame(stream, b"", final=True) for stream in self._streams)
        self._writer.write(b"".join((*ends, spdy.go_away(self._last))))
        await self._writer.drain()

    async def _read(self) -> bool:
        """Take what comes; return False at the end."""
        try:
            data = await self._reader.read(_CHUNK)
        except ConnectionError:
            return False
        open_still = bool(data)
        for frame in self._connection.feed(data):
            open_still = self._take(frame) and open_still
        return open_still

    def _take(self, frame: spdy.Frame) -> bool:
        """Take a frame; return False if the client leaves."""
        if frame.kind == spdy.SYN_STREAM:
            self._opened(frame)
        elif frame.kind == spdy.DATA and frame.stream in self._streams:
            if frame.data:
                self._waiting.append(bytes((self._streams[frame.stream],)) + frame.data)
        elif frame.kind == spdy.PING:
            self._writer.write(spdy.pong(frame))
        if frame.final and self._streams.get(frame.stream) == _STDIN:
            self._waiting.append(bytes((_CLOSED, _STDIN)))
        return frame.kind != spdy.GOAWAY

    def _opened(self, frame: spdy.Frame) -> None:
        channel = _TYPES.get(frame.headers.get("streamtype", ""))
        if channel is None or channel in self._streams.values() or frame.stream in self._streams:
            raise ProtocolError("a stream of an unknown type, or a second one of a type")
        self._streams[frame.stream] = channel
        self._last = max(self._last, frame.stream)
        self._writer.write(self._connection.syn_reply(frame.stream))
