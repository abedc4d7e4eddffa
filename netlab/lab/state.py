"""A lab's objects and what follows from them: its cluster, the rulesets of its nodes, and its wanted namespaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.resolve_change import resolve_change
from netlab.dataplane.node_rulesets import compiler as new_compiler
from netlab.dataplane.part import Part
from netlab.dataplane.wanted import wanted
from netlab.errors import DamagedRecord, InputError
from netlab.kernel.state import Namespace
from netlab.lab.allocations import allocations, stored
from netlab.lab.record import Record
from netlab.lab.wiring import same_wiring
from netlab.objects import Document, Objects, decode
from netlab.objects.reduced import reduced
from netlab.objects.versions import STORED
from netlab.ruleset import Compiler, Ruleset


class State:
    """A lab's objects and cluster, with all that follows from them. Each part is made at its first use.

    So a command that needs only a lab's name decodes no object, and a command that only reads compiles no ruleset.
    ``describe`` returns objects and cluster. ``compiler`` is the one of the previous state. ``part`` is what this
    machine has of a lab on several machines: namespaces and rulesets are those of the part, the cluster is the whole.
    """

    def __init__(
        self,
        describe: Callable[[], tuple[Objects, Cluster]],
        compiler: Compiler | None = None,
        part: Part | None = None,
    ) -> None:
        self._describe = describe
        self._compiler = compiler
        self.part = part

    @classmethod
    def of(
        cls, objects: Objects, cluster: Cluster, compiler: Compiler | None = None, part: Part | None = None
    ) -> State:
        """Return the state that objects describe; raises InputError where it cannot be enforced."""
        state = cls(lambda: (objects, cluster), compiler, part)
        _ = state.rulesets
        return state

    @classmethod
    def of_record(cls, record: Record) -> State:
        """Return the state that a record describes; using it raises DamagedRecord where its objects are not valid."""
        return cls(lambda: described(record), part=record.part)

    @cached_property
    def _described(self) -> tuple[Objects, Cluster]:
        return self._describe()

    @property
    def objects(self) -> Objects:
        return self._described[0]

    @property
    def cluster(self) -> Cluster:
        return self._described[1]

    @cached_property
    def compiler(self) -> Compiler:
        """The compiler of this state and of those after it."""
        return self._compiler or new_compiler()

    @cached_property
    def rulesets(self) -> Mapping[str, Ruleset]:
        """The ruleset of each node that this machine has."""
        every, part = self.compiler.compile(self.cluster), self.part
        if part is None:
            return every
        return {node.name: every[node.name] for node in self.cluster.nodes if part.has(node)}

    @cached_property
    def namespaces(self) -> Mapping[str, Namespace]:
        """The wanted namespaces."""
        return wanted(self.cluster, self.part)

    def wired_as(self, other: State) -> bool:
        """Return whether both states have the same machines and addresses, and so the same namespaces."""
        return self.part == other.part and same_wiring(self.cluster, other.cluster)

    def after(self, documents: Sequence[Document], part: Part | None = None) -> State:
        """Return the state with other documents, and with another part if one is given; raises InputError.

        Running pods keep node and addresses.
        """
        # The compiler changes what it compiled last, so this state must be compiled first.
        _ = self.rulesets
        return State.of(*self.described_after(documents), self.compiler, part or self.part)

    def described_after(self, documents: Sequence[Document]) -> tuple[Objects, Cluster]:
        """Return the objects and the cluster with other documents, without compiling them; raises InputError."""
        objects = _decoded(reduced(documents))
        cluster = resolve_change(self.cluster, self.objects, objects)
        if cluster is None:
            services = {one.meta.key: one for one in self.cluster.services}
            cluster = replace(resolve(objects, placement(self.cluster), services), name=self.cluster.name)
        return objects, cluster

    def as_recorded(self, record: Record) -> State:
        """Return the state that another record of the lab describes; raises DamagedRecord.

        Most records differ from the one before by a few objects, so the cluster is changed by these only. The record
        decides where that finds other addresses.
        """
        try:
            state = self.after(record.documents, record.part)
        except InputError as error:
            raise DamagedRecord(record.lab, f"its objects do not go together: {error.problems[0]}") from error
        same = placement(state.cluster) == record.placement
        if same and allocations(state.cluster, self.cluster) == record.services:
            return state
        state = State.of_record(record)
        _ = state.rulesets
        return state

    def placed(self, places: Mapping[str, Placement]) -> State:
        """Return the state with some pods at other addresses, which plugins chose; raises InputError."""
        cluster = self.cluster
        if all(pod.addresses == places[pod.ref].addresses for pod in cluster.pods if pod.ref in places):
            return self
        # The compiler changes what it compiled last, so this state must be compiled first.
        _ = self.rulesets
        services = {one.meta.key: one for one in cluster.services}
        found = replace(resolve(self.objects, {**placement(cluster), **places}, services), name=cluster.name)
        return State.of(self.objects, found, self.compiler, self.part)


def placement(cluster: Cluster) -> dict[str, Placement]:
    """Return the nodes and addresses of a cluster's pods, by their references."""
    return {pod.ref: Placement(pod.node, pod.addresses) for pod in cluster.pods}


def has_plugins(cluster: Cluster) -> bool:
    """Return whether plugins make the links of a network of the cluster."""
    return any(network.conflist is not None for network in cluster.networks)


def with_places(objects: Objects, cluster: Cluster, places: Mapping[str, Placement]) -> Cluster:
    """Return the cluster with the addresses that plugins gave to pods that run; raises InputError."""
    if not has_plugins(cluster):
        return cluster
    refs = {pod.ref for pod in cluster.pods if pod.traits.attachment.by_plugins}
    keep = {ref: at for ref, at in places.items() if ref in refs}
    return replace(resolve(objects, keep), name=cluster.name) if keep else cluster


def described(record: Record) -> tuple[Objects, Cluster]:
    """Return the objects and cluster of a record; raises DamagedRecord where its documents are not valid."""
    try:
        objects = _decoded(record.documents)
        services = {key: stored(key, of) for key, of in record.services.items()}
        return objects, replace(resolve(objects, record.placement, services), name=record.lab)
    except InputError as error:
        raise DamagedRecord(record.lab, f"its objects do not go together: {error.problems[0]}") from error
    except ValueError as error:
        # JSON can have half a surrogate pair, which cannot be decoded.
        raise DamagedRecord(record.lab, "its objects cannot be read") from error


def _decoded(documents: Sequence[Document]) -> Objects:
    """Return the objects of a lab's documents; raises InputError."""
    # What enters a lab was judged before. A later netlab may judge it otherwise.
    objects, problems = decode(documents, server=STORED)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    return objects
