"""A lease of etcd, which a thread keeps alive: keys that belong to it go when it ends, and it ends with its process."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time

from netlab.errors import HostError
from netlab.store.etcd_client import EtcdClient, Refused

# Seconds: the end of a lease is not worth more, as it ends by itself.
_REVOKE_PATIENCE = 2.0


def now() -> float:
    """Return seconds of a clock that cannot be set and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """A lease, granted now; ``alive`` is false as soon as etcd may have ended it.

    Args:
      client: the client.
      seconds: how long it lives without its thread.

    Raises:
      HostError: if etcd does not grant it.
    """

    def __init__(self, client: EtcdClient, seconds: int) -> None:
        self._client, self._seconds = client, seconds
        # The number is ours, so that a request that is sent twice grants one lease.
        self.number = secrets.randbits(62) + 1
        began = now()
        try:
            client.call("lease/grant", {"TTL": str(seconds), "ID": str(self.number)})
        except Refused as error:
            if "already exists" not in error.text:
                raise
        self._until = began + seconds
        self._lost = False
        self._pid = os.getpid()
        self._stop = threading.Event()
        threading.Thread(target=self._keep, name="netlab-lease", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether etcd has the lease for sure; always false in a forked process, which has no such thread."""
        return not self._lost and now() < self._until and os.getpid() == self._pid

    def revoke(self) -> None:
        """End the lease and remove its keys; if etcd is not reached, it ends by itself."""
        if os.getpid() != self._pid:
            return
        self._stop.set()
        if not self._lost:
            self._lost = True
            with contextlib.suppress(HostError):
                self._client.call("lease/revoke", {"ID": str(self.number)}, _REVOKE_PATIENCE)

    def _keep(self) -> None:
        pause = self._seconds / 3
        while not self._stop.wait(pause):
            began = now()
            pause = self._seconds / 3
            try:
                # A member that does not answer must not use up the time of the others.
                answer = self._client.call("lease/keepalive", {"ID": str(self.number)}, 0, self._seconds / 6)
            except HostError:
                pause = min(0.2, pause)
                if now() < self._until:
                    continue
                answer = {}
            # An expired lease has no time to live.
            if not int(answer.get("TTL", 0)) > 0:
                self._lost = True
                return
            self._until = began + self._seconds
