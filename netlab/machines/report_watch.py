"""Waits until machines have reported about a change."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection

from netlab.errors import HostError
from netlab.lab import notices
from netlab.machines import registry, reports
from netlab.machines.reports import Report
from netlab.store.etcd_client import EtcdClient, Unreachable, revision_of
from netlab.store.etcd_watch import Ended, Stream

# Seconds between two looks whether the machines that did not report yet are still registered.
_LOOK = 1.0
_PAUSE = 0.1
# Seconds after which the user is told which machines a command waits for.
_SILENT = 10.0


class ReportWatch:
    """The reports about a lab that come from now on; close it after use.

    A thread opens the watch, so that a command can take the lab's lock meanwhile. The watch begins with the next event:
    etcd gives the events of one that begins with an older revision only every 100 ms (its ``syncWatchersLoop``).

    Args:
      client: the client.
      lab: the lab.
    """

    def __init__(self, client: EtcdClient, lab: str) -> None:
        self._client, self._lab = client, lab
        self._prefix = client.key(reports.DIRECTORY, lab, "")
        self.found: dict[str, Report] = {}
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._open, name="netlab-reports", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Wait until reports are watched; a command gives machines work after that."""
        self._thread.join()
        if self._stream is None:
            self._read()

    def wait(
        self, names: Collection[str], done: Callable[[Report], bool], most: float = float("inf")
    ) -> tuple[dict[str, Report], set[str]]:
        """Wait until each machine has a report of which ``done`` is true, is away, or ``most`` seconds are over.

        Returns the reports of the machines that have one, and the other machines. It returns as soon as one failed.

        Raises:
          HostError: if etcd is not reached.
        """
        looked = began = time.monotonic()
        until, told = began + most, False
        while True:
            reported = {name: one for name in names if (one := self.found.get(name)) is not None and done(one)}
            if len(reported) == len(names) or any(one.phase == "failed" for one in reported.values()):
                return reported, set()
            now = time.monotonic()
            if now - looked >= _LOOK or now >= until:
                away = set(names) - reported.keys() - registry.machines(self._client).keys()
                if now >= until:
                    return reported, set(names) - reported.keys()
                if len(away) + len(reported) == len(names):
                    return reported, away
                looked = now
                if now - began > _SILENT and not told:
                    told = True
                    notices.notice(f"waiting for {', '.join(sorted(set(names) - reported.keys()))}")
            self._follow(min(_LOOK, max(until - now, 0)))

    def close(self) -> None:
        """End the watch."""
        self._thread.join()
        if self._stream is not None:
            self._stream.close()

    def _follow(self, seconds: float) -> None:
        try:
            if self._stream is None:
                self._read()
                return
            for event in self._stream.next(seconds):
                self._note(event.key, event.value if event.put else None)
        except (Ended, Unreachable):
            self.close()
            self._stream = None
            time.sleep(_PAUSE)

    def _read(self) -> None:
        answer = self._client.call("kv/range", reports.keys(self._client, self._lab))
        self.found = reports.found_in(self._client, self._lab, answer.get("kvs", ()))
        self._stream = Stream(self._client, self._prefix, revision_of(answer) + 1)

    def _open(self) -> None:
        # An etcd that is not reached is found by the requests of the command.
        with contextlib.suppress(HostError):
            self._stream = Stream(self._client, self._prefix, 0)

    def _note(self, key: str, value: bytes | None) -> None:
        name = key.removeprefix(self._prefix)
        report = None if value is None else reports.parsed(name, value)
        if report is None:
            self.found.pop(name, None)
        else:
            self.found[name] = report
