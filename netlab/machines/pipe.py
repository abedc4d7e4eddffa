"""A pipe through etcd: one process puts numbered chunks, another one takes and deletes them.

The writer's keys belong to its lease, and one of them, ``open``, is there as long as the writer lives. So a reader
learns that the writer is gone, and nothing stays in etcd. The writer waits while several chunks are not taken yet.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from netlab.errors import HostError
from netlab.store.etcd_client import EtcdClient, Refused, Unreachable, b64, below, plain, revision_of
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_watch import Ended, Stream

PIECE = 1 << 17
"""The most bytes of a chunk."""

_WINDOW = 8
_OPEN = "open"
# Bytes that were taken, after which etcd forgets what was before; else its history would keep them.
_HISTORY = 1 << 22
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_PAUSE = 0.1


class Writer:
    """The end of a pipe that puts chunks.

    Args:
      client: the client.
      prefix: what the keys of the pipe begin with.
      lease: the lease of its keys.
    """

    def __init__(self, client: EtcdClient, prefix: str, lease: Lease) -> None:
        self._client, self._prefix, self._lease = client, prefix, lease
        self._next = self._taken = 0

    def opening(self) -> dict[str, Any]:
        """Return the operation of a transaction that opens the pipe."""
        return {"request_put": {"key": b64(f"{self._prefix}{_OPEN}"), "lease": str(self._lease.number)}}

    def write(self, kind: bytes, data: bytes, check: Callable[[], object]) -> None:
        """Put data of a kind, which is one byte, as chunks; call ``check`` while the reader is slow.

        Raises:
          HostError: if etcd is not reached, or ended the lease; and what ``check`` raises.
        """
        for at in range(0, max(1, len(data)), PIECE):
            self._wait(check)
            put = {"key": b64(f"{self._prefix}{self._next:08}"), "value": b64(kind + data[at : at + PIECE])}
            try:
                self._client.call("kv/put", {**put, "lease": str(self._lease.number)})
            except Refused as error:
                if not error.not_found:
                    raise
                raise HostError("etcd was not reached for too long") from error
            self._next += 1

    def _wait(self, check: Callable[[], object]) -> None:
        """Wait until the reader has taken enough."""
        pause = _FIRST_PAUSE
        while self._next - self._taken >= _WINDOW:
            check()
            count = self._client.call("kv/range", {**below(self._prefix), "count_only": True}).get("count", 0)
            # All but the key ``open``.
            self._taken = self._next - max(int(count) - 1, 0)
            if self._next - self._taken >= _WINDOW:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)


class Reader:
    """The end of a pipe that takes chunks.

    ``opened``: the writer was seen. ``gone``: it was seen, and is no longer there.

    Args:
      client: the client.
      prefix: what the keys of the pipe begin with.
      revision: that of etcd before the pipe was there; None: the pipe may be there already.
    """

    def __init__(self, client: EtcdClient, prefix: str, revision: int | None = None) -> None:
        self._client, self._prefix = client, prefix
        self.opened = self.gone = False
        self._next = self._bytes = 0
        self._waiting: dict[int, bytes] = {}
        self._stream: Stream | None = None
        if revision is not None:
            self._stream = Stream(client, prefix, revision + 1)

    def read(self, seconds: float) -> list[tuple[bytes, bytes]]:
        """Take the next chunks in order, each with its kind; none if none come for some seconds, or the writer is gone.

        Raises:
          HostError: if etcd is not reached.
        """
        try:
            if self._stream is None:
                self._read_all()
            if self._stream is not None and self._next not in self._waiting and not self.gone:
                for event in self._stream.next(seconds):
                    self._note(event.key, event.value if event.put else None)
        except (Ended, Unreachable):
            self.close()
            time.sleep(_PAUSE)
            self._read_all()
        return self._take()

    def close(self) -> None:
        """End the watch."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _read_all(self) -> None:
        answer = self._client.call("kv/range", below(self._prefix))
        there = False
        for kv in answer.get("kvs", ()):
            key = plain(kv["key"]).decode(errors="replace")
            there = there or key == f"{self._prefix}{_OPEN}"
            self._note(key, plain(kv.get("value", "")))
        self.gone = self.opened and not there
        self._stream = Stream(self._client, self._prefix, revision_of(answer) + 1)

    def _note(self, key: str, value: bytes | None) -> None:
        name = key.removeprefix(self._prefix)
        if name == _OPEN:
            self.opened, self.gone = True, value is None
        elif value and name.isascii() and name.isdigit() and int(name) >= self._next:
            self._waiting[int(name)] = value

    def _take(self) -> list[tuple[bytes, bytes]]:
        first, found = self._next, []
        while (value := self._waiting.pop(self._next, None)) is not None:
            found.append((value[:1], value[1:]))
            self._next += 1
            self._bytes += len(value)
        if found:
            ends = (f"{self._prefix}{number:08}" for number in (first, self._next))
            key, range_end = map(b64, ends)
            answer = self._client.call("kv/deleterange", {"key": key, "range_end": range_end})
            if self._bytes > _HISTORY:
                self._bytes = 0
                with contextlib.suppress(HostError):
                    self._client.call("kv/compaction", {"revision": str(revision_of(answer))}, 0)
        return found
