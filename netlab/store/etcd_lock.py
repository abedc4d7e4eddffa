"""The lock of a lab in etcd: one key for each process that holds or awaits it, in the order of their creation.

Each key belongs to a lease. An exclusive key waits for all earlier keys, a shared key for earlier exclusive ones. So no
process overtakes another, as with ``kernel/lock.py``. Source: etcd.io, "Distributed locks and leases"; that lock cannot
be shared.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from netlab.kernel.lock import repeat
from netlab.store.etcd_client import Body, EtcdClient, Refused, b64, below, plain
from netlab.store.etcd_lease import Lease
from netlab.store.values import LockLost

_PAUSES = (0.005, 0.1)
_ALONE, _SHARED = "alone", "shared"


class EtcdLock:
    """The lock of a lab in etcd, not yet taken.

    Args:
      client: the client.
      lab: the lab.
      reads: ranges of keys, as requests to etcd have them. ``found`` has the keys and values of each, as they were
        at the moment at which ``acquire`` took the lock.
    """

    def __init__(self, client: EtcdClient, lab: str, reads: Sequence[Body] = ()) -> None:
        self._client, self._lab = client, lab
        self._lease: Lease | None = None
        self._key = ""
        self._reads = reads
        self.found: list[list[dict[str, Any]]] = []

    @property
    def held(self) -> bool:
        """Whether this value holds the lock or waits for it, and etcd has not ended its lease."""
        return self._lease is not None and self._lease.alive

    def acquire(
        self,
        *,
        shared: bool = False,
        wait: bool = True,
        limit: float = float("inf"),
        waiting: Callable[[], None] | None = None,
    ) -> bool:
        """Take the lock; see ``StoreLock``. A value that holds it gives it up first."""
        self.release()
        taken = False
        try:
            taken = repeat(lambda: self._first(shared), _PAUSES, wait=wait, limit=limit, waiting=waiting)
        finally:
            if not taken:
                self.release()
        return taken

    def release(self) -> None:
        """Release the lock; a forked process does not release that of its parent."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.revoke()

    def guard(self) -> dict[str, Any]:
        """Return a comparison for a transaction, which is true while etcd has the lock's key.

        Raises:
          LockLost: if it is not held.
        """
        if not self.held:
            raise LockLost(self._lab)
        return {"key": b64(self._key), "target": "VERSION", "result": "GREATER", "version": "0"}

    def _first(self, shared: bool) -> bool:
        """Return whether no earlier key is in the way, and put a key of its own where there is none."""
        enter: list[Body] = []
        if self._lease is None or not self._lease.alive:
            enter = [{"request_put": self._entry(shared)}]
        ranges = [below(self._client.key("locks", self._lab, "")), *self._reads]
        operations = [*enter, *({"request_range": one} for one in ranges)]
        try:
            answer = self._client.call("kv/txn", {"success": operations})
        except Refused as error:
            if not error.not_found:
                raise
            # The lease ended before it was used.
            self.release()
            return False
        kvs, *self.found = [one.get("response_range", {}).get("kvs", []) for one in answer["responses"][len(enter) :]]
        ages = {plain(kv["key"]).decode(errors="replace"): (int(kv["create_revision"]), kv) for kv in kvs}
        if self._key not in ages:
            # The lease ended while this process slept, so it is last again.
            self.release()
            return False
        mine, _ = ages[self._key]
        return not any(age < mine and not (shared and _shared(kv)) for age, kv in ages.values())

    def _entry(self, shared: bool) -> dict[str, str]:
        """Return the key to put, of a new lease."""
        self._lease = Lease(self._client, self._client.settings.lease)
        self._key = self._client.key("locks", self._lab, f"{self._lease.number:016x}")
        value = f"{_SHARED if shared else _ALONE} {socket.gethostname()} {os.getpid()}"
        return {"key": b64(self._key), "value": b64(value), "lease": str(self._lease.number)}


def _shared(kv: Any) -> bool:
    return plain(kv.get("value", "")).startswith(_SHARED.encode())
