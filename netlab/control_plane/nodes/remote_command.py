"""``exec`` and ``attach`` of a kubelet: a program's input and output as channels of a connection.

Source: Kubernetes, the subprotocol v5.channel.k8s.io (k8s.io/apimachinery, remotecommand): each message begins with the
byte of its channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from netlab.control_plane.nodes.websocket import ProtocolError
from netlab.errors import NetlabError
from netlab.kernel.pod_starter import Attached

PROTOCOLS = ("v5.channel.k8s.io",)
_STDIN, _STDOUT, _STDERR, _STATUS, _RESIZE, _CLOSED = 0, 1, 2, 3, 4, 255
_CHUNK = 1 << 15
# What a pipe holds: pipe(7). A terminal holds less.
_PIPE = 1 << 16
_PAUSE, _LOOK = 1.0, 0.2


class Channels(Protocol):
    """A connection with messages that begin with the byte of their channel: a WebSocket, or streams of SPDY."""

    async def receive(self) -> bytes | None:
        """Return the next message, None at the end; raises ProtocolError."""

    async def send(self, data: bytes) -> None:
        """Send a message; wait while the other side is slow."""

    async def close(self) -> None:
        """Say that this is the end."""


async def execute(socket: Channels, start: Callable[[], Awaitable[Attached]]) -> None:
    """Start a program, with the connection as its input and output, and then send how it ended.

    If the client leaves, the program is killed. ``start`` may raise NetlabError.
    """
    starting = asyncio.ensure_future(start())
    try:
        program = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread that starts the program cannot be cancelled, so the program is ended when it has started.
        starting.add_done_callback(_abandon)
        raise
    except NetlabError as error:
        await _finish(socket, failure(str(error)))
        return
    sent = [_Output(socket, program.stdout, _STDOUT)]
    if program.stderr >= 0:
        sent.append(_Output(socket, program.stderr, _STDERR))
    outputs = [asyncio.create_task(one.send()) for one in sent]
    inputs = asyncio.create_task(_take_input(socket, program))
    ended = asyncio.create_task(_readable(program.ended))
    try:
        done, _ = await asyncio.wait({inputs, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            # What the program started may hold its output open, and write more. What it wrote itself is in the pipes
            # already, and a slow client gets all of it.
            await asyncio.wait(outputs, timeout=_PAUSE)
            for one in sent:
                one.finish()
            rest: set[asyncio.Future[Any]] = {asyncio.gather(*outputs, return_exceptions=True), inputs}
            await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*outputs, inputs, ended):
            task.cancel()
        await asyncio.gather(*outputs, inputs, ended, return_exceptions=True)
        status, why = await asyncio.to_thread(program.end)
    if ended in done:
        if why:
            with contextlib.suppress(ConnectionError):
                await socket.send(bytes((_STDERR,)) + f"{why}\n".encode())
        await _finish(socket, success() if status == 0 else exited(status))


def _abandon(starting: asyncio.Future[Attached]) -> None:
    """End a program whose start was cancelled, and close its descriptors."""
    if starting.cancelled() or starting.exception() is not None:
        return
    program = starting.result()
    for fd in (program.stdin, program.stdout, program.stderr):
        if fd >= 0:
            os.close(fd)
    # This waits for the end of the program.
    starting.get_loop().run_in_executor(None, program.end)


async def attach(socket: Channels, output: Callable[[], bytes], runs: Callable[[], bool]) -> None:
    """Send what a container's program prints, until it has ended or the client is gone; input is not read.

    ``output`` returns the new lines of its log. That of a pause has none.
    """
    reading = asyncio.create_task(_drain(socket))
    # What was printed before is not sent.
    output()
    try:
        ended = False
        while not ended and not reading.done():
            await asyncio.wait({reading}, timeout=_LOOK)
            ended = not runs()
            for line in output().splitlines(keepends=True):
                _, stream, kind, text = line.split(b" ", 3)
                channel = _STDERR if stream == b"stderr" else _STDOUT
                await socket.send(bytes((channel,)) + (text if kind == b"F" else text.removesuffix(b"\n")))
    except ConnectionError:
        return
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    if ended:
        await _finish(socket, success())


async def _finish(socket: Channels, status: Mapping[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send(bytes((_STATUS,)) + json.dumps(status).encode())
        await socket.close()


async def _drain(socket: Channels) -> None:
    with contextlib.suppress(ProtocolError):
        while await socket.receive() is not None:
            pass


class _Output:
    """Sends what a program prints, until it closes its output; after ``finish``, what its pipe still holds."""

    def __init__(self, socket: Channels, fd: int, channel: int) -> None:
        self._socket, self._fd, self._channel = socket, fd, channel
        # How many bytes are sent at most; None before ``finish``.
        self._left: int | None = None
        self._more = asyncio.Event()

    def finish(self) -> None:
        """Wait for no more output."""
        self._left = _PIPE
        self._more.set()

    async def send(self) -> None:
        """Send the output, and close the descriptor."""
        try:
            while self._left is None or self._left > 0:
                try:
                    data = os.read(self._fd, _CHUNK)
                except BlockingIOError:
                    if self._left is not None:
                        return
                    await self._wait()
                    continue
                except OSError:
                    # A terminal that no process has open any more.
                    return
                if not data:
                    return
                if self._left is not None:
                    self._left -= len(data)
                await self._socket.send(bytes((self._channel,)) + data)
        finally:
            os.close(self._fd)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._more.clear()
        loop.add_reader(self._fd, self._more.set)
        try:
            await self._more.wait()
        finally:
            loop.remove_reader(self._fd)


async def _take_input(socket: Channels, program: Attached) -> None:
    """Give a program what the client sends; return when the client is gone."""
    stdin = program.stdin
    try:
        with contextlib.suppress(ProtocolError):
            while (message := await socket.receive()) is not None:
                if not message:
                    continue
                channel, data = message[0], message[1:]
                if channel == _STDIN and stdin >= 0:
                    stdin = stdin if await _write_all(stdin, data) else _closed(stdin)
                elif channel == _RESIZE:
                    _resize(program, data)
                elif channel == _CLOSED and data[:1] == bytes((_STDIN,)) and stdin >= 0:
                    stdin = _closed(stdin)
    finally:
        if stdin >= 0:
            os.close(stdin)


def _closed(fd: int) -> int:
    os.close(fd)
    return -1


async def _write_all(fd: int, data: bytes) -> bool:
    """Write all bytes; return False if nobody reads them."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await _ready(fd, asyncio.get_running_loop().add_writer, asyncio.get_running_loop().remove_writer)
        except OSError:
            return False
    return True


def _resize(program: Attached, data: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        size = json.loads(data)
        program.resize(int(size["Width"]), int(size["Height"]))


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    await _ready(fd, loop.add_reader, loop.remove_reader)


async def _ready(fd: int, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
    ready = asyncio.Event()
    add(fd, ready.set)
    try:
        await ready.wait()
    finally:
        remove(fd)


# --- how a program ended (metav1.Status) ------------------------------------------------------------------------------


def success() -> dict[str, Any]:
    return {"metadata": {}, "status": "Success"}


def failure(message: str) -> dict[str, Any]:
    return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message}


def exited(code: int) -> dict[str, Any]:
    """Return the status of a program that ended with an exit code other than 0."""
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: {code}"
    return {**failure(message), "reason": "NonZeroExitCode", "details": {"causes": causes}}
