"""The server's side of a connection of SPDY/3.1: streams that the client opens.

kubectl ignores the flow control of SPDY, and sends as much as TCP takes. So a stream that is read slowly delays the
whole connection, as at a kubelet.

Source: as ``spdy``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from netlab.control_plane.nodes import spdy
from netlab.control_plane.nodes.spdy import Frame

_MOST_STREAMS = 512
# Bytes of one stream that wait for a reader, and the seconds after which a stream that reads nothing is reset.
_MOST_WAITING = 1 << 20
_PATIENCE = 300.0

Read = Callable[[], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]


class Stream:
    """A stream: its headers by lower-case names, and bytes in both directions, each with an end."""

    def __init__(self, connection: Connection, number: int, headers: Mapping[str, str]) -> None:
        self.number, self.headers = number, headers
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = self._finished = False
        self._changed = asyncio.Event()

    async def read(self) -> bytes:
        """Return the next bytes of the client, b"" at the end."""
        while not self._waiting and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._waiting:
            return b""
        data = self._waiting.popleft()
        self._size -= len(data)
        self._changed.set()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes, unless the stream has ended."""
        if data and not self._finished:
            await self._connection.send(lambda frames: spdy.data_frame(self.number, data))

    async def finish(self) -> None:
        """Say that no more bytes follow."""
        if not self._finished:
            self._finished = True
            await self._connection.send(lambda frames: spdy.data_frame(self.number, b"", final=True))
        self._connection.forget_ended(self)

    async def reset(self, status: int = spdy.CANCEL) -> None:
        """End the stream in both directions."""
        told, self._finished = self._finished and self._ended, True
        self.end(drop=True)
        self._connection.forget_ended(self)
        if not told:
            await self._connection.send(lambda frames: spdy.reset(self.number, status))

    @property
    def over(self) -> bool:
        """Whether both directions have ended."""
        return self._ended and self._finished

    # --- what the connection does ---------------------------------------------------------------------------------

    async def take(self, data: bytes) -> bool:
        """Keep bytes for the reader, and wait while it has too many; return whether it read some in time."""
        if data and not self._ended:
            self._waiting.append(data)
            self._size += len(data)
            self._changed.set()
        try:
            while self._size > _MOST_WAITING and not self._ended:
                async with asyncio.timeout(_PATIENCE):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def end(self, *, drop: bool = False) -> None:
        """Note that no more bytes come; with ``drop`` those that wait are lost, and nothing is sent any more."""
        self._ended = True
        if drop:
            self._finished = True
            self._waiting.clear()
            self._size = 0
        self._changed.set()


class Connection:
    """A connection.

    Args:
      read: returns the next bytes of the client, b"" at the end.
      write: sends bytes to it.
      opened: called with each new stream; returns whether it is taken.
    """

    def __init__(self, read: Read, write: Write, opened: Callable[[Stream], bool]) -> None:
        self._read, self._write, self._opened = read, write, opened
        self._frames = spdy.Connection()
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._lock = asyncio.Lock()

    async def serve(self) -> None:
        """Serve until the client leaves; raises ProtocolError."""
        try:
            while data := await self._read():
                for frame in self._frames.feed(data):
                    if frame.kind == spdy.GOAWAY:
                        return
                    await self._take(frame)
        finally:
            for stream in list(self._streams.values()):
                stream.end(drop=True)
            self._streams.clear()

    async def send(self, make: Callable[[spdy.Connection], bytes]) -> None:
        """Send a frame. Headers are compressed together, so frames are made in the order in which they are sent."""
        async with self._lock:
            await self._write(make(self._frames))

    def forget_ended(self, stream: Stream) -> None:
        """Forget a stream if both of its directions have ended."""
        if stream.over:
            self._streams.pop(stream.number, None)

    async def _take(self, frame: Frame) -> None:
        if frame.kind == spdy.PING:
            # A client's number is odd. An even one answers a ping of this side, which sends none.
            if frame.data[-1:] and frame.data[-1] % 2:
                await self.send(lambda frames: spdy.pong(frame))
        elif frame.kind == spdy.SYN_STREAM:
            await self._open(frame)
        elif frame.kind == spdy.RST_STREAM:
            stream = self._streams.pop(frame.stream, None)
            if stream is not None:
                stream.end(drop=True)
        elif frame.kind == spdy.DATA:
            await self._take_data(frame)

    async def _take_data(self, frame: Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            if frame.stream == 0 or frame.stream > self._last:
                await self.send(lambda frames: spdy.reset(frame.stream, spdy.INVALID_STREAM))
            # What a stream that was reset still had on its way is dropped.
            return
        if not await stream.take(frame.data):
            await stream.reset()
        elif frame.final:
            stream.end()
            self.forget_ended(stream)

    async def _open(self, frame: Frame) -> None:
        number = frame.stream
        if number % 2 == 0 or number <= self._last:
            await self.send(lambda frames: spdy.reset(number, spdy.PROTOCOL_ERROR))
            return
        self._last = number
        stream = Stream(self, number, frame.headers)
        if len(self._streams) >= _MOST_STREAMS:
            await self.send(lambda frames: spdy.reset(number, spdy.REFUSED_STREAM))
            return
        self._streams[number] = stream
        if frame.final:
            stream.end()
        if not self._opened(stream):
            del self._streams[number]
            stream.end(drop=True)
            await self.send(lambda frames: spdy.reset(number, spdy.REFUSED_STREAM))
            return
        await self.send(lambda frames: frames.syn_reply(number))
