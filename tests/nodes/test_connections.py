"""Connections of the kubelet and of the egress proxy that last."""

from __future__ import annotations

import asyncio
import gc
import weakref

from netlab.control_plane.nodes.connections import held


def test_the_garbage_collector_leaves_a_connection_that_waits():
    """After the client's end, what the server still waits for is referred to by its own task only."""
    waiting: list[weakref.ref[asyncio.Future[bytes]]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        future = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(future))
        writer.write(await future)
        writer.close()

    async def ask() -> bytes:
        async with await asyncio.start_server(held(answer), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write_eof()
            while not waiting:
                await asyncio.sleep(0.01)
            gc.collect()
            future = waiting[0]()
            if future is not None:
                future.set_result(b"answer")
            found = await reader.read()
            writer.close()
            return found

    assert b"answer" == asyncio.run(asyncio.wait_for(ask(), 10))
