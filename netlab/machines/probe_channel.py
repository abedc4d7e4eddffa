"""The steps and answers of a run in etcd: keys below ``probes/LAB/RUN/``, which belong to the coordinator's lease.

``open`` says which change of the lab is to be measured. ``step/NNNNNN`` is a step, ``answer/NNNNNN/MACHINE`` an answer.
Step 000000 stays until the run ends; the others are deleted with the first step after their last answer was taken. If
the coordinator dies, etcd ends its lease and deletes all keys, and the participants see that step 000000 is gone.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from netlab.errors import HostError
from netlab.probe.machines.channel import Ended, WakeFile
from netlab.store.etcd_client import EtcdClient, Refused, Unreachable, b64, below, plain, revision_of
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_watch import Ended as StreamEnded
from netlab.store.etcd_watch import Event, Stream

# Steps after which etcd forgets what was deleted.
_HISTORY = 64
# Seconds: of a pulse of a watch; that a participant goes on without etcd; of pauses between tries.
_PULSE, _PATIENCE, _PAUSE = 1.0, 60.0, 0.1


def run_key(client: EtcdClient, lab: str, run: str, *parts: str) -> str:
    """Return a key of a run."""
    return client.key("probes", lab, run, *parts)


class Watch:
    """Calls a function with each key below a prefix, and with each later change, from a thread of its own.

    After every break all keys are read again, so a change may be seen twice, and a key that was put and deleted during
    the break is not seen. ``failed`` is why etcd was not reached for too long.
    """

    def __init__(self, client: EtcdClient, prefix: str, each: Callable[[list[Event]], None], patience: float) -> None:
        self._client, self._prefix, self._each, self._patience = client, prefix, each, patience
        self._stop = threading.Event()
        self.failed: HostError | None = None
        threading.Thread(target=self._run, name="netlab-probe-watch", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        reached = time.monotonic()
        known: set[str] = set()
        while not self._stop.is_set():
            try:
                known = self._follow(known)
                reached = time.monotonic()
            except HostError as error:
                if not isinstance(error, Unreachable) or time.monotonic() > reached + self._patience:
                    self.failed = error
                    self._each([])
                    return
            self._stop.wait(_PAUSE)

    def _follow(self, known: set[str]) -> set[str]:
        """Read all keys and follow their changes until the stream ends; return the keys that are left."""
        answer = self._client.call("kv/range", below(self._prefix), _PULSE)
        found = [
            Event(plain(kv["key"]).decode(errors="replace"), int(kv["mod_revision"]), True, plain(kv.get("value", "")))
            for kv in answer.get("kvs", ())
        ]
        keys = {event.key for event in found}
        gone = [Event(key, 0, False, b"") for key in sorted(known - keys)]
        self._each([*found, *gone])
        stream = Stream(self._client, self._prefix, revision_of(answer) + 1)
        try:
            while not self._stop.is_set():
                if events := stream.next(_PULSE):
                    for event in events:
                        (keys.add if event.put else keys.discard)(event.key)
                    self._each(events)
        except StreamEnded:
            pass
        finally:
            stream.close()
        return keys


class EtcdChannel:
    """The coordinator's side of a run.

    Args:
      client: the client.
      lab: the lab.
      run: the name of the run, which no other run of the lab has.
      change: which change of the lab is to be measured; participants are started for it.

    Raises:
      HostError: if etcd is not reached.
    """

    def __init__(self, client: EtcdClient, lab: str, run: str, change: str) -> None:
        self._client = client
        self._steps = run_key(client, lab, run, "step", "")
        self._answer_keys = run_key(client, lab, run, "answer", "")
        self._prefix = run_key(client, lab, run, "")
        self._answers: queue.SimpleQueue[tuple[int, str, bytes] | None] = queue.SimpleQueue()
        self._seen: set[tuple[int, str]] = set()
        self._done: set[int] = set()
        self.bytes = 0
        self._lease = Lease(client, client.settings.lease)
        try:
            self._put([_put(run_key(client, lab, run, "open"), change.encode(), self._lease.number)])
            self._watch = Watch(client, self._answer_keys, self._came, client.settings.patience)
        except BaseException:
            self._lease.revoke()
            raise

    def post(self, number: int, step: bytes, done: Sequence[int]) -> None:
        """Post a step, and delete the answers and steps that are done."""
        if not self._lease.alive:
            raise HostError("the run ended, as etcd was not reached in time", "try again")
        self.bytes += len(step)
        gone = [one for number_of in done for one in self._deleted(number_of)]
        answer = self._put([_put(f"{self._steps}{number:06}", step, self._lease.number), *gone])
        self._done.update(done)
        if number % _HISTORY == _HISTORY - 1:
            self._forget(revision_of(answer))

    def answers(self, seconds: float) -> list[tuple[int, str, bytes]]:
        found = []
        with contextlib.suppress(queue.Empty):
            found.append(self._answers.get(timeout=max(0.0, seconds)))
            while True:
                found.append(self._answers.get_nowait())
        if self._watch.failed is not None:
            raise self._watch.failed
        came = [one for one in found if one is not None]
        self.bytes += sum(len(answer) for _, _, answer in came)
        return came

    def close(self) -> None:
        """Delete all keys of the run."""
        self._watch.close()
        self._lease.revoke()
        with contextlib.suppress(HostError):
            answer = self._client.call("kv/deleterange", below(self._prefix), 1.0)
            self._forget(revision_of(answer))

    def _deleted(self, number: int) -> list[dict[str, Any]]:
        gone = [{"request_delete_range": below(f"{self._answer_keys}{number:06}/")}]
        if number:
            gone.append({"request_delete_range": {"key": b64(f"{self._steps}{number:06}")}})
        return gone

    def _put(self, operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return self._client.call("kv/txn", {"compare": [], "success": list(operations), "failure": []})

    def _came(self, events: list[Event]) -> None:
        for event in events:
            name = event.key.removeprefix(self._answer_keys)
            number, _, machine = name.partition("/")
            if not number.isdecimal():
                continue
            key = int(number), machine
            if event.put and key not in self._seen and key[0] not in self._done:
                self._seen.add(key)
                self._answers.put((*key, event.value))
        if not events:
            self._answers.put(None)

    def _forget(self, revision: int) -> None:
        """Have etcd forget the history before a revision; another client may have done so."""
        with contextlib.suppress(HostError):
            self._client.call("kv/compaction", {"revision": str(revision)}, 0)


class EtcdParticipantChannel:
    """A participant's side of a run.

    Args:
      client: the client.
      lab: the lab.
      machine: the name of this machine.
      run: the name of the run.
    """

    def __init__(self, client: EtcdClient, lab: str, machine: str, run: str) -> None:
        self._client, self._machine = client, machine
        self._steps = run_key(client, lab, run, "step", "")
        self._answer_keys = run_key(client, lab, run, "answer", "")
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._ended, self._next = False, 0
        self._lease = self._leased(run_key(client, lab, run, "open"))
        self._wake = WakeFile()
        self._watch = Watch(client, self._steps, self._came, _PATIENCE)

    def _leased(self, key: str) -> str:
        """Return the lease of the run; raises Ended where the run is over."""
        kv = next(iter(self._client.call("kv/range", {"key": b64(key)}).get("kvs", ())), None)
        if kv is None:
            raise Ended
        return str(int(kv.get("lease", 0)))

    def fileno(self) -> int:
        return self._wake.fileno()

    def clear(self) -> None:
        self._wake.clear()

    def next(self) -> tuple[int, bytes] | None:
        if self._waiting:
            return self._waiting.popleft()
        if self._ended:
            raise Ended
        if self._watch.failed is not None:
            raise self._watch.failed
        return None

    def answer(self, number: int, answer: bytes) -> None:
        key = f"{self._answer_keys}{number:06}/{self._machine}"
        body = {"key": b64(key), "value": b64(answer), "lease": self._lease}
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._client.call("kv/put", body)
            except Refused as error:
                if error.not_found:
                    raise Ended from error
                raise
            except Unreachable:
                if self._ended or time.monotonic() > until:
                    raise
                continue
            return

    def close(self) -> None:
        """End the watch. The file stays open until the process ends, as the thread may use it."""
        self._watch.close()

    def _came(self, events: list[Event]) -> None:
        for event in sorted(events, key=lambda one: one.key):
            name = event.key.removeprefix(self._steps)
            number = int(name) if name.isdecimal() else -1
            if event.put and number >= self._next:
                self._next = number + 1
                self._waiting.append((number, event.value))
            elif not event.put and number == 0:
                self._ended = True
        self._wake.wake()


def _put(key: str, value: bytes, lease: int) -> dict[str, Any]:
    return {"request_put": {"key": b64(key), "value": b64(value), "lease": str(lease)}}
