"""``SharedLab``: a lab on many machines, as a command on any machine sees and changes it through etcd."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from netlab.cluster import Cluster, Endpoint, Pod, resolve
from netlab.cluster.flows import Flow
from netlab.dataplane import names
from netlab.dataplane.part import parts
from netlab.errors import HostError, UsageError
from netlab.kernel.machine import this_host
from netlab.lab.allocations import allocations
from netlab.lab.at_endpoints import Place
from netlab.lab.convergence import Current
from netlab.lab.lab import Lab, NodeMachine
from netlab.lab.outcome import Changes, compare
from netlab.lab.record_text import Record
from netlab.lab.state import State, has_plugins, placement, with_places
from netlab.machines import calls, coordinator, own_machine, registry
from netlab.machines.coordinator import LockedLab
from netlab.machines.etcd import Etcd, Known
from netlab.machines.place import place
from netlab.machines.registry import Machine
from netlab.machines.spec import Spec
from netlab.objects import Document, Objects
from netlab.objects.names import LabName
from netlab.objects.reduced import reduced

if TYPE_CHECKING:
    from scapy.packet import Packet

    from netlab.cluster.flows import Flow
    from netlab.dataplane.part import Part
    from netlab.kernel.machine import ProcessResult, User
    from netlab.lab.record import Stamp
    from netlab.lab.trace import Trace
    from netlab.machines.remote_packets import RemoteCapture
    from netlab.probe import Measurement
    from netlab.probe.capture import Place as CapturePlace


class SharedLab(Lab):
    """A lab on many machines.

    Its cluster is found here; links and rules are made by the agents of the machines. No privilege is needed.
    """

    def __init__(self, etcd: Etcd, known: Known, made: Changes | None = None) -> None:
        super().__init__(known.spec.record, known.spec.state(), this_host(), made)
        self.etcd = etcd
        self.known = known

    @property
    def has_control_plane(self) -> bool:
        """Whether a real control plane has the lab's objects: it is on one machine only."""
        return False

    @property
    def machines(self) -> dict[str, str]:
        """The machine of each node and outside host, by reference."""
        return dict(self.known.spec.placed)

    def machines_of_nodes(self) -> Mapping[str, NodeMachine]:
        """Return the machine of each node by the node's name; raises HostError if etcd is not reached."""
        known = registry.machines(self.etcd.client)
        of = self.known.spec.placed
        return {node.name: NodeMachine(of[node.ref], of[node.ref] in known) for node in self.cluster.nodes}

    @classmethod
    def opened(cls, etcd: Etcd, name: str) -> SharedLab:
        """Return a running lab; raises UsageError where there is none, DamagedRecord, HostError."""
        known = etcd.decided(LabName(name))
        if known is None:
            running = ", ".join(etcd.store.labs())
            raise UsageError(f"no lab {name!r} is in etcd{f' (there: {running})' if running else ''}")
        return cls(etcd, known)

    @classmethod
    def brought(
        cls,
        etcd: Etcd,
        objects: Objects,
        name: str = "",
        cluster: Cluster | None = None,
        owner: str = "",
        encrypted: bool | None = None,
    ) -> SharedLab:
        """Build a lab on the machines of an etcd, or change it to this input; return when it is in force everywhere.

        Args:
          etcd: the etcd.
          objects: what ``netlab.load`` returns.
          name: the lab's name in place of the Topology's.
          cluster: the result of ``resolve`` for the objects, if the caller has it.
          owner: the lease of the command that the lab ends with, "" for a lab that stays.
          encrypted: whether WireGuard encrypts what the machines send to one another; None: as before, a new lab not.

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
            spec = _spec(held.machines, objects, cluster, before, encrypted).changed(repair=True, owner=owner)
            return cls(etcd, *_done(etcd, before, spec, held, started))

    def close(self) -> None:
        """The lab goes on running; connections stay open for the process."""

    def down(self) -> None:
        """Remove the lab on all machines; those that are away remove it when they are back."""
        if coordinator.remove(self.etcd, self.name) is None:
            raise UsageError(f"lab {self.name} is gone")

    def edit(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, part: Part | None = None) -> Changes:
        """Change the lab's documents by a function, on all machines or on none; in force everywhere on return."""
        with self.stepping() as step:
            step(edit(self.documents))
        return self.changes

    @contextlib.contextmanager
    def stepping(self) -> Iterator[Callable[[Sequence[Document]], None]]:
        """Hold the lab's lock in etcd during a block; yield what changes its documents on all machines or on none."""
        started = time.monotonic()
        with coordinator.locked(self.etcd, self.name) as held:
            self._take(held.known(self.etcd, self.name, self.known))

            def step(documents: Sequence[Document]) -> None:
                nonlocal started
                described = self._now.state.described_after(documents)
                spec = _spec(held.machines, *described, self.known).changed()
                self.known, self.changes = _done(self.etcd, self.known, spec, held, started)
                self._now = Current(spec.record, State(lambda: described))
                started = time.monotonic()

            yield step

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

    # --- what the machines do -------------------------------------------------------------------------------------

    def machine_of(self, endpoint: Endpoint) -> str:
        """Return the name of the machine that has an endpoint."""
        return self.known.spec.placed[f"node:{endpoint.node}" if isinstance(endpoint, Pod) else endpoint.ref]

    @property
    def namespaces(self) -> dict[str, str]:
        """The machine of each network namespace of an endpoint, by the name of the namespace."""
        ends: list[Endpoint] = [*self.cluster.nodes, *self.cluster.hosts, *self.cluster.pods]
        return {names.endpoint_namespace(self.name, one): self.machine_of(one) for one in ends}

    def machine_at(self, place: Place) -> str:
        """Return the name of the machine that has the namespace of an endpoint; raises UsageError."""
        machine = self.namespaces.get(place.namespace)
        if machine is None:
            raise UsageError(f"{place.ref} is gone")
        return machine

    def execute(
        self, place: Endpoint | Place, argv: Sequence[str] | Callable[[], object], user: User | None = None
    ) -> NoReturn:
        """Run a program in an endpoint, and end this process with its exit status; see ``remote_programs.execute``."""
        if callable(argv):
            raise UsageError(f"lab {self.name} is on several machines, and a function runs on its own machine only")
        self.execute_as(place, argv, "" if user is None else f"{user.uid}:{user.gid}")

    def execute_as(self, place: Endpoint | Place, argv: Sequence[str], user: str = "") -> NoReturn:
        """Run a program in an endpoint, and end this process with its exit status; see ``remote_programs.execute``.

        On another machine, "" is the user ``nobody``.
        """
        from netlab.machines import remote_programs

        remote_programs.execute(self, self._place(place), argv, user)

    def run(self, place: Endpoint | Place, argv: Sequence[str] | Callable[[], object], seconds: float) -> ProcessResult:
        """Run a program in an endpoint, and return how it ended; see ``remote_programs.run``."""
        from netlab.machines import remote_programs

        return remote_programs.run(self, self._place(place), argv, seconds)

    def probe(
        self,
        flows: Iterable[Flow],
        progress: Callable[[int, int], None] | None = None,
        anew: Callable[[Cluster], Iterable[Flow]] | None = None,
    ) -> Iterator[Measurement]:
        """Send packets for every flow, on all machines; see ``Lab.probe`` and ``remote_probing``."""
        from netlab.machines.remote_probing import probe

        return probe(self, flows, progress, anew)

    def drift(self) -> list[str]:
        """Return the differences between the kernel and the lab's state on all machines, each with its machine."""
        machines = sorted(self.known.spec.machines)
        answers = zip(machines, calls.ask(self.etcd.client, machines, self.name, "drift", {}), strict=True)
        return [f"{machine}: {line}" for machine, answer in answers for line in json.loads(answer)]

    def listening(self, places: Iterable[tuple[Endpoint, int]]) -> AbstractContextManager[None]:
        """Run the echo program on ports of endpoints, on their machines; see ``Lab.listening``."""
        from netlab.machines import remote_programs

        return remote_programs.listening(self, places)

    def receive(
        self, places: Sequence[CapturePlace], interface: str, program: bytes, length: int, buffer: int
    ) -> RemoteCapture:
        """Return a capture of endpoints on their machines; see ``Lab.receive``."""
        from netlab.machines.remote_packets import RemoteCapture

        return RemoteCapture(self, places, interface, program, length, buffer)

    def send(
        self,
        source: str | Endpoint | Place,
        packet: Packet | Iterable[Packet],
        *,
        count: int = 1,
        interval: float = 0.0,
        interface: str = "",
    ) -> int:
        """Send packets made with Scapy from an endpoint on its machine; see ``Lab.send``."""
        from netlab.machines import remote_packets

        return remote_packets.send(self, self._place(source), packet, count, interval, interface)

    def trace(self, flow: Flow) -> Trace:
        """Send one packet for a flow and return the rules that it met on all machines; see ``Lab.trace``."""
        from netlab.lab.trace import trace_by
        from netlab.machines.remote_packets import tracing

        # The lock in etcd keeps every machine as it is.
        with self.held():
            rulesets = self._now.state.rulesets
            return trace_by(self.cluster, rulesets, flow, partial(tracing, self), self._measured)

    def _measured(self, flow: Flow) -> Measurement:
        """Return the measurement of one flow; the caller holds the lab's lock."""
        from netlab.machines.remote_probing import measured_now

        (measurement,) = measured_now(self, [flow], once=True)
        return measurement

    def _read(self) -> None:
        self._take(self.etcd.decided(self.name))

    def _take(self, known: Known | None) -> None:
        if known is None:
            raise UsageError(f"lab {self.name} is gone")
        if known.spec.record != self.known.spec.record:
            self._now = Current(known.spec.record, known.spec.state())
        self.known = known


def _done(etcd: Etcd, before: Known | None, spec: Spec, held: LockedLab, started: float) -> tuple[Known, Changes]:
    """Carry out a change; return the lab as etcd has it, and the outcome on all machines."""
    known, reports = coordinator.change(etcd, before, spec, held, own_machine.version())
    documents = before.spec.record.documents if before else ()
    made = Changes(
        compare(documents, spec.record.documents),
        elements=sum(one.elements for one in reports),
        replaced=sum(one.replaced for one in reports),
        seconds=time.monotonic() - started,
        agent_steps=sum(one.steps for one in reports),
    )
    return known, made


def _spec(
    registered: Mapping[str, Machine],
    objects: Objects,
    cluster: Cluster,
    before: Known | None,
    encrypted: bool | None = None,
) -> Spec:
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
    if encrypted is None:
        encrypted = old is not None and old.encrypted
    found_parts = parts(cluster, machines, number, placed=placed, port=port, machine_mtu=mtu, encrypted=encrypted)
    if cluster.links:
        from netlab.dataplane.wanted import check_part

        # Every machine finds this; the command finds it sooner, and says it once.
        check_part(cluster, next(iter(found_parts.values())))
    return Spec(record, number, machines, placed, port, mtu, encrypted=encrypted)
