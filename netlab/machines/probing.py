"""Measures flows of a lab on several machines through etcd: ``measure`` coordinates, ``participate`` takes part."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from types import MappingProxyType
from typing import TYPE_CHECKING

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.errors import HostError
from netlab.machines.etcd import probe_ports
from netlab.probe import Measurement, ports, service_ports
from netlab.probe.machines.channel import Ended
from netlab.store.etcd_client import EtcdClient, b64, plain

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

# Seconds for which the source ports of a run are remembered: longer than any kernel keeps its connections.
_REMEMBERED = 300
_TRIES = 50
# Places among source ports; more than these are the same ports again.
_PLACES = 1 << 20
_MOST_DIGITS = 18


def measure(
    client: EtcdClient,
    lab: str,
    cluster: Cluster,
    placed: Mapping[str, str],
    flows: Iterable[Flow],
    progress: Callable[[int, int], None] | None = None,
    alive: Callable[[str], bool] = lambda machine: True,
    change: str = "",
    begin: Callable[[str], None] = lambda run: None,
    away: Mapping[str, str] = MappingProxyType({}),
    once: bool = False,
) -> Iterator[Measurement]:
    """Yield the measurement of each flow, in order; this machine needs no part of the lab, and no privilege.

    Flows that need a machine that is away are inconclusive.

    Args:
      client: the client of the etcd that joins the machines.
      lab: the lab.
      cluster: its cluster, the same on all machines.
      placed: the machine of each node and outside host, by reference.
      flows: the flows to measure.
      progress: called with the number of measured flows and of all flows (0 where it is not known).
      alive: whether a machine is there. It is asked while its answer is missing.
      change: the id of the change of the lab that is to be measured.
      begin: called with the name of the run, to start a participant on each machine.
      away: machines that take no part from the beginning, and why.
      once: send no probe a second time, as for a trace.

    Raises:
      HostError: if etcd is not reached.
    """
    from netlab.machines.probe_channel import EtcdChannel
    from netlab.probe.machines.coordinator import Coordinator

    total, done = len(flows) if isinstance(flows, Sized) else 0, 0
    more = sum(service_ports.needed(cluster)) if cluster.services else 0
    sources = _source_ports(client, lab, more)
    run = secrets.token_hex(8)
    channel = EtcdChannel(client, lab, run, change)
    try:
        begin(run)
        first_ident = int.from_bytes(os.urandom(4))
        coordinator = Coordinator(channel, cluster, lab, placed, alive, first_ident, sources, away, once)
        try:
            for block in coordinator.blocks(iter(flows)):
                done += len(block.flows)
                if progress is not None:
                    progress(done, total)
                yield from block.measurements()
        finally:
            coordinator.close()
    finally:
        channel.close()


def participate(client: EtcdClient, lab: Lab, machine: str, run: str) -> None:
    """Take part in a run on this machine, until it ends.

    Args:
      client: the client of the etcd that joins the machines.
      lab: the part of the lab on this machine.
      machine: the name of this machine.
      run: the name of the run, of the key ``probes/LAB/RUN/open``.

    Raises:
      HostError: if etcd is not reached for a minute.
    """
    from netlab.machines.probe_channel import EtcdParticipantChannel
    from netlab.probe.machines import participation

    try:
        channel = EtcdParticipantChannel(client, lab.name, machine, run)
    except Ended:
        return
    try:
        participation.participate(channel, lab.cluster, lab.name, lab.here, lab.machine.inside)
    finally:
        channel.close()


def _source_ports(client: EtcdClient, lab: str, more: int) -> range:
    """Return the source ports of a new run, which no run of the lab had in the last minutes, from any machine."""
    key = probe_ports(client, lab)
    for _ in range(_TRIES):
        kv = next(iter(client.call("kv/range", {"key": b64(key)}).get("kvs", ())), None)
        place = _place(plain(kv.get("value", ""))) if kv is not None else secrets.randbelow(_PLACES)
        found, following = ports.from_place(place, more)
        number = str(secrets.randbits(62) + 1)
        client.call("lease/grant", {"TTL": str(_REMEMBERED), "ID": number})
        revision = str(int(kv["mod_revision"])) if kv is not None else "0"
        compare = {"key": b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision}
        put = {"request_put": {"key": b64(key), "value": b64(str(following)), "lease": number}}
        if client.call("kv/txn", {"compare": [compare], "success": [put], "failure": []}).get("succeeded"):
            return found
    raise HostError(f"too many runs of lab {lab} begin at the same moment", "try again")


def _place(value: bytes) -> int:
    """Return the place that a run of before left, another one where no run wrote the value."""
    with contextlib.suppress(ValueError):
        if (place := int(value[:_MOST_DIGITS])) >= 0:
            return place
    return secrets.randbelow(_PLACES)
