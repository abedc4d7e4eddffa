"""Programs whose input and output are channels of a WebSocket, without an API server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from netlab.control_plane.nodes import remote_command
from netlab.control_plane.nodes.websocket import ProtocolError, WebSocket, accept
from netlab.errors import HostError
from netlab.kernel.pod_starter import Attached

Talk = Callable[["Client"], Awaitable[Any]]


class Client:
    """A client of a WebSocket, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def frame(self, data: bytes, code: int = 2, *, final: bool = True, masked: bool = True) -> None:
        mask = os.urandom(4)
        size = len(data)
        short, wide = (size, 0) if size < 126 else (126, 2) if size < 1 << 16 else (127, 8)
        length = bytes((short | (0x80 if masked else 0),)) + (size.to_bytes(wide, "big") if wide else b"")
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)) if masked else data
        self.writer.write(bytes(((0x80 if final else 0) | code,)) + length + (mask if masked else b"") + body)

    async def message(self) -> tuple[int, bytes]:
        """Return the code and the data of the server's next frame."""
        first, size = await self.reader.readexactly(2)
        if size > 125:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return first & 15, await self.reader.readexactly(size)

    async def channels(self) -> dict[int, bytes]:
        """Return all that the server sends until it closes, by channel."""
        found: dict[int, bytes] = {}
        while True:
            code, data = await self.message()
            if code == 8:
                return found
            found[data[0]] = found.get(data[0], b"") + data[1:]


@contextlib.asynccontextmanager
async def connected(serve: Callable[[WebSocket], Awaitable[Any]]) -> AsyncIterator[Client]:
    """Serve a WebSocket on loopback, and yield its client."""
    failures: list[BaseException] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(WebSocket(reader, writer))
        except BaseException as error:
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        server.close()
    assert [] == failures


_WITH_TERMINAL = (
    "import os, sys; from netlab.kernel.attached import make_terminal; "
    "make_terminal(os.getuid()); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Local:
    """A program of this host, in place of one in a pod."""

    def __init__(self, argv: list[str], fds: Sequence[int], *, terminal: bool) -> None:
        stdin, stdout, stderr = fds
        if terminal:
            argv = [sys.executable, "-c", _WITH_TERMINAL, *argv]
        self._process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)
        self._ended = os.pidfd_open(self._process.pid)

    def fileno(self) -> int:
        return self._ended

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def result(self) -> tuple[int, str]:
        status = self._process.wait()
        os.close(self._ended)
        return 128 - status if status < 0 else status, ""


async def execute(socket: remote_command.Channels, argv: list[str], *, terminal: bool = False) -> None:
    async def start() -> Attached:
        try:
            return Attached(lambda fds: Local(argv, fds, terminal=terminal), terminal=terminal)
        except OSError as error:
            raise HostError(f"cannot run {argv[0]}: {error.strerror}") from error

    await remote_command.execute(socket, start)


def run(argv: list[str], talk: Talk, *, terminal: bool = False) -> Any:
    async def main() -> Any:
        async with connected(lambda socket: execute(socket, argv, terminal=terminal)) as client:
            return await asyncio.wait_for(talk(client), 20)

    return asyncio.run(main())


async def all_of(client: Client) -> dict[int, bytes]:
    return await client.channels()


def test_output_and_errors_have_channels_of_their_own_and_the_end_has_one():
    """Success is a Status without a reason."""
    found = run(["sh", "-c", "echo out; echo err >&2"], all_of)

    assert (b"out\n", b"err\n") == (found[1], found[2])
    assert {"metadata": {}, "status": "Success"} == json.loads(found[3])


def test_an_exit_code_is_a_cause_of_the_failure():
    """kubectl ends with it."""
    status = json.loads(run(["sh", "-c", "exit 3"], all_of)[3])

    assert "NonZeroExitCode" == status["reason"]
    assert [{"reason": "ExitCode", "message": "3"}] == status["details"]["causes"]


def test_a_program_killed_by_a_signal_has_the_exit_code_of_a_shell():
    """128 and the number of the signal."""
    causes = json.loads(run(["sh", "-c", "kill -9 $$"], all_of)[3])["details"]["causes"]

    assert "137" == causes[0]["message"]


def test_a_program_that_is_missing_is_a_failure():
    """It is said in the status."""
    status = json.loads(run(["/no/such/program"], all_of)[3])

    assert "InternalError" == status["reason"]
    assert "No such file or directory" in status["message"]


def test_input_goes_to_the_program_until_the_client_closes_it():
    """One message may come in several frames, with a ping between them."""

    async def talk(client: Client) -> dict[int, bytes]:
        client.frame(b"\0he", final=False)
        client.frame(b"x", 9)
        client.frame(b"llo", 0)
        client.frame(b"\0 " + b"x" * 70_000)
        client.frame(bytes((255, 0)))
        assert (10, b"x") == await client.message()
        return await client.channels()

    assert b"hello " + b"x" * 70_000 == run(["cat"], talk)[1]


def test_a_terminal_has_the_size_that_the_client_says():
    """Output and errors are one."""

    async def talk(client: Client) -> dict[int, bytes]:
        client.frame(b"\4" + json.dumps({"Width": 77, "Height": 33}).encode())
        client.frame(b"\0go\n")
        return await client.channels()

    found = run(["sh", "-c", "read go; stty size; echo err >&2"], talk, terminal=True)

    assert b"33 77\r\nerr\r\n" in found[1]
    assert 2 not in found


@pytest.mark.parametrize(
    "bad", [b"\4{", b"\4[]", b"\4{}", b"", b"\7x"], ids=["cut", "list", "empty", "none", "channel"]
)
def test_a_message_that_means_nothing_is_ignored(bad):
    """The program goes on."""

    async def talk(client: Client) -> dict[int, bytes]:
        client.frame(bad)
        client.frame(b"\0end\n")
        return await client.channels()

    assert b"end\n" == run(["head", "-1"], talk)[1]


def test_a_program_is_killed_when_its_client_leaves():
    """So is what it started."""

    async def main() -> int:
        served = asyncio.Event()

        async def serve(socket: WebSocket) -> None:
            try:
                await execute(socket, ["sh", "-c", "echo $$; sleep 60"])
            finally:
                served.set()

        async with connected(serve) as client:
            _, data = await client.message()
            client.writer.close()
            await asyncio.wait_for(served.wait(), 20)
        return int(data[1:])

    pid = asyncio.run(main())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_leaves_another_one_behind_ends_all_the_same():
    """The other one holds the output open; what was printed is there."""
    found = run(["sh", "-c", "echo out; sleep 60 & exit 0"], all_of)

    assert b"out\n" == found[1]
    assert "Success" == json.loads(found[3])["status"]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_program_that_starts_when_nobody_wants_it_any_more_leaves_nothing(terminal):
    """Its node stops, or its pod goes, while a thread starts the program."""
    begun, go_on = threading.Event(), threading.Event()
    started = threading.Event()

    def start() -> Attached:
        begun.set()
        assert go_on.wait(20)
        found = Attached(lambda fds: Local(["sleep", "60"], fds, terminal=terminal), terminal=terminal)
        started.set()
        return found

    async def main() -> None:
        task = asyncio.create_task(remote_command.execute(Slow(), lambda: asyncio.to_thread(start)))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = len(os.listdir("/proc/self/fd"))
        go_on.set()
        while not started.is_set() or len(os.listdir("/proc/self/fd")) != before:
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(main(), 20))


class Slow:
    """A client that takes a message in a third of a second, and says nothing."""

    def __init__(self) -> None:
        self.channels: dict[int, bytes] = {}

    async def receive(self) -> bytes | None:
        await asyncio.Event().wait()
        return None

    async def send(self, data: bytes) -> None:
        await asyncio.sleep(0.3)
        self.channels[data[0]] = self.channels.get(data[0], b"") + data[1:]

    async def close(self) -> None:
        pass


def test_a_slow_client_gets_all_that_a_program_has_printed(monkeypatch):
    """Also what was still in the pipes when it ended; what it left behind holds them open."""
    monkeypatch.setattr(remote_command, "_PAUSE", 0.05)
    client = Slow()
    program = "import sys; print('x' * 100_000); print('y' * 60_000, file=sys.stderr)"
    argv = ["sh", "-c", f'sleep 20 & exec "$0" -c "{program}"', sys.executable]
    asyncio.run(asyncio.wait_for(execute(client, argv), 20))

    assert (b"x" * 100_000 + b"\n", b"y" * 60_000 + b"\n") == (client.channels[1], client.channels[2])
    assert "Success" == json.loads(client.channels[3])["status"]


def test_a_program_that_goes_on_writing_behind_another_is_not_waited_for():
    """What it started may write for ever."""
    found = run(["sh", "-c", "timeout 20 yes & sleep 0.1"], all_of)

    assert "Success" == json.loads(found[3])["status"]


def test_a_frame_that_is_not_masked_ends_the_connection():
    """The standard demands it of clients."""

    async def main() -> None:
        async def serve(socket: WebSocket) -> None:
            with pytest.raises(ProtocolError, match="not masked"):
                await socket.receive()

        async with connected(serve) as client:
            client.frame(b"x", masked=False)
            assert b"" == await client.reader.read()

    asyncio.run(main())


def test_a_request_for_a_websocket_is_answered_with_its_key():
    """The example of RFC 6455, section 1.3."""
    key = base64.b64encode(b"the sample nonce").decode()
    headers = {"upgrade": "websocket", "sec-websocket-key": key, "sec-websocket-protocol": "a, v5.channel.k8s.io"}
    found = accept(headers, ("v5.channel.k8s.io",))

    assert found is not None
    assert "v5.channel.k8s.io" == found[0]
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in found[1]
    assert accept({**headers, "upgrade": "SPDY/3.1"}, ()) is None
