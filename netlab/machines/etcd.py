"""The parts of etcd that labs on many machines use: decided records, proposed ones, registrations and reports."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import DamagedRecord
from netlab.frozen import frozen
from netlab.machines.spec import Spec, decoded_spec
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import EtcdClient, below
from netlab.store.etcd_lock import EtcdLock
from netlab.store.etcd_settings import EtcdSettings
from netlab.store.etcd_values import Packed
from netlab.store.values import Conflict


@frozen
class Known:
    """What etcd keeps of a lab, and its revision."""

    spec: Spec
    revision: str


class Etcd:
    """Connections to one etcd. ``store`` has what was decided, ``proposals`` what a command proposes to the machines.

    Raises:
      HostError: if the package is not installed.
    """

    def __init__(self, settings: EtcdSettings) -> None:
        self.settings = settings
        self.store = EtcdStore(settings)
        self.proposals = EtcdStore(replace(settings, prefix=f"{settings.prefix}next/"))
        self.client: EtcdClient = self.store.client

    def decided(self, lab: str) -> Known | None:
        """Return a lab as it was decided, None if there is none; raises DamagedRecord, HostError."""
        return _known(self.store, lab)

    def proposed(self, lab: str) -> Known | None:
        """Return a lab as a command proposes it, None if none does; raises HostError."""
        try:
            return _known(self.proposals, lab)
        except DamagedRecord:
            return None

    def propose(self, lab: str, packed: Packed, lock: EtcdLock) -> str:
        """Propose a lab to the machines; return the proposal's revision. Raises LockLost, HostError."""
        found = self.proposals.save_packed(lab, packed, lock=lock)
        if found is None:
            raise Conflict(lab)
        return found

    def decide(self, lab: str, packed: Packed, revision: str, lock: EtcdLock) -> str:
        """Make what was proposed the lab, and remove the proposal at the same moment; return the lab's revision.

        The value is that of the proposal, so the machines know that they prepared it.

        Raises:
          Conflict: if the lab has not the revision.
          LockLost, HostError.
        """
        found = self.store.save_packed(lab, packed, revision, lock, self.proposals.removal(lab))
        if found is None:
            raise Conflict(lab)
        return found

    def remove_both(self, lab: str, lock: EtcdLock) -> None:
        """Remove a lab and what is proposed for it at the same moment; raises LockLost, HostError."""
        self.store.remove(lab, lock=lock, also=self.proposals.removal(lab))

    def command_runs(self, lab: str) -> bool:
        """Return whether a command holds or awaits the lock of a lab; raises HostError."""
        locks = below(self.client.key("locks", lab, ""))
        return int(self.client.call("kv/range", {**locks, "count_only": True}).get("count", 0)) > 0

    def close(self) -> None:
        """Close the connections."""
        self.store.close()
        self.proposals.close()


def probe_ports(client: EtcdClient, lab: str) -> str:
    """Return the key that has the source ports of the next probes of a lab."""
    return client.key("probe-ports", lab)


def _known(store: EtcdStore, lab: str) -> Known | None:
    kept = store.load(lab)
    return None if kept is None else Known(decoded_spec(lab, kept.data), kept.revision)
