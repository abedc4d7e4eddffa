"""Connections of servers: tasks that live as long as they do, and bytes that pass from one to another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

_CHUNK = 1 << 16

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def held(answer: Answer) -> Answer:
    """Return a function for ``asyncio.start_server`` that keeps each of its tasks until it has ended.

    A loop keeps tasks only weakly (asyncio.create_task). One that waits for a side which says nothing now, after the
    other side's end, is referred to by its own connection alone, and the garbage collector breaks both off.
    """
    tasks: set[object] = set()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            await answer(reader, writer)
        finally:
            tasks.discard(task)

    return answered


async def copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[], object] = lambda: None
) -> None:
    """Pass the bytes of one side on, and then its end; ``heard`` is called for each part of them."""
    while data := await reader.read(_CHUNK):
        heard()
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def all_of(*works: Coroutine[object, object, None]) -> None:
    """Wait until all have ended, or one has failed; then no other goes on."""
    tasks = [asyncio.ensure_future(one) for one in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
