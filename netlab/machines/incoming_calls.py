"""The calls to a machine, as its agent sees them: a thread notes new ones, and each gets a process of its own."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from typing import Any

from netlab.errors import NetlabError
from netlab.kernel.spawner import Spawner
from netlab.machines.calls import DIRECTORY
from netlab.patterns import pattern
from netlab.store.etcd_client import EtcdClient, below, plain, revision_of
from netlab.store.etcd_watch import Ended, Stream

TARGET = "call"
"""The name of the spawner's target, ``call_process.answer``."""

TAKEN = b"taken "
"""What the value of a call begins with when a process has taken it."""

MOST = 64
"""Processes for calls at the same time; further calls wait."""

_ID = pattern(r"[0-9a-f]{16}")
_PAUSE = 0.5


class IncomingCalls:
    """The calls to this machine.

    Args:
      client: the client.
      machine: the name of this machine.
      policy: which programs it runs for calls: ``nobody``, ``any`` or ``none``.
      spawner: starts the processes.
      wake: called by the thread when there is a new call.
    """

    def __init__(
        self, client: EtcdClient, machine: str, policy: str, spawner: Spawner, wake: Callable[[], object]
    ) -> None:
        self._client, self._machine, self._spawner, self._wake = client, machine, spawner, wake
        self._arguments: dict[str, Any] = {"etcd": asdict(client.settings), "machine": machine, "exec": policy}
        self._new: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._running: dict[str, socket.socket] = {}

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._watch, name="netlab-calls", daemon=True).start()

    @property
    def sockets(self) -> list[socket.socket]:
        """The sockets to the processes; one that can be read is that of a process that ended."""
        return list(self._running.values())

    def serve(self, ready: Collection[socket.socket]) -> None:
        """Forget the processes that ended, and start those of new calls."""
        for id_ in [id_ for id_, one in self._running.items() if one in ready]:
            self._running.pop(id_).close()
        while len(self._running) < MOST and not self._new.empty():
            id_ = self._new.get()
            if id_ not in self._running:
                self._running[id_] = self._spawner.start(TARGET, id=id_, **self._arguments)

    def close(self) -> None:
        """Let the processes end."""
        for one in self._running.values():
            one.close()

    def _watch(self) -> None:
        while True:
            try:
                for id_ in self._waiting():
                    self._new.put(id_)
                    self._wake()
            except NetlabError:
                pass
            time.sleep(_PAUSE)

    def _waiting(self) -> Iterator[str]:
        """Yield the ids of calls that no process has taken, until the watch ends."""
        prefix = self._client.key(DIRECTORY, self._machine, "")
        answer = self._client.call("kv/range", below(prefix))
        found = [(plain(kv["key"]), plain(kv.get("value", ""))) for kv in answer.get("kvs", ())]
        stream = Stream(self._client, prefix, revision_of(answer) + 1)
        try:
            with contextlib.suppress(Ended):
                while True:
                    for key, value in found:
                        id_ = key.decode(errors="replace").removeprefix(prefix)
                        if value and not value.startswith(TAKEN) and _ID.fullmatch(id_):
                            yield id_
                    found = [(one.key.encode(), one.value) for one in stream.next(60.0) if one.put]
        finally:
            stream.close()
