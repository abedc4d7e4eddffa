"""``Lab``: the class through which programs build, change, probe and remove labs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from netlab.cluster import Cluster, Endpoint, Pod, resolve
from netlab.cluster.find import pod_of
from netlab.cluster.flows import Flow
from netlab.dataplane import names
from netlab.errors import UsageError
from netlab.kernel.machine import Machine, this_host
from netlab.lab import convergence, programs, removal
from netlab.lab.at_endpoints import AtEndpoints
from netlab.lab.carry_out import drift
from netlab.lab.choose import only_one
from netlab.lab.convergence import Current
from netlab.lab.opening import check_whole, recorded
from netlab.lab.outcome import Changes
from netlab.lab.record import Record, Records, Stamp
from netlab.lab.state import State, described, with_places
from netlab.objects import Document, Objects
from netlab.objects import apply as apply_documents
from netlab.objects import delete as delete_documents
from netlab.objects import relabel as relabel_documents
from netlab.objects.names import LabName
from netlab.objects.reduced import reduced
from netlab.objects.scenarios import LabelChange, ObjectRef

if TYPE_CHECKING:
    from netlab.dataplane.part import Part
    from netlab.kernel.state import Item
    from netlab.lab.trace import Trace
    from netlab.probe import Measurement


class NodeMachine(NamedTuple):
    """The machine of a node of a lab on many machines, and whether its agent runs."""

    machine: str
    ready: bool


class Lab(AtEndpoints):
    """A running lab, as a context manager; ``cluster`` is its cluster.

    The end of the block closes the value, and the lab goes on running. ``temporary`` returns a lab that the end of the
    block removes.

    Example::

        with Lab.up(objects) as lab:
            print(lab.changes.steps)
            lab.apply(documents)
        Lab.open(lab.name).down()
    """

    def __init__(self, record: Record, state: State, machine: Machine, made: Changes | None = None) -> None:
        self._now = Current(record, state)
        # None: the record may have changed since it was read.
        self._stamp: Stamp | None = None
        self._machine = machine
        self._records = Records(machine)
        self.changes = Changes() if made is None else made
        """The outcome of this value's last change; empty for an opened lab."""
        self.after_step: Callable[[], None] | None = None
        """Is called when a step of a change is in force, while the lab's lock is held."""

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
                return State.of(objects, cluster, part=part)
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

    # --- changing -----------------------------------------------------------------------------------------------

    def apply(self, documents: Sequence[Document]) -> Changes:
        """Add or replace objects; all or nothing, in force on return."""
        return self.edit(lambda now: apply_documents(now, documents))

    def delete(self, refs: Sequence[ObjectRef]) -> Changes:
        """Remove objects; all or nothing, in force on return; raises UsageError for an object that does not exist."""
        return self.edit(lambda now: delete_documents(now, refs))

    def label(self, relabelled: Sequence[LabelChange]) -> Changes:
        """Change labels of pods and namespaces; all or nothing, in force on return."""

        def relabel(now: Sequence[Document]) -> Sequence[Document]:
            for change in relabelled:
                now = relabel_documents(now, change, lambda ref: pod_of(self.cluster, ref))
            return now

        return self.edit(relabel)

    def impair(self, between: Sequence[str], values: Mapping[str, str]) -> Changes:
        """Delay, lose or limit packets between two machines, or those of one; in force on return.

        Args:
          between: the names of the two machines, or of one machine or pod, as in ``spec.links`` of a Topology.
          values: what to do by the names of the fields of a link (``delay``: ``20ms``); empty ends what is done.

        Raises:
          UsageError: for an unknown name, or when nothing is done to the link that ``values`` ends.
          InputError: for values that are not valid, or that do not go together with other links.
        """
        from netlab.lab import impairments

        return impairments.impair(self, between, values)

    def clear_links(self) -> Changes:
        """End all that is done to packets on links of the lab; in force on return."""
        from netlab.lab import impairments

        return impairments.clear(self)

    def stop_node(self, node: str) -> Changes:
        """Cut a node and its pods off, and replace its pods on other nodes; in force on return.

        First the links are cut and endpoints leave their Services, then pods are replaced as their controllers would.
        In a lab with a control plane the links are cut, and the real controllers notice and do the rest.

        Raises:
          UsageError: for a node that does not exist.
        """
        from netlab.lab import failures

        return failures.stop_node(self, node)

    def start_node(self, node: str) -> Changes:
        """Bring a stopped node back; in force on return. Pods that were replaced do not move back.

        Raises:
          UsageError: for a node that does not exist.
        """
        from netlab.lab import failures

        return failures.start_node(self, node)

    def kill(self, refs: Sequence[str]) -> Changes:
        """End pods, by names as for ``find``, and then replace them as their controllers would; in force on return.

        Raises:
          UsageError: for a pod that does not exist, or that netlab added; and in a lab with a control plane.
          InputError: before the first step, if the pods in their place do not go together with the lab.
        """
        from netlab.lab import failures

        return failures.kill(self, refs)

    def rollout(self, documents: Sequence[Document]) -> Changes:
        """Add or replace objects; pods of workloads with another template are replaced step by step.

        Each step is in force before the next one begins. If one fails, it is undone, and the steps before it stay. A
        second call goes on.

        Raises:
          InputError: before the first step, if the objects do not go together.
        """
        from netlab.lab import failures

        return failures.rollout(self, documents)

    def add_system(self) -> None:
        """Give the lab its system objects if it has none, as the first program of a lab does; in force on return."""
        from netlab.objects.system_objects import system_document

        with self.held():
            missing = not self._has_system
        if missing:
            self.apply([system_document()])

    @property
    def _has_system(self) -> bool:
        from netlab.objects.system_objects import SYSTEM_OBJECTS

        asked = any(document.kind == SYSTEM_OBJECTS for document in self.documents)
        return asked or any(one.system for one in self.cluster.services)

    def cluster_with_system(self) -> Cluster:
        """Return the cluster that ``add_system`` would make; the lab stays as it is."""
        from netlab.objects.system_objects import system_document

        if self._has_system:
            return self.cluster
        record = self._now.record
        return described(replace(record, documents=(*record.documents, system_document())))[1]

    def cluster_as(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, system: bool = False) -> Cluster:
        """Return the cluster that the lab would be with other documents; the lab stays as it is.

        Running pods keep node and addresses where they can. With ``system`` it has system objects. Raises InputError.
        """
        from netlab.objects.system_objects import system_document

        documents = [*edit(self.documents), *([system_document()] if system else [])]
        return self._now.state.after(documents).cluster

    def edit(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, part: Part | None = None) -> Changes:
        """Change the lab's documents by a function; all or nothing, in force on return.

        ``part`` replaces the part of a lab on several machines that this machine has.
        """
        with self.held():
            if self._now.record.part is not None and part is None:
                raise UsageError(f"lab {self.name} is on several machines; change it with --etcd")
            self.step(edit(self._now.record.documents), part)
        return self.changes

    def step(self, documents: Sequence[Document], part: Part | None = None) -> None:
        """Change the lab's documents to others, as a step of a change; the caller holds the lab (``held``)."""

        def converged(now: Current) -> tuple[Current, Changes]:
            started = time.monotonic()
            return convergence.converge(self._machine, now, now.state.after(documents, part), started, read=False)

        self._step(converged)

    @contextlib.contextmanager
    def stepping(self) -> Iterator[Callable[[Sequence[Document]], None]]:
        """Hold the lab during a block; yield what changes its documents in a step, as ``step`` does."""
        with self.held():
            yield self.step

    def prepared(self, record: Record) -> State:
        """Return the state that another record describes, compiled and checked; the lab stays as it is.

        Raises:
          DamagedRecord, HostError, KernelError: if the machine could not have it.
        """
        state = self._now.state.as_recorded(record)
        convergence.check(self._machine, self._now, state)
        return state

    def take(self, state: State) -> Changes:
        """Change the lab to a state that ``prepared`` returned; in force on return."""
        self.change(lambda now: convergence.converge(self._machine, now, state, time.monotonic(), read=False))
        return self.changes

    def change(self, step: Callable[[Current], tuple[Current, Changes] | None]) -> bool:
        """Run a step that changes the lab under the lab's lock; return False if the step returns None.

        ``step`` gets the lab's present state, and returns the state that it brought in force, with the changes.
        """
        with self.held():
            return self._step(step)

    def _step(self, step: Callable[[Current], tuple[Current, Changes] | None]) -> bool:
        done = step(self._now)
        if done is None:
            return False
        self._now, self.changes = done
        self._stamp = self._records.stamp(self.name)
        self._refresh_programs()
        if self.after_step is not None:
            self.after_step()
        return True

    def _refresh_programs(self) -> None:
        """Bring the lab's programs to its present state; the caller holds the lab's lock."""
        ran = programs.directory(self._machine, self.name).is_dir()
        if ran:
            from netlab.lab import dns

            dns.refresh(self)
        if ran or self.cluster.ingresses:
            from netlab.lab import ingress

            ingress.ensure(self._machine, self.cluster, self.here)

    @contextlib.contextmanager
    def held(self, *, shared: bool = False) -> Iterator[Stamp]:
        """Hold the lab's lock during a block, and read the record if another command changed it.

        Yields a value that differs after every change of the lab. A command that only reads the lab holds the lock
        shared.

        Raises:
          UsageError: when the lab is gone, or a change of it broke off.
          HostError: when the lock is to be shared and another command keeps it too long.
        """
        with self._records.locked(self.name, shared=shared):
            stamp = self._records.stamp(self.name)
            known = self._now.record
            record = known if stamp == self._stamp else self._records.load(self.name)
            if stamp is None or record is None:
                raise UsageError(f"lab {self.name} is gone")
            check_whole(record)
            if stamp != self._stamp:
                # Another command may have made links and namespaces anew: others have the indexes of the old ones.
                self._machine.close()
            if record != known:
                self._now = Current(record, State.of_record(record))
            self._stamp = stamp
            yield stamp

    def look(self) -> None:
        """Read the lab again if another command changed it; raises what ``held`` raises."""
        if self._stamp is None or self._records.stamp(self.name) != self._stamp:
            with self.held(shared=True):
                pass

    def drift(self) -> list[str]:
        """Return the differences between the kernel and the lab's state, a line each: what ``up`` would repair.

        Raises:
          UsageError: when the lab is gone.
        """
        # Reading enters the namespaces. Without the lock, a concurrent ``down`` would end this process.
        with self.held(shared=True):
            return drift(self._machine, self._now.state)

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
