"""``port-forward`` of a kubelet: connections to ports of a pod's loopback address, as streams of SPDY/3.1.

kubectl sends SPDY inside of a WebSocket, older clients SPDY alone. Each connection has two streams with the same number
of the request: one for its bytes, and one for what went wrong.

Source: Kubernetes, the subprotocol portforward.k8s.io (k8s.io/cri-streaming, pkg/streaming/portforward).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping

from netlab.control_plane.nodes.spdy_streams import Connection, Stream
from netlab.control_plane.nodes.websocket import ProtocolError, WebSocket, accept
from netlab.errors import NetlabError

_PROTOCOL = "portforward.k8s.io"
# The subprotocol of a WebSocket that carries SPDY.
_TUNNELLED = (f"SPDY/3.1+{_PROTOCOL}",)
# The answer to a client that asks for SPDY without a WebSocket.
_UPGRADED = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    f"X-Stream-Protocol-Version: {_PROTOCOL}\r\n\r\n"
).encode()
_DATA, _ERROR = "data", "error"
_CHUNK = 1 << 15
# Seconds: how long one stream waits for the other, and a connection to the pod for its answer.
_PAIR, _CONNECT = 30.0, 10.0
_MOST_PAIRS = 256

Connect = Callable[[int], Awaitable[socket.socket]]
"""Takes a port of the pod, and returns a connection; raises OSError, NetlabError."""


async def serve(
    ref: str,
    connect: Connect,
    headers: Mapping[str, str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Serve a request for ``port-forward`` to a pod; return whether it was one.

    Args:
      ref: the pod, for messages.
      connect: connects to a port of it.
      headers: those of the request, by lower-case names.
      reader: what the client sends after the request.
      writer: the client.
    """
    forwarding = Forwarding(ref, connect)
    # What a client sends that is no SPDY ends its connection.
    with contextlib.suppress(ProtocolError):
        if (opened := accept(headers, _TUNNELLED)) and opened[0]:
            writer.write(opened[1])
            await forwarding.over_websocket(WebSocket(reader, writer))
        elif headers.get("upgrade", "").lower() == "spdy/3.1":
            writer.write(_UPGRADED)
            await forwarding.over_stream(reader, writer)
        else:
            return False
    return True


class Forwarding:
    """The connections that a client forwards to one pod.

    Args:
      ref: the pod, for messages.
      connect: connects to a port of it.
    """

    def __init__(self, ref: str, connect: Connect) -> None:
        self._ref, self._connect = ref, connect
        self._pairs: dict[str, dict[str, Stream]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def over_websocket(self, opened: WebSocket) -> None:
        """Serve SPDY inside of a WebSocket; raises ProtocolError."""

        async def read() -> bytes:
            # An empty message is no end.
            while (data := await opened.receive()) == b"":
                pass
            return data or b""

        await self._serve(Connection(read, opened.send, self._opened))

    async def over_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve SPDY as it is; raises ProtocolError."""

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        await self._serve(Connection(lambda: reader.read(_CHUNK), write, self._opened))

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.serve()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _opened(self, stream: Stream) -> bool:
        """Take a stream, and begin when both of a connection are there."""
        port, kind = stream.headers.get("port", ""), stream.headers.get("streamtype", "")
        if kind not in (_DATA, _ERROR) or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            return False
        # Clients of long ago send no number. They open the stream for errors first, and the other one next.
        number = stream.headers.get("requestid") or str(stream.number - (2 if kind == _DATA else 0))
        pair = self._pairs.setdefault(number, {})
        if kind in pair or len(self._pairs) > _MOST_PAIRS:
            return False
        pair[kind] = stream
        work = self._forward(pair, int(port)) if len(pair) == 2 else self._forget_alone(number, pair)
        if len(pair) == 2:
            del self._pairs[number]
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _forget_alone(self, number: str, pair: dict[str, Stream]) -> None:
        """End a stream whose other one does not come."""
        await asyncio.sleep(_PAIR)
        if len(pair) == 1 and self._pairs.get(number) is pair:
            del self._pairs[number]
            await next(iter(pair.values())).reset()

    async def _forward(self, pair: dict[str, Stream], port: int) -> None:
        data, errors = pair[_DATA], pair[_ERROR]
        # A client that leaves is no error.
        with contextlib.suppress(ConnectionError):
            try:
                async with asyncio.timeout(_CONNECT):
                    opened = await self._connect(port)
            except TimeoutError:
                await self._fail(pair, port, f"no answer after {_CONNECT:g} s")
            except OSError as error:
                await self._fail(pair, port, os.strerror(error.errno) if error.errno else str(error))
            except NetlabError as error:
                await self._fail(pair, port, str(error))
            else:
                await _pass_on(data, opened)
                await errors.finish()
                await data.reset()

    async def _fail(self, pair: dict[str, Stream], port: int, why: str) -> None:
        await pair[_ERROR].write(f"error forwarding port {port} to pod {self._ref}: {why}".encode())
        await pair[_ERROR].finish()
        await pair[_DATA].reset()


async def _pass_on(stream: Stream, opened: socket.socket) -> None:
    """Pass bytes both ways until the pod has ended its side, or the client has given up."""
    reader, writer = await asyncio.open_connection(sock=opened)
    sending = asyncio.get_running_loop().create_task(_to_pod(stream, writer))
    try:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                await stream.write(data)
        await stream.finish()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


async def _to_pod(stream: Stream, writer: asyncio.StreamWriter) -> None:
    while data := await stream.read():
        writer.write(data)
        await writer.drain()
    if stream.over:
        # Nobody reads what the pod still sends.
        writer.transport.abort()
    else:
        writer.write_eof()
