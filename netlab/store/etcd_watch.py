"""Changes of keys, as etcd streams them. When the stream ends for any reason, the caller reads all keys again."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from typing import Any

from netlab.frozen import frozen
from netlab.store.etcd_client import EtcdClient, below, plain

# Seconds of silence after which a stream ends: a member that lost the others has nothing to say, and does not say so.
IDLE = 10.0
_MOST_WAITING = 1000


@frozen
class Event:
    """A key that was put, with the revision of that, or removed (``put`` is false)."""

    key: str
    revision: int
    put: bool
    value: bytes


class Ended(Exception):
    """The stream ended: a broken connection, a compaction, a restart, or silence."""


class Stream:
    """Events of all keys with a prefix, from a revision of etcd on; 0: those from now on.

    Raises:
      HostError: if etcd is not reached, or refuses.
    """

    def __init__(self, client: EtcdClient, prefix: str, revision: int, idle: float = IDLE) -> None:
        create = {**below(prefix), "start_revision": str(revision)}
        self._answer = client.stream("watch", {"create_request": create}, idle)
        self._events: queue.Queue[list[Event] | None] = queue.Queue(_MOST_WAITING)
        self._closed = False
        threading.Thread(target=self._read, name="netlab-watch", daemon=True).start()

    def next(self, seconds: float) -> list[Event]:
        """Return the next events, none if there are none for some seconds; raises Ended."""
        try:
            found = self._events.get(timeout=seconds)
        except queue.Empty:
            return []
        if found is None:
            raise Ended
        return found

    def close(self) -> None:
        """End the stream and its thread."""
        self._closed = True
        with contextlib.suppress(Exception):
            self._answer.raw.shutdown()
        with contextlib.suppress(queue.Empty):
            while True:
                self._events.get_nowait()

    def _read(self) -> None:
        # Any error ends the stream, and the reader gets ``Ended``.
        with contextlib.suppress(Exception):
            for line in self._answer.iter_lines(chunk_size=None):
                if self._closed or (found := _events(line)) is None:
                    break
                if found:
                    self._events.put(found)
        with contextlib.suppress(Exception):
            self._answer.close()
        if not self._closed:
            self._events.put(None)


def _events(line: bytes) -> list[Event] | None:
    """Return the events of a line; None where it ends the stream."""
    if not line.strip():
        return []
    result = json.loads(line).get("result")
    if result is None or result.get("canceled"):
        return None
    return [_event(one) for one in result.get("events", ())]


def _event(one: Any) -> Event:
    kv = one["kv"]
    put = one.get("type", "PUT") == "PUT"
    return Event(plain(kv["key"]).decode(errors="replace"), int(kv["mod_revision"]), put, plain(kv.get("value", "")))
