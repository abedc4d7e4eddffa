"""``Lab``: the class through which programs build, change, probe and remove labs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from netlab.cluster import Cluster, Endpoint, Pod, resolve
from netlab.cluster.flows import Flow
from netlab.dataplane import names
from netlab.errors import UsageError
from netlab.frozen import NamedTuple
from netlab.kernel.machine import Machine, this_host
from netlab.lab import convergence, programs, removal
from netlab.lab.at_endpoints import AtEndpoints
from netlab.lab.carry_out import drift
from netlab.lab.changing import Changing
from netlab.lab.choose import only_one
from netlab.lab.convergence import Current
from netlab.lab.opening import recorded
from netlab.lab.record import Record, Records
from netlab.lab.state import State, with_places
from netlab.objects import Document, Objects
from netlab.objects.names import LabName
from netlab.objects.reduced import reduced

if TYPE_CHECKING:
    from netlab.dataplane.part import Part
    from netlab.kernel.state import Item
    from netlab.lab.trace import Trace
    from netlab.probe import Measurement


class NodeMachine(NamedTuple):
    """The machine of a node of a lab on many machines, and whether its agent runs."""

    machine: str
    ready: bool


class Lab(Changing, AtEndpoints):
    """A running lab, as a context manager; ``cluster`` is its cluster.

    The end of the block closes the value, and the lab goes on running. ``temporary`` returns a lab that the end of the
    block removes.

    Example::

        with Lab.up(objects) as lab:
            print(lab.changes.steps)
            lab.apply(documents)
        Lab.open(lab.name).down()
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._now.record.lab

    @property
    def cluster(self) -> Cluster:
        return self._now.state.cluster

    @property
    def documents(self) -> tuple[Document, ...]:
        """The lab's objects, with the fields that netlab reads."""
        return self._now.record.documents

    @property
    def objects(self) -> Objects:
        """The lab's objects as values."""
        return self._now.state.objects

    @property
    def part(self) -> Part | None:
        """What this machine has of a lab on several machines; None: all of the lab."""
        return self._now.state.part

    def here(self, namespace: str) -> bool:
        """Return whether a network namespace of the lab is on this machine."""
        return self.part is None or namespace in self._now.state.namespaces

    def machines_of_nodes(self) -> Mapping[str, NodeMachine]:
        """Return the machine of each node by the node's name; empty for a lab of this host."""
        return {}

    @property
    def has_control_plane(self) -> bool:
        """Whether a real control plane has the lab's objects, and its controllers replace pods."""
        return programs.has_agent(self._machine, self.name)

    def check_no_control_plane(self) -> None:
        """Raise UsageError for a lab with a control plane: its API server has the objects, and undoes other changes."""
        if self.has_control_plane:
            programs.check_no_agent(self._machine, self.name)

    @property
    def machine(self) -> Machine:
        """The machine that the lab runs on."""
        return self._machine

    @property
    def records(self) -> Records:
        """The records of the machine's labs."""
        return self._records

    # --- building and opening -------------------------------------------------------------------------------------

    @classmethod
    def up(
        cls,
        objects: Objects,
        *,
        name: str = "",
        machine: Machine | None = None,
        cluster: Cluster | None = None,
        part: Part | None = None,
        new: bool = False,
    ) -> Lab:
        """Build the lab that the objects describe, or change a running one to this input; return when it is in force.

        The lab runs until ``down``, also after this process. A new lab that cannot be built is removed again.

        Args:
          objects: what ``netlab.load`` returns.
          name: the lab's name in place of the Topology's.
          machine: the machine to run on, by default this host.
          cluster: the result of ``resolve`` for the objects, if the caller has it.
          part: what this machine has of a lab on several machines, by default all of the lab.
          new: do not change a running lab.

        Raises:
          InputError, HostError, KernelError.
          UsageError: for an invalid name, for a part that does not fit the lab, and for a running lab if ``new``.
        """
        name = name and LabName(name)
        cluster = cluster or resolve(objects)
        objects = replace(objects, documents=tuple(reduced(objects.documents)))
        cluster = replace(cluster, name=name or LabName(cluster.name))

        def state_of(old: Record | None) -> State:
            if old is None:
                # ``build`` compiles it, beside the making of namespaces.
                return State(lambda: (objects, cluster), part=part)
            if new:
                raise UsageError(f"lab {old.lab} runs already")
            if part is None and old.part is not None:
                raise UsageError(
                    f"lab {old.lab} is on several machines, and this is its part on one; change it with --etcd"
                )
            return State.of(objects, with_places(objects, cluster, old.placement), part=part)

        return cls._brought(cluster.name, machine or this_host(), state_of)

    @classmethod
    def of_part(cls, record: Record, machine: Machine | None = None, state: State | None = None) -> Lab:
        """Build or repair the part of a lab that a record describes, on this machine; return when it is in force.

        ``state`` is the state of the record, if the caller has it.

        Raises:
          DamagedRecord: if the record's objects are not valid.
          UsageError: if a whole lab of the name runs on this machine, or one of another etcd.
          HostError, KernelError.
        """

        def state_of(old: Record | None) -> State:
            if old is not None:
                convergence.check_part(old, record.part)
            found = state or State.of_record(record)
            _ = found.rulesets
            return found

        return cls._brought(record.lab, machine or this_host(), state_of)

    @classmethod
    def _brought(cls, name: str, machine: Machine, state_of: Callable[[Record | None], State]) -> Lab:
        """Build a lab, or change one to a state, and read what the machine has; ``state_of`` gets the old record."""
        records = Records(machine)
        machine.enter()
        removal.sweep(records)
        with records.locked(name):
            started = time.monotonic()
            old = records.load(name)
            try:
                state = state_of(old)
                if old is None:
                    now, made = convergence.build(machine, state, started)
                else:
                    before = Current(old, State.of_record(old))
                    now, made = convergence.converge(machine, before, state, started, read=True)
            except BaseException:
                machine.close()
                raise
            lab = cls(*now, machine, made)
            lab._stamp = records.stamp(lab.name)
            lab._refresh_programs()
            return lab

    @classmethod
    def temporary(
        cls, objects: Objects, *, machine: Machine | None = None, cluster: Cluster | None = None
    ) -> AbstractContextManager[Lab]:
        """Build a lab for the block, under a name that no other lab has, and remove it after the block.

        If this process is killed, the next command removes the lab. The arguments are those of ``up``.

        Example::

            with Lab.temporary(objects) as lab:
                for measurement in lab.probe(every_pair(lab.cluster)):
                    print(measurement.flow.source.ref, measurement.verdict)

        Raises:
          InputError, HostError, KernelError.
        """
        from netlab.lab.temporary import temporary

        return temporary(objects, machine, cluster)

    @classmethod
    def open(cls, name: str = "", machine: Machine | None = None) -> Lab:
        """Return a running lab: the named one, else the only one, else the one named ``default``.

        The first use of its objects reads them, and raises DamagedRecord where they cannot be read.

        Raises:
          UsageError: when there is no such lab, when there are several and none is named, or for an invalid name.
          DamagedRecord: when its record cannot be used.
        """
        machine = machine or this_host()
        records = Records(machine)
        name = (name and LabName(name)) or only_one(records, cls.names(machine))
        record, stamp = recorded(records, name) if machine.enter(start=False) else (None, None)
        if record is None:
            running = cls.names(machine)
            known = f" (running: {', '.join(running)})" if running else ""
            raise UsageError(f"no lab {name!r} is running{known}")
        lab = cls(record, State.of_record(record), machine)
        lab._stamp = stamp
        return lab

    @staticmethod
    def names(machine: Machine | None = None) -> list[str]:
        """Return the names of all labs, half-built ones included, sorted."""
        return removal.names(machine)

    # --- using --------------------------------------------------------------------------------------------------

    def find(self, ref: str, namespace: str = "default") -> Endpoint:
        """Return the endpoint of a name: ``[NAMESPACE/]POD``, ``[NAMESPACE/]WORKLOAD``, ``node:N``, ``host:N``.

        Raises:
          UsageError: when no endpoint of the lab has the name.
        """
        from netlab.cluster.find import find

        return find(self.cluster, ref, namespace)

    def probe(
        self,
        flows: Iterable[Flow],
        progress: Callable[[int, int], None] | None = None,
        anew: Callable[[Cluster], Iterable[Flow]] | None = None,
    ) -> Iterator[Measurement]:
        """Send packets for every flow and yield the measurements, in order.

        Another command may change the lab meanwhile. Each measurement is of the state that ``cluster`` has when it is
        yielded. Flows are left out when one of their ends is gone. If the lab changes before the first measurement,
        ``anew`` returns the flows for the new cluster.

        Raises:
          UsageError: when the lab is removed meanwhile, or a change of it breaks off; and where this is a part of it.
        """
        from netlab.lab.probing import probe

        self._check_whole()
        return probe(self, self.cluster, flows, progress, anew)

    def trace(self, flow: Flow) -> Trace:
        """Send one packet for a flow and return the rules that it met; raises UsageError, HostError, KernelError."""
        from netlab.lab.trace import trace

        self._check_whole()
        # A concurrent change would be traced in part, and ``up`` would repair the tracing table as a difference.
        with self.held():
            return trace(self.cluster, self._now.state.rulesets, flow, self._machine)

    def _check_whole(self) -> None:
        """Raise UsageError where this machine has a part of the lab only: a packet may leave it."""
        if self.part is not None:
            raise UsageError(f"lab {self.name} is on several machines; measure it with --etcd")

    def drift(self) -> list[str]:
        """Return the differences between the kernel and the lab's state, a line each: what ``up`` would repair.

        Raises:
          UsageError: when the lab is gone.
        """
        # Reading enters the namespaces. Without the lock, a concurrent ``down`` would end this process.
        with self.held(shared=True):
            return drift(self._machine, self._now.state)

    def wanted(self, space: str) -> frozenset[Item]:
        """Return what one of the lab's network namespaces should hold, by its name."""
        return frozenset(self._now.state.namespaces[space].items)

    def namespace_path(self, name: str) -> str:
        """Return the path of one of the lab's network namespaces, by its name."""
        return str(self._machine.path(name))

    def netns_path(self, pod: Pod) -> str:
        """Return the path of a pod's network namespace."""
        return self.namespace_path(names.pod_namespace(self.name, pod))

    def down(self) -> None:
        """Remove the lab and end the programs inside."""
        self.close()
        removal.remove(self.name, self._machine)

    def close(self) -> None:
        """Close open files and sockets; the lab goes on running."""
        self._machine.close()
