"""Servers of connections whose tasks live as long as the connections do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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
