"""The proxy by which the API server reaches pods, without an API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from netlab.control_plane.nodes import egress
from netlab.control_plane.nodes.egress import Egress
from netlab.control_plane.nodes.reachable import Place, Unreachable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each byte, and the end with another text."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"end")


@contextlib.asynccontextmanager
async def proxy(folder: Path, pod: Talk = echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection to a proxy, for which each address is a program on loopback."""
    ended: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(writer)
        await pod(reader, writer)
        writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def find(host: str, asked: int) -> Place:
        if host != "10.0.0.1":
            raise Unreachable(f"no pod has the address\r\n{host}")
        return Place("", "127.0.0.1", port if asked == 80 else 1)

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "s"))
    found = Egress(find, lambda name: contextlib.nullcontext())
    listener = await asyncio.start_unix_server(found.answer, sock=listening, limit=8 << 10)
    async with server, listener:
        reader, writer = await asyncio.open_unix_connection(str(folder / "s"))
        yield reader, writer
        for one in (writer, *ended):
            one.close()
            await one.wait_closed()


async def asked(folder: Path, text: str) -> str:
    """Return all that the proxy answers to a text."""
    async with proxy(folder) as (reader, writer):
        writer.write(text.encode())
        try:
            async with asyncio.timeout(10):
                return (await reader.read()).decode()
        except ConnectionResetError:
            return ""


def test_bytes_pass_both_ways_and_so_does_each_end(tmp_path):
    """A megabyte comes back, and the end of the request does not end the answer."""
    data = bytes(range(256)) * 4096

    async def talk() -> bytes:
        async with proxy(tmp_path) as (reader, writer):
            writer.write(b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"HTTP/1.1 200 Connection established\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            writer.write_eof()
            return await reader.read()

    assert data + b"end" == asyncio.run(talk())


def test_a_pod_that_speaks_first_waits_for_the_api_server(tmp_path):
    """The API server breaks off if bytes come together with the answer."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await reader.read()
        writer.close()

    async def talk() -> tuple[bytes, bytes]:
        async with proxy(tmp_path, greet) as (reader, writer):
            writer.write(b"CONNECT 10.0.0.1:80 HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.2)
            head = await reader.read(100)
            writer.write(b"x")
            return head, await reader.read(100)

    assert (b"HTTP/1.1 200 Connection established\r\n\r\n", b"hello") == asyncio.run(talk())


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("CONNECT 8.8.8.8:80 HTTP/1.1", "403 no pod has the address 8.8.8.8"),
        ("CONNECT 10.0.0.1:1 HTTP/1.1", "502 Connection refused"),
        ("CONNECT 10.0.0.1:99999 HTTP/1.1", "400 not a request to connect"),
        ("CONNECT 10.0.0.1 HTTP/1.1", "400 not a request to connect"),
        ("GET http://10.0.0.1:80/ HTTP/1.1", "400 not a request to connect"),
    ],
)
def test_what_cannot_be_reached_is_said_in_the_first_line(tmp_path, text, answer):
    """The API server shows this line, and a line is one line whatever the reason has."""
    assert f"HTTP/1.1 {answer}\r\n\r\n" == asyncio.run(asked(tmp_path, f"{text}\r\n\r\n"))


def test_a_head_without_end_ends_the_connection(tmp_path):
    """It takes no memory without bound, and gets no answer."""
    assert "" == asyncio.run(asked(tmp_path, "CONNECT " + "1" * 100_000))


def test_an_ipv6_address_is_in_brackets(tmp_path):
    """As in a URL."""
    answer = asyncio.run(asked(tmp_path, "CONNECT [fd00::1]:80 HTTP/1.1\r\n\r\n"))

    assert "HTTP/1.1 403 no pod has the address fd00::1\r\n\r\n" == answer


def test_the_api_server_asks_the_cluster_by_the_socket_in_its_folder():
    """All other connections are its own."""
    value = json.loads(egress.config())

    assert ["cluster"] == [one["name"] for one in value["egressSelections"]]
    assert {"uds": {"udsName": "/run/netlab/egress.sock"}} == value["egressSelections"][0]["connection"]["transport"]
