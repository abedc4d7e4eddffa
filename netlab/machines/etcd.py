"""The parts of etcd that labs on many machines use: decided records, proposed ones, registrations and reports."""

from __future__ import annotations

from dataclasses import replace

from netlab.errors import DamagedRecord
from netlab.frozen import frozen
from netlab.machines.spec import Spec, decoded_spec
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_client import EtcdClient, below
from netlab.store.etcd_settings import EtcdSettings


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

    def command_runs(self, lab: str) -> bool:
        """Return whether a command holds or awaits the lock of a lab; raises HostError."""
        locks = below(self.client.key("locks", lab, ""))
        return int(self.client.call("kv/range", {**locks, "count_only": True}).get("count", 0)) > 0

    def close(self) -> None:
        """Close the connections."""
        self.store.close()
        self.proposals.close()


def _known(store: EtcdStore, lab: str) -> Known | None:
    kept = store.load(lab)
    return None if kept is None else Known(decoded_spec(lab, kept.data), kept.revision)
