"""A lab that follows a live cluster.

The whole of the cluster's objects is composed for each change. Documents of objects that did not change are the same
values as before, so the lab takes its incremental path. What other commands add to the lab under other names stays.

A change is all or nothing. If the lab refuses some objects, they are left out, and the rest goes on; they are tried
again with every later change. The cluster has them already, so an object
that the lab refuses must not end the command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING

from netlab.cluster import Cluster, resolve_input
from netlab.errors import HostError, InputError, KernelError, Problem, UsageError
from netlab.frozen import frozen
from netlab.lab import programs
from netlab.lab.lab import Lab
from netlab.mirror.claim import Claim
from netlab.mirror.inventory import Inventory
from netlab.mirror.messages import MOST_NAMED, Messages, Output, first_of_each
from netlab.mirror.reading import Read, read
from netlab.objects.bounds import MANY_PODS
from netlab.objects.input import Input, input_of
from netlab.objects.meta import Key, key_of
from netlab.objects.unread import UNLISTED
from netlab.quantity import few, quantity

if TYPE_CHECKING:
    from netlab.kernel.kube_process import KubeProcess
    from netlab.kernel.machine import Machine
    from netlab.objects.types import Document

BATCH_SECONDS = 0.05
"""How long after a first event further ones join its change."""
AGAIN_SECONDS = 5.0
"""When a change is tried again that this host failed to make."""
_TRIES = 20


@frozen
class Source:
    """The cluster that is mirrored. ``only`` are the namespaces that are read, none for all."""

    process: KubeProcess
    name: str
    only: tuple[str, ...] = ()


class Mirror:
    """The objects of a cluster, and the lab that has them.

    ``build`` makes the lab. ``follow`` runs until an exception ends it. ``extra`` are documents beside the cluster's,
    such as a Topology. A cluster that grows beyond ``most_pods`` changes the lab no more, until it has fewer again.
    """

    def __init__(
        self, source: Source, extra: Sequence[Document], output: Output, most_pods: int | None = MANY_PODS
    ) -> None:
        self._source = source
        self._extra = tuple(extra)
        self._output = output
        self._say = Messages(output)
        self._inventory = Inventory(source.process, source.name, output.line)
        self._lab: Lab | None = None
        self._claim = Claim()
        # What of the lab is the cluster's, as it was last brought in force.
        self._given: tuple[Document, ...] = ()
        self._hidden: dict[Key, Document] = {}
        self._again = 0.0
        self._most_pods = most_pods
        self._failed = ""

    @property
    def lab(self) -> Lab:
        """The lab; there is one after ``build``."""
        assert self._lab is not None
        return self._lab

    # --- building -----------------------------------------------------------------------------------------------

    def read(self) -> tuple[Input, Cluster, list[Problem]]:
        """Read the cluster; return input and cluster without the objects that are refused, and warnings.

        Raises:
          InputError: if the other documents have errors, or the user may list nothing.
          HostError: if the server does not answer.
        """
        for _ in range(_TRIES):
            found = self._read()
            given = input_of([*self._extra, *found.documents])
            try:
                cluster, made = resolve_input(given)
            except InputError as error:
                self._hide(error, found.documents)
                continue
            self._given = found.documents
            if found.waiting:
                self._say.line(
                    f"{quantity(found.waiting, 'pod')} without an address yet: in the lab when they have one"
                )
            self._say.known(found.problems)
            return given, cluster, [*found.problems, *made]
        raise HostError(f"{self._source.name}: its objects do not go together", "see what netlab check says about it")

    def build(self, given: Input, cluster: Cluster, name: str, machine: Machine) -> Lab:
        """Build the lab of what ``read`` returned, or bring a running one to it.

        Raises what ``Lab.up`` does, and UsageError if another mirror has the lab, or it has a control plane.
        """
        if programs.has_agent(machine, wanted := name or cluster.name):
            raise UsageError(f"lab {wanted} has a control plane; name another lab with --lab")
        self._claim.take(machine, name or cluster.name)
        self._lab = Lab.up(given.objects, name=name, machine=machine, cluster=cluster)
        self._claim.take(machine, self.lab.name)
        self._say.moved(self.lab.cluster, self._given)
        return self._lab

    def close(self) -> None:
        """Leave the lab to other mirrors."""
        self._claim.release()

    # --- following ----------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Bring each change of the cluster in force in the lab, until an exception ends it.

        Raises:
          UsageError: when the lab is gone.
          HostError: when the process that asks the server ended.
        """
        while True:
            self.step()

    def step(self, longest: float = 1.0) -> None:
        """Wait for what comes next, some seconds at most, and bring in force what is due."""
        inventory = self._inventory
        inventory.tick()
        for frame in self._source.process.frames(min(longest, self._wait())):
            inventory.take(frame)
        if inventory.changed is not None and time.monotonic() >= self._due():
            self._bring()

    def _due(self) -> float:
        changed = self._inventory.changed
        return max(changed + BATCH_SECONDS, self._again) if changed is not None else float("inf")

    def _wait(self) -> float:
        return max(0.0, min(self._inventory.seconds(), self._due() - time.monotonic()))

    def _bring(self) -> None:
        try:
            self._attempt()
            if self._hidden:
                # What was refused may go together with what is in force now.
                self._attempt_hidden()
        except InputError as error:
            self._say.once(str(error.problems[-1]))
        except (KernelError, HostError) as error:
            # The host may fail for hours, as with a full disk.
            if self._failed != str(error):
                self._say.line(f"a change is not in force: {error}; netlab tries again")
            self._failed = str(error)
            self._again = time.monotonic() + AGAIN_SECONDS
            self._inventory.changed = time.monotonic()

    def _attempt(self) -> None:
        for _ in range(_TRIES):
            found = self._read()
            try:
                self._edit(found)
            except InputError as error:
                if not self._hide(error, found.documents):
                    return
                continue
            return
        # Each try hides more, so this comes to an end.
        self._inventory.changed = time.monotonic()

    def _attempt_hidden(self) -> None:
        """Bring in force what was refused and is right now; what is refused once more stays hidden."""
        before, self._hidden = self._hidden, {}
        try:
            for _ in range(_TRIES):
                found = self._read()
                try:
                    self._edit(found)
                    break
                except InputError as error:
                    again = {key: one for key, one in _named(error, found.documents).items() if before.get(key) is one}
                    if not again:
                        self._hidden = before
                        return
                    self._hidden.update(again)
            else:
                self._hidden = before
                return
        except BaseException:
            self._hidden = before
            raise
        there = {key for one in found.documents if (key := key_of(one)) in before}
        if there:
            self._say.line(f"in the lab now: {few(sorted(map(str, there)), MOST_NAMED)}")

    def _read(self) -> Read:
        source = self._source
        found = read(self._inventory, source.name, source.process.namespace, source.only, self._hidden)
        if any(one.severity == "error" for one in found.problems):
            raise InputError(found.problems)
        # Such a document is made by each reading.
        before = {key_of(one): one for one in self._given if one.kind == UNLISTED}
        if not before:
            return found
        kept = (
            b if (b := before.get(key_of(one))) is not None and b.data == one.data else one for one in found.documents
        )
        return replace(found, documents=tuple(kept))

    def _edit(self, found: Read) -> None:
        """Bring documents of the cluster in force; raises InputError if the lab refuses them."""
        self._say.problems(found.problems)
        if self._same(found.documents):
            return
        pods = sum(one.kind == "Pod" for one in found.documents)
        if self._most_pods is not None and pods > self._most_pods:
            raise HostError(f"the cluster has {pods:,} pods now", f"say --yes to mirror more than {self._most_pods:,}")
        ours = {*map(key_of, self._given), *map(key_of, found.documents)}

        def replaced(now: Sequence[Document]) -> list[Document]:
            return [*(one for one in now if key_of(one) not in ours), *found.documents]

        unread = {(one.kind, one.meta.key) for one in self.lab.cluster.unread}
        with self.lab.machine.uninterrupted():
            self._change(replaced)
        self._given, self._failed = found.documents, ""
        self._output.changes(self.lab.name, self.lab.changes)
        self._say.unread(self.lab.cluster, unread)
        self._say.moved(self.lab.cluster, self._given)

    def _change(self, edit: Callable[[Sequence[Document]], list[Document]]) -> None:
        """Edit the lab; if an earlier change of it broke off, repair it with that. Raises what ``Lab.edit`` does."""
        lab = self.lab
        try:
            lab.edit(edit)
        except UsageError:
            record = lab.records.load(lab.name)
            if record is None or record.ready:
                raise
            given = input_of(edit(record.documents))
            if given.wrong:
                raise InputError(given.problems) from None
            self._lab = Lab.up(given.objects, name=lab.name, machine=lab.machine)

    def _same(self, documents: Sequence[Document]) -> bool:
        given = self._given
        return len(given) == len(documents) and all(map(is_, given, documents))

    # --- what is refused ----------------------------------------------------------------------------------------

    def _hide(self, error: InputError, documents: Iterable[Document]) -> bool:
        """Hide the objects that an error names, and say why; return False if the whole change is refused.

        Raises:
          InputError: before there is a lab, if the error names no object of the cluster.
        """
        wrong = [one for one in error.problems if one.severity == "error"]
        new = _named(error, documents)
        names = {str(key) for key in new}
        named = {one.object: one for one in reversed(wrong) if one.object in names}
        if new.keys() <= self._hidden.keys():
            if self._lab is None:
                raise error
            new = self._changed(documents)
            if not new:
                self._say.once(f"the lab refuses a change: {wrong[0] if wrong else error}")
                return False
            self._say.line(f"left out, as the lab refuses the change: {_names(new)}: {wrong[0] if wrong else error}")
        else:
            for problem in first_of_each(named.values()):
                self._say.line(f"left out: {problem}")
        self._hidden.update(new)
        return True

    def _changed(self, documents: Iterable[Document]) -> dict[Key, Document]:
        """Return the objects that are new or other than in the lab."""
        given = {id(one) for one in self._given}
        return {key_of(one): one for one in documents if id(one) not in given and key_of(one) not in self._hidden}


def _named(error: InputError, documents: Iterable[Document]) -> dict[Key, Document]:
    """Return the documents that an error names."""
    wrong = {one.object for one in error.problems if one.severity == "error"}
    return {key: one for one in documents if str(key := key_of(one)) in wrong}


def _names(keys: Iterable[Key]) -> str:
    return few([str(key) for key in keys], MOST_NAMED)
