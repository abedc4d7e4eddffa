"""The façade: a lab is built, changed, probed and removed through here."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from netlab.cluster import Cluster, Endpoint, Placement, Pod, follow, resolve
from netlab.cluster.find import pod_of
from netlab.cluster.flows import Flow
from netlab.dataplane import names
from netlab.dataplane.plan import Difference, difference, union
from netlab.dataplane.rulesets import compiler as new_compiler
from netlab.dataplane.wanted import wanted
from netlab.errors import (
    DamagedRecord,
    HostError,
    InputError,
    KernelError,
    NetlabError,
    NotFound,
    UsageError,
    way_out,
)
from netlab.kernel import netns, nft, privilege, signals
from netlab.kernel.execute import execute
from netlab.kernel.linux import Kernel, Linux
from netlab.kernel.state import Namespace, Sysctl
from netlab.lab import record as records
from netlab.lab.changes import Changes, compare
from netlab.lab.choose import only_one
from netlab.lab.opening import check_whole, recorded
from netlab.lab.owners import owned
from netlab.lab.record import Record
from netlab.lab.removal import remove, remove_everything, sweep
from netlab.lab.wiring import same_wiring
from netlab.objects import Document, Objects, decode
from netlab.objects import apply as apply_documents
from netlab.objects import delete as delete_documents
from netlab.objects import relabel as relabel_documents
from netlab.objects.kept import kept
from netlab.objects.names import LabName
from netlab.objects.types import LabelChange, ObjectRef
from netlab.probe import Measurement
from netlab.ruleset import Compiler, Ruleset, Transaction, differences, replacing

if TYPE_CHECKING:
    from netlab.kernel.caller import User
    from netlab.lab.trace import Trace


@dataclass(frozen=True)
class _State:
    """A lab's input and cluster, with all that follows from them. ``compiler`` goes from one state to the next."""

    objects: Objects
    cluster: Cluster
    compiler: Compiler

    @cached_property
    def rulesets(self) -> Mapping[str, Ruleset]:
        """The ruleset of each node; made when it is asked for, as those who only look at a lab ask for none."""
        return self.compiler.compile(self.cluster)

    @cached_property
    def namespaces(self) -> Mapping[str, Namespace]:
        """What should exist; made when it is asked for, as most changes are about rules only."""
        return wanted(self.cluster).namespaces

    def wired_as(self, other: _State) -> bool:
        """Say whether both have the same machines with the same addresses: then their namespaces are the same."""
        return same_wiring(self.cluster, other.cluster)

    @classmethod
    def of(cls, objects: Objects, cluster: Cluster, compiler: Compiler | None = None) -> _State:
        """Return the state that objects describe; raises InputError where it cannot be enforced."""
        state = cls(objects, cluster, compiler or new_compiler())
        _ = state.rulesets
        return state

    @classmethod
    def of_record(cls, record: Record) -> _State:
        """Return what a record's documents describe; raises DamagedRecord where they do not (any more) go together."""
        return cls(*_described(record), new_compiler())

    def after(self, documents: Sequence[Document]) -> _State:
        """Return the state with other documents, in which the pods of this one stay; raises InputError."""
        objects = _decoded(kept(documents))
        # The compiler goes on from what it compiled last.
        _ = self.rulesets
        cluster = follow(self.cluster, self.objects, objects)
        if cluster is None:
            cluster = replace(resolve(objects, _placement(self.cluster)), name=self.cluster.name)
        return _State.of(objects, cluster, self.compiler)


class Lab:
    """One lab that runs. ``cluster`` is what it was made from; its name is the lab's."""

    def __init__(self, record: Record, state: _State, kernel: Kernel | None = None) -> None:
        self._record = record
        self._state = state
        # None: what the record says now is not known to be this.
        self._stamp: records.Stamp | None = None
        self._kernel: Kernel = kernel if kernel is not None else Linux()

    @property
    def name(self) -> str:
        return self._record.lab

    @property
    def cluster(self) -> Cluster:
        return self._state.cluster

    @property
    def documents(self) -> tuple[Document, ...]:
        """The objects that the lab was made from, with the fields of them that netlab reads."""
        return self._record.documents

    # --- making and finding -------------------------------------------------------------------------------------

    @classmethod
    def up(
        cls, objects: Objects, *, name: str = "", kernel: Kernel | None = None, cluster: Cluster | None = None
    ) -> tuple[Lab, Changes]:
        """Build the lab that the objects describe, or bring a running one to exactly this input; return when in force.

        ``name`` replaces the Topology's. ``cluster`` is what ``resolve`` made of the objects, where that is known.
        A new lab that cannot be built is removed again.

        Raises:
          InputError, HostError, KernelError.
          UsageError: for a name that is no lab's.
        """
        name = name and LabName(name)
        cluster = cluster or resolve(objects)
        objects = replace(objects, documents=tuple(kept(objects.documents)))
        cluster = replace(cluster, name=name or LabName(cluster.name))
        privilege.enter()
        sweep()
        with records.locked(cluster.name):
            started = time.monotonic()
            old = records.load(cluster.name)
            if old is None:
                return cls._build(_State.of(objects, cluster), kernel, started)
            lab = cls(old, _State.of_record(old), kernel)
            try:
                return lab, lab._converge(_State.of(objects, cluster), read=True, started=started)
            except BaseException:
                lab.close()
                raise

    @classmethod
    def _build(cls, state: _State, kernel: Kernel | None, started: float) -> tuple[Lab, Changes]:
        lab = cls(_record_of(state, ready=False), state, kernel)
        _check_free(state.namespaces)
        nft.program()
        records.save(lab._record)
        try:
            steps = lab._carry_out(difference({}, state.namespaces), None)
            lab._record = replace(lab._record, ready=True)
            privilege.check()
            records.save(lab._record)
            lab._stamp = records.stamp(lab.name)
        except BaseException:
            lab.close()
            remove_everything(state.cluster.name)
            raise
        nodes = len(state.rulesets)
        elapsed = time.monotonic() - started
        return lab, Changes(compare((), state.objects.documents), tuple(steps), replaced=nodes, seconds=elapsed)

    @classmethod
    def open(cls, name: str = "") -> Lab:
        """Return a running lab: the one named, else the only one, else the one named ``default``.

        Raises:
          UsageError: when there is none, or more than one to choose from; for a name that is no lab's.
          DamagedRecord: when its record cannot be used.
        """
        name = (name and LabName(name)) or only_one(cls.names())
        record, stamp = recorded(name) if privilege.enter(start=False) else (None, None)
        if record is None:
            running = cls.names()
            known = f" (running: {', '.join(running)})" if running else ""
            raise UsageError(f"no lab {name!r} is running{known}")
        lab = cls(record, _State.of_record(record))
        lab._stamp = stamp
        return lab

    @staticmethod
    def names() -> list[str]:
        """Return the names of the labs that there are, half-built ones included, sorted."""
        if not privilege.enter(start=False):
            return []
        sweep()
        return records.labs()

    # --- changing -----------------------------------------------------------------------------------------------

    def apply(self, documents: Sequence[Document]) -> Changes:
        """Add or replace objects; all or nothing, in force on return."""
        return self._change(lambda now: apply_documents(now, documents))

    def delete(self, refs: Sequence[ObjectRef]) -> Changes:
        """Remove objects; all or nothing, in force on return; raises UsageError for one that is not there."""
        return self._change(lambda now: delete_documents(now, refs))

    def label(self, changes: Sequence[LabelChange]) -> Changes:
        """Change labels of pods and namespaces; all or nothing, in force on return."""

        def relabel(now: Sequence[Document]) -> Sequence[Document]:
            for change in changes:
                now = relabel_documents(now, change, lambda ref: pod_of(self.cluster, ref))
            return now

        return self._change(relabel)

    def _change(self, edit: Callable[[Sequence[Document]], Sequence[Document]]) -> Changes:
        with self.held():
            started = time.monotonic()
            return self._converge(self._state.after(edit(self._record.documents)), read=False, started=started)

    @contextlib.contextmanager
    def held(self, *, shared: bool = False) -> Iterator[records.Stamp]:
        """Hold the lab's lock, with what other commands made of the lab since.

        What is yielded is another value after every change of the lab. Who only looks at the lab holds it shared.

        Raises:
          UsageError: when the lab is no more, or a change of it broke off.
          HostError: when it is to be shared, and another command does not let it go.
        """
        with records.locked(self.name, shared=shared):
            stamp = records.stamp(self.name)
            now = self._record if stamp == self._stamp else records.load(self.name)
            if stamp is None or now is None:
                raise UsageError(f"lab {self.name} is gone")
            check_whole(now)
            if now != self._record:
                self._record, self._state = now, _State.of_record(now)
            self._stamp = stamp
            yield stamp

    def _converge(self, state: _State, *, read: bool, started: float) -> Changes:
        """Bring what runs to ``state``; on failure back to what it was."""
        before, old_record = self._state, self._record
        rewired = read or not state.wired_as(before)
        if read:
            ours = self._ours()
            have = {name: self._read(space) for name, space in ours.items() if self._kernel.exists(name)}
            if left := [name for name in ours if name not in have]:
                # Between the making of a namespace's file and its mount a command may have been killed.
                self._kernel.remove(left)
            step = difference(have, state.namespaces, ours)
        else:
            step = difference(before.namespaces, state.namespaces) if rewired else Difference()
        transactions = self._transactions(state, step, read=read)
        scripts = {node: transaction.text for node, transaction in transactions.items()}
        documents = state.objects.documents
        objects = compare(old_record.documents, documents)
        same_wiring = replace(old_record, documents=documents, ready=True)
        new_record = _record_of(state, ready=True) if rewired else same_wiring
        acts = bool(step or scripts or not old_record.ready)
        if acts:
            _check_free(step.create)
            if scripts:
                # Without nft neither the change can be made nor what was done of it undone.
                nft.program()
            if rewired:
                records.keep(old_record)
            everything = tuple(sorted({*old_record.namespaces, *new_record.namespaces}))
            records.save(replace(new_record, namespaces=everything, ready=False))
            try:
                self._carry_out(step, scripts, state)
            except BaseException:
                if not read:
                    self._go_back(state, before, old_record)
                raise
        if acts or new_record != old_record:
            privilege.check()
            records.save(new_record)
            if rewired:
                records.forget(self.name)
        self._record, self._state, self._stamp = new_record, state, records.stamp(self.name)
        return Changes(
            objects,
            tuple(step.lines()),
            sum(transaction.elements for transaction in transactions.values()),
            sum(transaction.whole for transaction in transactions.values()),
            time.monotonic() - started,
        )

    def _go_back(self, failed: _State, before: _State, old_record: Record) -> None:
        """Undo a change that failed half-way; what cannot be undone is left for ``up`` and ``down``.

        Why it cannot be undone is not told, as the reason why the change failed is.
        """
        with contextlib.suppress(NetlabError, OSError):
            have = {n: self._read(s) for n, s in failed.namespaces.items() if self._kernel.exists(n)}
            have |= {n: self._read(s) for n, s in before.namespaces.items() if self._kernel.exists(n)}
            step = difference(have, before.namespaces, {**before.namespaces, **failed.namespaces})
            self._carry_out(step, {n: replacing(r) for n, r in before.rulesets.items()}, before)
            records.save(old_record)
            records.forget(self.name)

    def _ours(self) -> dict[str, Namespace]:
        """Return all that may be there of the lab: what it is, and what it was before changes that broke off."""
        states = [self._state.namespaces]
        if not self._record.ready:
            states += [wanted(_described(one)[1]).namespaces for one in records.earlier(self.name)]
        return {name: Namespace(name, frozenset()) for name in self._record.namespaces} | union(states)

    def _transactions(self, state: _State, step: Difference, *, read: bool) -> dict[str, Transaction]:
        """Return the nft transaction of every node that needs one; ``read`` looks at what the kernel has."""
        before = self._state.rulesets
        found = {node: one for node, one in differences(before, state.rulesets).items() if one.text}
        for node, ruleset in state.rulesets.items():
            space = names.node_namespace(self.name, node)
            elements = found[node].elements if node in found else 0
            if space in step.create:
                found[node] = Transaction(ruleset.text(), elements, whole=True)
            elif node not in before or (read and not self._kernel.holds(space, before[node].text())):
                found[node] = Transaction(replacing(ruleset), elements, whole=True)
        return found

    def _carry_out(self, step: Difference, scripts: Mapping[str, str] | None, state: _State | None = None) -> list[str]:
        """Do what a difference says. Links that go, go before their rules; links that come, come after them."""
        kernel = self._kernel
        state = state or self._state
        if scripts is None:
            scripts = {node: ruleset.text() for node, ruleset in state.rulesets.items()}
        rules = {names.node_namespace(self.name, node): script for node, script in scripts.items()}
        kernel.create([name for name in step.create if name in rules])
        kernel.apply([c for c in step.changes if c.verb == "delete"])
        with self._loading(rules):
            kernel.create([name for name in step.create if name not in rules])
        kernel.apply([c for c in step.changes if c.verb == "add"])
        kernel.remove(step.remove)
        touched = {c.namespace for c in step.changes if c.verb == "add"}
        kernel.settle(sorted(touched & _switches(state)))
        return step.lines()

    @contextlib.contextmanager
    def _loading(self, scripts: Mapping[str, str]) -> Iterator[None]:
        """Load every node's script, all at once and beside the block; in force when the block is left.

        nft waits for the kernel's grace periods, not for a processor: making the pods' namespaces meanwhile takes a
        tenth off a lab of 200 pods.
        """
        if len(scripts) < 2:
            for space, script in scripts.items():
                self._kernel.nft(space, script)
            yield
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=16) as pool:
            try:
                loads = [pool.submit(self._kernel.nft, space, script) for space, script in scripts.items()]
            except RuntimeError as error:
                raise HostError(str(error), way_out(errno.EAGAIN)) from error
            yield
            for load in loads:
                load.result()

    def _read(self, space: Namespace) -> Namespace:
        return self._kernel.read(space.name, [i.name for i in space.items if isinstance(i, Sysctl)])

    def drift(self) -> list[str]:
        """Return what differs between the kernel and what the lab should be, a line each: what ``up`` would repair.

        Raises:
          UsageError: when the lab is gone.
        """
        # Who reads a namespace is inside it for a moment, and ``down`` ends whatever is inside.
        with self.held(shared=True):
            return self._drift()

    def _drift(self) -> list[str]:
        have = {n: self._read(s) for n, s in self._state.namespaces.items() if self._kernel.exists(n)}
        lines = difference(have, self._state.namespaces, self._state.namespaces).lines()
        for node, ruleset in self._state.rulesets.items():
            space = names.node_namespace(self.name, node)
            if space in have and not self._kernel.holds(space, ruleset.text()):
                lines.append(f"-n {space} nft: the ruleset differs")
        return lines

    # --- using --------------------------------------------------------------------------------------------------

    def find(self, ref: str, namespace: str = "default") -> Endpoint:
        """Return the endpoint that a name means: ``[NAMESPACE/]POD``, ``[NAMESPACE/]WORKLOAD``, ``node:N``, ``host:N``.

        Raises:
          UsageError: when nothing of the lab has the name.
        """
        from netlab.cluster.find import find

        return find(self.cluster, ref, namespace)

    def probe(
        self,
        flows: Iterable[Flow],
        progress: Callable[[int, int], None] | None = None,
        anew: Callable[[Cluster], Iterable[Flow]] | None = None,
    ) -> Iterator[Measurement]:
        """Send packets for every flow and yield what became of them, in order.

        Another command may change the lab meanwhile. What is yielded was measured in the state that ``cluster`` is
        then; pairs of which an end is gone are left out. Where nothing was yielded yet, ``anew`` says what to ask.

        Raises:
          UsageError: when the lab is removed meanwhile, or a change of it breaks off.
        """
        from netlab.lab.probing import probe

        return probe(self, self.cluster, flows, progress, anew)

    def trace(self, flow: Flow) -> Trace:
        """Send one packet for a flow and return its way, rule by rule; raises HostError, KernelError."""
        from netlab.lab.trace import trace

        # A change under way would be traced half, and would take the tracing table for damage to repair.
        with self.held():
            return trace(self.cluster, self._state.rulesets, flow)

    def execute(self, endpoint: Endpoint, argv: Sequence[str], user: User | None = None) -> NoReturn:
        """Become a program inside the endpoint's network namespace, as a user; raises UsageError, HostError."""
        try:
            execute(names.endpoint_namespace(self.name, endpoint), argv, hostname=endpoint.name, user=user)
        except NotFound as error:
            raise UsageError(f"{endpoint.ref} is gone: {error}") from error

    def netns_path(self, pod: Pod) -> str:
        """Return the path of a pod's network namespace."""
        return str(netns.path(names.pod_namespace(self.name, pod)))

    def down(self) -> None:
        """Remove the lab with everything in it, and end what runs inside."""
        self.close()
        remove(self.name)

    def close(self) -> None:
        """Let go of the lab's namespaces; it goes on running."""
        self._kernel.close()


# A process may have several labs of its own at once, and their topologies may share a name.
_COUNT = itertools.count()


@contextlib.contextmanager
def temporary(objects: Objects, kernel: Kernel | None = None, cluster: Cluster | None = None) -> Iterator[Lab]:
    """Build a lab of its own for the block, under a name that no other lab has, and remove it afterwards.

    ``cluster`` is as for ``Lab.up``.
    """
    base = (objects.topology.name if objects.topology else "default")[:20]
    name = LabName(f"{base}-{os.getpid():x}-{next(_COUNT)}")
    with owned(name):
        try:
            lab, _ = Lab.up(objects, name=name, kernel=kernel, cluster=cluster)
            try:
                yield lab
            finally:
                lab.close()
        finally:
            # Also where the process was told to end between any two lines.
            with signals.held():
                if records.exists(name):
                    remove(name)


def _described(record: Record) -> tuple[Objects, Cluster]:
    """Return what a record describes; raises DamagedRecord where its documents do not (any more) go together."""
    try:
        objects = _decoded(record.documents)
        return objects, replace(resolve(objects, record.placement), name=record.lab)
    except InputError as error:
        raise DamagedRecord(record.lab, f"its objects do not go together: {error.problems[0]}") from error
    except ValueError as error:
        # JSON can carry half a surrogate pair, which is no text.
        raise DamagedRecord(record.lab, "its objects cannot be read") from error


def _decoded(documents: Sequence[Document]) -> Objects:
    """Return what a lab's documents say; raises InputError."""
    objects, problems = decode(documents)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    return objects


def _check_free(names_: Iterable[str]) -> None:
    """Raise AlreadyExists where somebody else has something under a namespace's name; a record would claim it."""
    for name in names_:
        if os.path.lexists(netns.path(name)):
            raise KernelError.of(f"network namespace {name}", errno.EEXIST)


def _placement(cluster: Cluster) -> dict[str, Placement]:
    return {pod.ref: Placement(pod.node, pod.addresses) for pod in cluster.pods}


def _record_of(state: _State, *, ready: bool) -> Record:
    return Record(
        state.cluster.name,
        state.objects.documents,
        _placement(state.cluster),
        tuple(sorted(state.namespaces)),
        ready,
        privilege.boot_id(),
    )


def _switches(state: _State) -> set[str]:
    """Return the namespaces whose links may take a moment: those with bridges, and with links that stand on others."""
    lab = state.cluster.name
    stacked = {names.pod_namespace(lab, pod) for pod in state.cluster.pods if pod.traits.attachment.on_underlay}
    return {names.underlay_namespace(lab), *(names.node_namespace(lab, n.name) for n in state.cluster.nodes)} | stacked
