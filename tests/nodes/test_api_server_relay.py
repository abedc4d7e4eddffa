"""The relay by which clients in a lab reach the API server, without a lab and an API server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from builders import cluster, topology

from netlab.control_plane.nodes import api_server_relay
from netlab.control_plane.nodes.api_server_relay import ApiServerRelay, places
from netlab.control_plane.nodes.reachable import Place
from netlab.dataplane.names import node_namespace
from netlab.errors import NotFound

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SECONDS = 10


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each byte, and the end with another text."""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"end")


@contextlib.asynccontextmanager
async def relay(server: Talk | None = echo) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """Yield a function that connects to a relay from an address; without a server nothing listens behind it."""
    opened: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        if server is not None:
            await server(reader, writer)
        writer.close()

    behind = await asyncio.start_server(run, "127.0.0.1", 0)
    port = behind.sockets[0].getsockname()[1]
    if server is None:
        behind.close()
    found = ApiServerRelay(port, lambda name: contextlib.nullcontext(), print)
    front = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    address = front.sockets[0].getsockname()[:2]

    async def client(source: str) -> Client:
        one = await asyncio.open_connection(*address, local_addr=(source, 0))
        opened.append(one[1])
        return one

    async with behind, front, asyncio.timeout(SECONDS):
        yield client
        for one in opened:
            one.transport.abort()


async def all_that_comes(reader: asyncio.StreamReader) -> bytes:
    """Return what a client gets before the end; a connection that breaks off has none."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_bytes_pass_both_ways_and_so_does_each_end():
    """A megabyte comes back, and the end of the request does not end the answer."""
    data = bytes(range(256)) * 4096

    async def talk() -> bytes:
        async with relay() as client:
            reader, writer = await client("127.0.0.1")
            writer.write(data)
            writer.write_eof()
            return await reader.read()

    assert data + b"end" == asyncio.run(talk())


def test_an_api_server_that_does_not_run_is_a_connection_that_breaks_off():
    """The client tries again, as with a node that does not run."""

    async def talk() -> bytes:
        async with relay(None) as client:
            return await all_that_comes((await client("127.0.0.1"))[0])

    assert b"" == asyncio.run(talk())


def test_one_address_has_a_part_of_the_connections_only(monkeypatch):
    """So a pod that opens many does not take those of others; one that has ended counts no more."""
    monkeypatch.setattr(api_server_relay, "_MOST_OF_ONE", 1)

    async def ask(one: Client) -> bytes:
        one[1].write_eof()
        return await all_that_comes(one[0])

    async def talk() -> list[bytes]:
        async with relay() as client:
            first = await client("127.0.0.1")
            first[1].write(b"a")
            began = await first[0].read(1)
            second, other = await client("127.0.0.1"), await client("127.0.0.2")
            found = [began, await all_that_comes(second[0]), await ask(other), await ask(first)]
            return [*found, await ask(await client("127.0.0.1"))]

    assert [b"a", b"", b"end", b"end", b"end"] == asyncio.run(talk())


def test_all_addresses_together_have_a_bound(monkeypatch):
    """netlab does not run out of descriptors."""
    monkeypatch.setattr(api_server_relay, "_MOST", 1)

    async def talk() -> bytes:
        async with relay() as client:
            first = await client("127.0.0.1")
            first[1].write(b"a")
            await first[0].read(1)
            return await all_that_comes((await client("127.0.0.2"))[0])

    assert b"" == asyncio.run(talk())


def test_a_connection_without_a_byte_for_too_long_ends(monkeypatch):
    """Bytes of either side are enough to keep it."""
    monkeypatch.setattr(api_server_relay, "_IDLE_SECONDS", 0.5)

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(10):
            writer.write(b"a")
            await asyncio.sleep(0.1)
        await reader.read()

    async def talk() -> bytes:
        async with relay(slowly) as client:
            reader, _ = await client("127.0.0.1")
            return await all_that_comes_in_parts(reader)

    async def all_that_comes_in_parts(reader: asyncio.StreamReader) -> bytes:
        found = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(100):
                found += data
        return found

    assert b"a" * 10 == asyncio.run(talk())


def test_it_listens_at_every_address_of_every_node():
    """In the node's namespace, at one port, with both IP families."""
    of = cluster(topology(["n1", "n2"], cidrs=["10.244.0.0/16", "fd00:10::/56"]))
    found = places(of)

    assert {str(address) for node in of.nodes for address in node.addresses} == {one.address for one in found}
    assert {4, 6} == {address.version for node in of.nodes for address in node.addresses}
    assert {(node_namespace(of.name, node), 6443) for node in ("n1", "n2")} == {
        (one.namespace, one.port) for one in found
    }


def test_a_place_where_it_cannot_listen_is_told_and_the_others_are_served():
    """Another program may have the port of a node, and a node may be gone."""
    said: list[str] = []

    @contextlib.contextmanager
    def inside(name: str):
        if name == "gone":
            raise NotFound("gone", errno.ENOENT)
        yield

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        wanted = [Place("n1", "127.0.0.1", port), Place("gone", "127.0.0.3", port), Place("n2", "127.0.0.2", port)]
        listens = ApiServerRelay(1, inside, said.append).start(wanted)

    assert {"127.0.0.2"} == listens
    assert [
        f"cannot listen for clients of the API server at 127.0.0.1:{port}: Address already in use",
        f"cannot listen for clients of the API server at 127.0.0.3:{port}: gone: No such file or directory",
    ] == said
