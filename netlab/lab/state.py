"""A lab's input and what follows from it: its cluster, the rulesets of its nodes, and what should exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.follow import follow
from netlab.dataplane.rulesets import compiler as new_compiler
from netlab.dataplane.wanted import wanted
from netlab.errors import DamagedRecord, InputError
from netlab.kernel.state import Namespace
from netlab.lab.record import Record
from netlab.lab.wiring import same_wiring
from netlab.objects import Document, Objects, decode
from netlab.objects.kept import kept
from netlab.ruleset import Compiler, Ruleset


class State:
    """A lab's objects and cluster, with all that follows from them; each is made when it is first asked for.

    A command that only needs a lab's name decodes no object, and one that only looks compiles no ruleset. ``describe``
    returns objects and cluster; ``compiler`` goes from one state to the next.
    """

    def __init__(self, describe: Callable[[], tuple[Objects, Cluster]], compiler: Compiler | None = None) -> None:
        self._describe = describe
        self._compiler = compiler

    @classmethod
    def of(cls, objects: Objects, cluster: Cluster, compiler: Compiler | None = None) -> State:
        """Return the state that objects describe; raises InputError where it cannot be enforced."""
        state = cls(lambda: (objects, cluster), compiler)
        _ = state.rulesets
        return state

    @classmethod
    def of_record(cls, record: Record) -> State:
        """Return what a record describes; its objects raise DamagedRecord where they do not go together (any more)."""
        return cls(lambda: described(record))

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
        """What compiles this state, and those that follow it."""
        return self._compiler or new_compiler()

    @cached_property
    def rulesets(self) -> Mapping[str, Ruleset]:
        """The ruleset of each node."""
        return self.compiler.compile(self.cluster)

    @cached_property
    def namespaces(self) -> Mapping[str, Namespace]:
        """What should exist."""
        return wanted(self.cluster).namespaces

    def wired_as(self, other: State) -> bool:
        """Say whether both have the same machines with the same addresses: then their namespaces are the same."""
        return same_wiring(self.cluster, other.cluster)

    def after(self, documents: Sequence[Document]) -> State:
        """Return the state with other documents, in which the pods of this one stay; raises InputError."""
        objects = _decoded(kept(documents))
        # The compiler goes on from what it compiled last.
        _ = self.rulesets
        cluster = follow(self.cluster, self.objects, objects)
        if cluster is None:
            cluster = replace(resolve(objects, placement(self.cluster)), name=self.cluster.name)
        return State.of(objects, cluster, self.compiler)


def placement(cluster: Cluster) -> dict[str, Placement]:
    """Return where a cluster's pods are, by their references."""
    return {pod.ref: Placement(pod.node, pod.addresses) for pod in cluster.pods}


def described(record: Record) -> tuple[Objects, Cluster]:
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
