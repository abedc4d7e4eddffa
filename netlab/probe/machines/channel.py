"""How a coordinator and its participants exchange steps and answers, and a channel in memory."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol


class Ended(Exception):
    """The run is over, or its coordinator is gone."""


class Channel(Protocol):
    """The coordinator's side: it posts numbered steps, and each participant answers each step once."""

    def post(self, number: int, step: bytes, done: Sequence[int]) -> None:
        """Post a step; all answers of the steps ``done`` were taken, so that they can be deleted."""
        ...

    def answers(self, seconds: float) -> list[tuple[int, str, bytes]]:
        """Return answers that came, each as (step, machine, answer); wait up to some seconds for the first."""
        ...


class ParticipantChannel(Protocol):
    """The participant's side of a channel. It is a file, ready when a step may have come (``sockets.Wakener``)."""

    def fileno(self) -> int: ...

    def clear(self) -> None:
        """Make the file not ready."""
        ...

    def next(self) -> tuple[int, bytes] | None:
        """Return the next step with its number, None if it has not come; raises Ended when the run is over."""
        ...

    def answer(self, number: int, answer: bytes) -> None:
        """Answer a step; raises Ended when the run is over."""
        ...


class WakeFile:
    """A file that another thread makes ready."""

    def __init__(self) -> None:
        self._file = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._file

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._file)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._file, 1)

    def close(self) -> None:
        os.close(self._file)


class MemoryChannel:
    """A channel between threads of one process; ``participant`` returns the side of a machine's participant."""

    def __init__(self, machines: Sequence[str]) -> None:
        self._answers: queue.SimpleQueue[tuple[int, str, bytes]] = queue.SimpleQueue()
        self._channels = {name: MemoryParticipantChannel(name, self._answers) for name in machines}
        self.bytes = 0
        """The sum of the sizes of all steps and answers."""

    def participant(self, machine: str) -> MemoryParticipantChannel:
        return self._channels[machine]

    def post(self, number: int, step: bytes, done: Sequence[int]) -> None:
        self.bytes += len(step)
        for channel in self._channels.values():
            channel.put(number, step)

    def answers(self, seconds: float) -> list[tuple[int, str, bytes]]:
        found: list[tuple[int, str, bytes]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._answers.get(timeout=max(0.0, seconds)))
            while True:
                found.append(self._answers.get_nowait())
        self.bytes += sum(len(answer) for _, _, answer in found)
        return found

    def close(self) -> None:
        """End the run for all participants."""
        for channel in self._channels.values():
            channel.end()

    def free(self) -> None:
        """Close the files of all channels; no participant uses one any more."""
        for channel in self._channels.values():
            channel.free()


class MemoryParticipantChannel:
    """A participant's side of a channel in memory."""

    def __init__(self, machine: str, answers: queue.SimpleQueue[tuple[int, str, bytes]]) -> None:
        self._machine, self._answers = machine, answers
        self._steps: deque[tuple[int, bytes]] = deque()
        self._wake, self._ended = WakeFile(), threading.Event()

    def fileno(self) -> int:
        return self._wake.fileno()

    def clear(self) -> None:
        self._wake.clear()

    def put(self, number: int, step: bytes) -> None:
        self._steps.append((number, step))
        self._wake.wake()

    def end(self) -> None:
        self._ended.set()
        self._wake.wake()

    def free(self) -> None:
        self._wake.close()

    def next(self) -> tuple[int, bytes] | None:
        if self._ended.is_set():
            raise Ended
        return self._steps.popleft() if self._steps else None

    def answer(self, number: int, answer: bytes) -> None:
        if self._ended.is_set():
            raise Ended
        self._answers.put((number, self._machine, answer))
