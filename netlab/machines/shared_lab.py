"""``SharedLab``: a lab on many machines, as a command on any machine sees and changes it through etcd."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from netlab.cluster import Cluster, resolve
from netlab.dataplane.part import parts
from netlab.errors import HostError, UsageError
from netlab.kernel.machine import this_host
from netlab.lab.allocations import allocations
from netlab.lab.convergence import Current
from netlab.lab.lab import Lab
from netlab.lab.outcome import Changes, compare
from netlab.lab.record_text import Record
from netlab.lab.state import State, has_plugins, placement, with_places
from netlab.machines import coordinator
from netlab.machines.coordinator import Held
from netlab.machines.etcd import Etcd, Known
from netlab.machines.place import place
from netlab.machines.registry import Machine
from netlab.machines.spec import Spec
from netlab.objects import Document, Objects
from netlab.objects.names import LabName
from netlab.objects.reduced import reduced

if TYPE_CHECKING:
    from netlab.dataplane.part import Part
    from netlab.lab.record import Stamp


class SharedLab(Lab):
    """A lab on many machines.

    Its cluster is found here; links and rules are made by the agents of the machines. No privilege is needed.
    """

    def __init__(self, etcd: Etcd, known: Known, made: Changes | None = None) -> None:
        record = known.spec.record
        super().__init__(record, State.of_record(record), this_host(), made)
        self.etcd = etcd
        self.known = known

    @property
    def machines(self) -> dict[str, str]:
        """The machine of each node and outside host, by reference."""
        return dict(self.known.spec.placed)

    @classmethod
    def opened(cls, etcd: Etcd, name: str) -> SharedLab:
        """Return a running lab; raises UsageError where there is none, DamagedRecord, HostError."""
        known = etcd.decided(LabName(name))
        if known is None:
            running = ", ".join(etcd.store.labs()) or "none"
            raise UsageError(f"no lab {name!r} is in etcd (there: {running})")
        return cls(etcd, known)

    @classmethod
    def brought(
        cls, etcd: Etcd, objects: Objects, name: str = "", cluster: Cluster | None = None, owner: str = ""
    ) -> SharedLab:
        """Build a lab on the machines of an etcd, or change it to this input; return when it is in force everywhere.

        Args:
          etcd: the etcd.
          objects: what ``netlab.load`` returns.
          name: the lab's name in place of the Topology's.
          cluster: the result of ``resolve`` for the objects, if the caller has it.
          owner: the lease of the command that the lab ends with, "" for a lab that stays.

        Raises:
          InputError, UsageError, HostError.
        """
        started = time.monotonic()
        cluster = cluster or resolve(objects)
        objects = replace(objects, documents=tuple(reduced(objects.documents)))
        cluster = replace(cluster, name=(name and LabName(name)) or LabName(cluster.name))
        if has_plugins(cluster):
            raise UsageError("a lab with CNI plugins is on one machine only, as plugins choose addresses there")
        with coordinator.locked(etcd, cluster.name) as held:
            before = held.known(etcd, cluster.name)
            if before is not None:
                cluster = with_places(objects, cluster, before.spec.record.placement)
            spec = _spec(held.machines, objects, cluster, before).changed(repair=True, owner=owner)
            return cls(etcd, *_done(etcd, before, spec, held, started))

    def close(self) -> None:
        """The lab goes on running; connections stay open for the process."""

    def down(self) -> None:
        """Remove the lab on all machines; those that are away remove it when they are back."""
        if coordinator.remove(self.etcd, self.name) is None:
            raise UsageError(f"lab {self.name} is gone")

    def edit(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, part: Part | None = None) -> Changes:
        """Change the lab's documents by a function, on all machines or on none; in force everywhere on return."""
        started = time.monotonic()
        with coordinator.locked(self.etcd, self.name) as held:
            self._take(held.known(self.etcd, self.name, self.known))
            described = self._now.state.described_after(edit(self.documents))
            spec = _spec(held.machines, *described, self.known).changed()
            self.known, self.changes = _done(self.etcd, self.known, spec, held, started)
            self._now = Current(spec.record, State(lambda: described))
        return self.changes

    def change(self, step: Callable[[Current], tuple[Current, Changes] | None]) -> bool:
        """Raise UsageError: containers are attached on their own machine."""
        raise UsageError(f"lab {self.name} is on several machines: use the lab of one machine for this")

    @contextlib.contextmanager
    def held(self, *, shared: bool = False) -> Iterator[Stamp]:
        """Hold the lab's lock in etcd during a block, and read the record if another command changed it."""
        lock = self.etcd.store.lock(self.name)
        lock.acquire(shared=shared)
        try:
            self._read()
            yield (int(self.known.revision), 0, 0)
        finally:
            lock.release()

    def locate_machine(self, ref: str) -> NoReturn:
        """Raise HostError: the machine of an endpoint is not this one."""
        raise HostError(ref)

    def _read(self) -> None:
        self._take(self.etcd.decided(self.name))

    def _take(self, known: Known | None) -> None:
        if known is None:
            raise UsageError(f"lab {self.name} is gone")
        if known.spec.record != self.known.spec.record:
            record = known.spec.record
            self._now = Current(record, State.of_record(record))
        self.known = known


def _done(etcd: Etcd, before: Known | None, spec: Spec, held: Held, started: float) -> tuple[Known, Changes]:
    """Carry out a change; return the lab as etcd has it, and the outcome on all machines."""
    from netlab import __version__

    known, reports = coordinator.change(etcd, before, spec, held, __version__)
    documents = before.spec.record.documents if before else ()
    made = Changes(
        compare(documents, spec.record.documents),
        tuple(f"{one.steps} changes of links on {one.machine}" for one in reports if one.steps),
        sum(one.elements for one in reports),
        sum(one.replaced for one in reports),
        time.monotonic() - started,
    )
    return known, made


def _spec(registered: Mapping[str, Machine], objects: Objects, cluster: Cluster, before: Known | None) -> Spec:
    """Return a lab with nodes placed on registered machines; raises HostError, UsageError where that cannot be."""
    old = before.spec if before else None
    placed = place(cluster, objects.topology, registered.keys(), old.placed if old else {})
    used = sorted(set(placed.values()))
    addresses = {
        name: registered[name].address if name in registered else old.machines[name] if old else None for name in used
    }
    machines = {name: address for name, address in addresses.items() if address is not None}
    found = [registered[name] for name in used if name in registered]
    ports = {one.port for one in found}
    if len(ports) > 1:
        which = ", ".join(f"{one.name} {one.port}" for one in found)
        raise HostError(f"the machines have different VXLAN ports: {which}", "start all agents with one --vxlan-port")
    record = Record(cluster.name, objects.documents, placement(cluster), (), True, "", allocations(cluster))
    number = old.number if old else secrets.randbelow(2**24 - 2) + 1
    mtu = min((one.mtu for one in found), default=old.machine_mtu if old else 1500)
    port = next(iter(ports), old.port if old else 4789)
    parts(cluster, machines, number, placed=placed, port=port, machine_mtu=mtu)
    return Spec(record, number, machines, placed, port, mtu)
