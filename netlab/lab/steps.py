"""What changes a lab in steps: the lab's lock, its record, and the state that a step brings in force."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from netlab.errors import UsageError
from netlab.kernel.machine import Machine
from netlab.lab import convergence, programs
from netlab.lab.convergence import Current
from netlab.lab.opening import check_whole
from netlab.lab.outcome import Changes
from netlab.lab.record import Record, Records, Stamp
from netlab.lab.state import State
from netlab.objects import Document

if TYPE_CHECKING:
    from netlab.dataplane.part import Part
    from netlab.lab.lab import Lab


class Steps:
    """The methods of ``Lab`` that hold its lock, read its record again, and change it in steps."""

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

    @property
    def _lab(self) -> Lab:
        # Lab and its subclasses alone inherit from this class.
        return cast("Lab", self)

    def edit(self, edit: Callable[[Sequence[Document]], Sequence[Document]], *, part: Part | None = None) -> Changes:
        """Change the lab's documents by a function; all or nothing, in force on return.

        ``part`` replaces the part of a lab on several machines that this machine has.
        """
        with self.held():
            if self._now.record.part is not None and part is None:
                raise UsageError(f"lab {self._lab.name} is on several machines; change it with --etcd")
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
        self._stamp = self._records.stamp(self._lab.name)
        self._refresh_programs()
        if self.after_step is not None:
            self.after_step()
        return True

    def _refresh_programs(self) -> None:
        """Bring the lab's programs to its present state; the caller holds the lab's lock."""
        ran = programs.directory(self._machine, self._lab.name).is_dir()
        if ran:
            from netlab.lab import dns

            dns.refresh(self._lab)
        if ran or self._lab.cluster.ingresses:
            from netlab.lab import ingress

            ingress.ensure(self._machine, self._lab.cluster, self._lab.here)

    @contextlib.contextmanager
    def held(self, *, shared: bool = False) -> Iterator[Stamp]:
        """Hold the lab's lock during a block, and read the record if another command changed it.

        Yields a value that differs after every change of the lab. A command that only reads the lab holds the lock
        shared.

        Raises:
          UsageError: when the lab is gone, or a change of it broke off.
          HostError: when the lock is to be shared and another command keeps it too long.
        """
        with self._records.locked(self._lab.name, shared=shared):
            stamp = self._records.stamp(self._lab.name)
            known = self._now.record
            record = known if stamp == self._stamp else self._records.load(self._lab.name)
            if stamp is None or record is None:
                raise UsageError(f"lab {self._lab.name} is gone")
            check_whole(record)
            if stamp != self._stamp:
                # Another command may have made links and namespaces anew: others have the indexes of the old ones.
                self._machine.close()
            if record != known:
                self._now = Current(record, State.of_record(record))
            self._stamp = stamp
            yield stamp

    @property
    def is_behind(self) -> bool:
        """Whether a change of the lab is under way, or another command has changed it since it was read."""
        return self._stamp is None or self._records.stamp(self._lab.name) != self._stamp

    def look(self) -> None:
        """Read the lab again if another command changed it; raises what ``held`` raises."""
        if self.is_behind:
            with self.held(shared=True):
                pass
