"""Watches of an API server in the process of ``kube_process``: lines of answers that do not end.

The process has a thread for each watch. All of them write to one pipe. A frame is one line of JSON with the number of
its watch, and the bytes that the line counts. While this side does not read, the pipe is full, the threads wait, and
so does the server: nothing piles up but what the server keeps.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from netlab.errors import HostError
from netlab.frozen import frozen

if TYPE_CHECKING:
    from netlab.kernel.kube_library import Library

MOST_LINE = 4 << 20
"""The largest line of a watch in bytes. etcd refuses objects above 1.5 MB."""
_CHUNK = 1 << 18
_MOST_HEAD = 1 << 14
# How much is read at once; more than the largest frame.
_MOST_AT_ONCE = 8 << 20
_OK, _UNAUTHORIZED = 200, 401
# Seconds between two readings of a kubeconfig whose credentials are refused; each may run a credential plugin.
_RENEWS = 10.0


@frozen
class Frame:
    """What happened to a watch: it is ``open`` or ``refused``, has a ``line`` (in ``body``), or came to its ``end``.

    - ``status``, ``retry_after``: those of the server's answer; ``body`` is that of a refusal.
    - ``message``: why the connection ended, "" if the server ended it.
    """

    watch: int
    event: Literal["open", "line", "refused", "end"]
    body: bytes = b""
    status: int = 0
    retry_after: str = ""
    message: str = ""


class Frames:
    """The frames that the process writes, on this side of the pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._left = bytearray()
        os.set_blocking(fd, False)

    def read(self, seconds: float) -> list[Frame]:
        """Return the frames that are there, or those that come first in some seconds; none if none comes.

        Raises:
          HostError: if the process ended, or wrote something else.
        """
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        until = time.monotonic() + seconds
        while True:
            if waiting.poll(max(0.0, until - time.monotonic()) * 1000):
                self._fill()
            found = list(self._whole())
            if found or time.monotonic() >= until:
                return found

    def _fill(self) -> None:
        while len(self._left) < _MOST_AT_ONCE:
            try:
                chunk = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                raise HostError("the process that watches the API server ended", "try again")
            self._left += chunk

    def _whole(self) -> Iterator[Frame]:
        """Yield the frames that have come whole."""
        at = 0
        while (end := self._left.find(b"\n", at, at + _MOST_HEAD)) >= 0:
            frame, size = _head(bytes(self._left[at:end]))
            if len(self._left) < end + 1 + size:
                break
            at = end + 1 + size
            yield Frame(**frame, body=bytes(self._left[end + 1 : at]))
        else:
            if len(self._left) - at >= _MOST_HEAD:
                raise _wrong()
        del self._left[:at]


def _head(line: bytes) -> tuple[dict[str, Any], int]:
    """Return the fields of a frame and the size of its body. A user may control the process, so all is checked."""
    try:
        head = json.loads(line)
        size = head.pop("size", 0)
        right = type(size) is int and 0 <= size <= MOST_LINE and type(head["watch"]) is int
        right = right and head["event"] in ("open", "line", "refused", "end") and type(head.get("status", 0)) is int
        right = right and all(isinstance(head.get(name, ""), str) for name in ("retry_after", "message"))
        if right and head.keys() <= {"watch", "event", "status", "retry_after", "message"}:
            return head, size
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise _wrong()


def _wrong() -> HostError:
    return HostError("the process that watches the API server wrote something else", "try again")


# --- the other process ----------------------------------------------------------------------------------------------


class Connection:
    """A connection of the process, whose credentials are read again when the server refuses them.

    ``load`` returns a new one from the kubeconfig.
    """

    def __init__(self, library: Library, load: Callable[[], Library]) -> None:
        self._library = library
        self._load = load
        self._lock = threading.Lock()
        self._loaded = time.monotonic()

    @property
    def library(self) -> Library:
        return self._library

    def renewed(self, refused: Library) -> Library:
        """Return a connection with new credentials in place of one that was refused; raises LibraryError."""
        with self._lock:
            if self._library is refused and time.monotonic() - self._loaded > _RENEWS:
                self._loaded = time.monotonic()
                self._library = self._load()
            return self._library

    def get(self, path: str, accept: str, most: int) -> tuple[int, str, bytes]:
        """Do what ``Library.get`` does; if the credentials are refused, read them again first."""
        used = self._library
        answer = used.get(path, accept, most)
        if answer[0] == _UNAUTHORIZED and (new := self.renewed(used)) is not used:
            return new.get(path, accept, most)
        return answer


class Streams:
    """The watches of the process; each has a thread, and writes frames to a pipe."""

    def __init__(self, connection: Connection, to: int) -> None:
        self._connection = connection
        self._to = to
        self._lock = threading.Lock()
        self._running: set[int] = set()

    def start(self, watch: int, path: str) -> None:
        """Begin a watch."""
        self._running.add(watch)
        threading.Thread(target=self._run, args=(watch, path), name="netlab-watch", daemon=True).start()

    def end(self, watch: int) -> None:
        """End a watch, at the latest when its next line comes: a server sends a bookmark about once a minute."""
        self._running.discard(watch)

    def _run(self, watch: int, path: str) -> None:
        message = ""
        try:
            self._follow(watch, path)
        except Exception as error:
            message = str(error)
        self._running.discard(watch)
        with contextlib.suppress(OSError):
            self._send({"watch": watch, "event": "end", "message": message[:500]})

    def _follow(self, watch: int, path: str) -> None:
        used = self._connection.library
        with used.stream(path) as answer:
            if answer.status == _OK:
                self._send({"watch": watch, "event": "open", "status": _OK})
                for line in answer.lines(MOST_LINE):
                    if watch not in self._running:
                        return
                    self._send({"watch": watch, "event": "line"}, line)
                return
            head = {"watch": watch, "event": "refused", "status": answer.status, "retry_after": answer.retry_after}
            self._send(head, answer.body(1 << 16))
        if answer.status == _UNAUTHORIZED:
            self._connection.renewed(used)

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        text = memoryview(json.dumps({**head, "size": len(body)}).encode() + b"\n" + body)
        with self._lock:
            while text:
                text = text[os.write(self._to, text) :]
