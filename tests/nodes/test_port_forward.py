"""Connections to a pod as streams of SPDY, without an API server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from nodes.test_spdy_recorded import RECORDED, REQUEST

from netlab.control_plane.nodes import spdy, spdy_streams
from netlab.control_plane.nodes.port_forward import Forwarding
from netlab.control_plane.nodes.spdy import (
    DATA,
    INVALID_STREAM,
    PING,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    SYN_REPLY,
    Frame,
)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


def ping(number: int) -> Frame:
    return Frame(PING, data=struct.pack(">I", number))


class Client:
    """A client of SPDY, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = spdy.Connection()
        self._frames: list[Frame] = []

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def open(self, first: int, port: int, number: str = "0") -> None:
        """Open both streams of a connection."""
        for at, kind in ((first, "error"), (first + 2, "data")):
            headers = {"streamtype": kind, "port": str(port), **({"requestid": number} if number else {})}
            self.send(self.frames.syn_stream(at, headers))

    async def frame(self) -> Frame:
        """Return the next frame of the server."""
        async with asyncio.timeout(10):
            while not self._frames:
                data = await self.reader.read(1 << 16)
                assert data, "the server has closed"
                self._frames += self.frames.feed(data)
        return self._frames.pop(0)

    async def until(self, last: Frame) -> list[Frame]:
        """Return the frames of the server up to this one; data of one stream is one frame."""
        found: list[Frame] = []
        while True:
            one = await self.frame()
            if found and one.kind == DATA == found[-1].kind and one.stream == found[-1].stream:
                one = Frame(DATA, one.stream, found.pop().data + one.data, one.final)
            found.append(one)
            if one == last:
                return found


@contextlib.asynccontextmanager
async def forwarding(pod: Talk) -> AsyncIterator[Client]:
    """Forward ports of a pod, which is a program on loopback: 80 is open, and 81 closed."""
    writers: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await pod(reader, writer)
        writer.close()

    async def connect(port: int) -> socket.socket:
        if port != 80:
            raise ConnectionRefusedError(111, "Connect call failed")
        opened = socket.socket()
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, server.sockets[0].getsockname())
        return opened

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await Forwarding("shop/web", connect).over_stream(reader, writer)

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    front = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, front:
        reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
        try:
            yield Client(reader, writer)
        finally:
            for one in (writer, *writers):
                one.close()
            await asyncio.gather(*(one.wait_closed() for one in (writer, *writers)), return_exceptions=True)
            await asyncio.sleep(0)


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer all that came after its end."""
    writer.write(b"got " + await reader.read())


def test_a_request_of_kubectl_is_answered():
    """The recorded bytes of kubectl: its request reaches the pod, with its end, and the answer comes back."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            client.send(RECORDED)
            return await client.until(Frame(DATA, 1, final=True))

    found = asyncio.run(talk())

    assert [Frame(SYN_REPLY, 1), Frame(SYN_REPLY, 3)] == [one for one in found if one.kind == SYN_REPLY]
    assert ping(1) in found
    assert [Frame(DATA, 3, b"got " + REQUEST, final=True), Frame(DATA, 1, final=True)] == [
        one for one in found if one.kind == DATA
    ]


def test_two_connections_do_not_mix():
    """Each has its own streams; they come and end in any order."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            client.open(1, 80, "a")
            client.open(5, 80, "b")
            client.send(spdy.data_frame(7, b"second", final=True))
            found = await client.until(Frame(DATA, 5, final=True))
            client.send(spdy.data_frame(3, b"first", final=True))
            return found + await client.until(Frame(DATA, 1, final=True))

    found = asyncio.run(talk())

    assert [b"got second", b"got first"] == [one.data for one in found if one.kind == DATA and one.data]


def test_a_client_without_numbers_of_requests_is_served():
    """Clients of long ago open the stream for errors first."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            client.open(1, 80, "")
            client.send(spdy.data_frame(3, b"x", final=True))
            return await client.until(Frame(DATA, 1, final=True))

    assert Frame(DATA, 3, b"got x", final=True) in asyncio.run(talk())


def test_a_closed_port_is_said_on_the_stream_for_errors():
    """kubectl prints it; the other connections of the client go on."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            client.open(1, 81)
            found = await client.until(Frame(RST_STREAM, 3, data=struct.pack(">I", 5)))
            client.open(5, 80, "1")
            client.send(spdy.data_frame(7, b"x", final=True))
            return found + await client.until(Frame(DATA, 5, final=True))

    found = asyncio.run(talk())

    said = b"error forwarding port 81 to pod shop/web: Connection refused"
    assert Frame(DATA, 1, said, final=True) in found
    assert Frame(DATA, 7, b"got x", final=True) in found


def test_a_pod_that_ends_first_ends_the_connection():
    """What the client still sends is dropped, and does not hold up the others."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    async def talk() -> list[Frame]:
        async with forwarding(leave) as client:
            client.open(1, 80)
            found = await client.until(Frame(DATA, 1, final=True))
            for _ in range(100):
                client.send(spdy.data_frame(3, bytes(1 << 15)))
            client.send(spdy.pong(ping(9)))
            return found + await client.until(ping(9))

    assert Frame(DATA, 3, b"bye", final=True) in asyncio.run(talk())


def test_a_client_that_resets_a_stream_ends_the_pods_connection():
    """Also if the pod sends without an end."""
    ended: list[bool] = []

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        finally:
            ended.append(True)

    async def talk() -> None:
        async with forwarding(pour) as client:
            client.open(1, 80)
            while (await client.frame()).stream != 3:
                pass
            client.send(spdy.reset(3, 5))
            async with asyncio.timeout(10):
                while not ended:
                    await client.reader.read(1 << 16)

    asyncio.run(talk())
    assert ended


def test_a_pod_that_reads_nothing_holds_back_its_client_and_is_reset_in_the_end(monkeypatch):
    """Memory has a bound, and no client waits for ever."""
    monkeypatch.setattr(spdy_streams, "_PATIENCE", 0.3)
    monkeypatch.setattr(spdy_streams, "_MOST_WAITING", 1 << 16)

    async def sleep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def talk() -> Frame:
        async with forwarding(sleep) as client:
            client.open(1, 80)

            async def pour() -> None:
                for _ in range(2000):
                    client.send(spdy.data_frame(3, bytes(1 << 15)))
                    await client.writer.drain()

            pouring = asyncio.create_task(pour())
            while (found := await client.frame()).kind != RST_STREAM:
                pass
            pouring.cancel()
            return found

    assert 3 == asyncio.run(talk()).stream


@pytest.mark.parametrize(
    ("stream", "headers", "status"),
    [
        (2, {"streamtype": "data", "port": "80"}, PROTOCOL_ERROR),
        (1, {"streamtype": "data", "port": "0"}, REFUSED_STREAM),
        (1, {"streamtype": "data", "port": "99999"}, REFUSED_STREAM),
        (1, {"streamtype": "data", "port": "٣"}, REFUSED_STREAM),
        (1, {"streamtype": "other", "port": "80"}, REFUSED_STREAM),
        (1, {"port": "80"}, REFUSED_STREAM),
    ],
    ids=["even", "zero", "large", "digits", "type", "no-type"],
)
def test_a_stream_that_names_no_port_is_refused(stream, headers, status):
    """The connection goes on."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            headers_sent = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
            client.send(client.frames.syn_stream(stream, headers_sent))
            client.send(spdy.pong(ping(1)))
            return await client.until(ping(1))

    assert Frame(RST_STREAM, stream, data=struct.pack(">I", status)) in asyncio.run(talk())


def test_the_same_stream_is_not_opened_twice():
    """Neither by its id, nor by the number of its request; and bytes of a stream that is not there are refused."""

    async def talk() -> list[Frame]:
        async with forwarding(answering) as client:
            headers = {"streamtype": "error", "port": "80", "requestid": "0"}
            for number in (1, 1, 3):
                client.send(client.frames.syn_stream(number, headers))
            client.send(spdy.data_frame(9, b"x"))
            client.send(spdy.pong(ping(1)))
            return await client.until(ping(1))

    assert [
        Frame(SYN_REPLY, 1),
        Frame(RST_STREAM, 1, data=struct.pack(">I", PROTOCOL_ERROR)),
        Frame(RST_STREAM, 3, data=struct.pack(">I", REFUSED_STREAM)),
        Frame(RST_STREAM, 9, data=struct.pack(">I", INVALID_STREAM)),
        ping(1),
    ] == asyncio.run(talk())
