"""The labs of an etcd, on the machines whose agents are registered there."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager

from netlab.cluster import Cluster
from netlab.errors import UsageError
from netlab.lab import notices
from netlab.lab.choose import single
from netlab.lab.lab import Lab
from netlab.machines import coordinator
from netlab.machines.etcd import Etcd
from netlab.machines.labs import Removed
from netlab.machines.shared_lab import SharedLab
from netlab.objects import Objects
from netlab.objects.names import LabName
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import EtcdSettings

_COUNT = itertools.count()


class EtcdLabs:
    """The labs of an etcd.

    Raises:
      HostError: if the package is not installed.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        self.etcd = Etcd(settings)
        for store in (self.etcd.store, self.etcd.proposals):
            store.client.waiting = _notice_waiting

    def up(
        self,
        objects: Objects,
        *,
        name: str = "",
        cluster: Cluster | None = None,
        kernel: str = "",
        encrypted: bool | None = None,
    ) -> Lab:
        return SharedLab.brought(self.etcd, objects, name, cluster, encrypted=encrypted)

    def open(self, name: str = "") -> SharedLab:
        return SharedLab.opened(self.etcd, name or self._only())

    def repaired(self, name: str = "") -> SharedLab:
        # Agents repair what broke off.
        return self.open(name)

    def names(self) -> list[str]:
        return self.etcd.store.labs()

    def remove(self, name: str) -> Removed:
        """Remove a lab on all machines; raises UsageError where there is none, HostError."""
        removed = coordinator.remove(self.etcd, LabName(name))
        if removed is None:
            known = ", ".join(self.names())
            raise UsageError(f"no lab {name!r} is in etcd{f' (there: {known})' if known else ''}")
        return Removed((), removed.away)

    def remove_all(self) -> Iterator[tuple[str, Removed]]:
        """Remove all labs; yield each with the outcome."""
        for name in self.names():
            # Another command may remove it meanwhile.
            if (removed := coordinator.remove(self.etcd, name)) is not None:
                yield name, Removed((), removed.away)

    def temporary(self, objects: Objects, *, cluster: Cluster | None = None) -> AbstractContextManager[Lab]:
        return self._temporary(objects, cluster)

    @contextlib.contextmanager
    def _temporary(self, objects: Objects, cluster: Cluster | None) -> Iterator[Lab]:
        base = (objects.topology.name if objects.topology else "default")[:20]
        name = LabName(f"{base}-{secrets.token_hex(3)}-{os.getpid():x}-{next(_COUNT)}")
        # The agents remove the lab when the lease is gone, as after a kill of this process.
        lease = Lease(self.etcd.client, self.etcd.settings.lease)
        try:
            yield SharedLab.brought(self.etcd, objects, name, cluster, str(lease.number))
        finally:
            try:
                coordinator.remove(self.etcd, name)
            finally:
                lease.revoke()

    def _only(self) -> str:
        running = self.names()
        if not running:
            raise UsageError("no lab is in etcd; build one with: netlab up --etcd URL -f FILE")
        if chosen := single(running):
            return chosen
        raise UsageError(f"several labs are in etcd, name one with --lab: {', '.join(running)}")


def _notice_waiting(why: str) -> None:
    """Print that this command waits for etcd."""
    notices.notice(f"waiting for etcd: {why}")
