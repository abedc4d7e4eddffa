"""The process of an agent that realises this machine's part of one lab: it prepares changes and brings them in force.

Each lab has a process of its own, so a large lab does not delay another one. A lab that runs when the process starts is
adopted: what differs from what etcd has is repaired, and the rest stays as it is.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from netlab.dataplane.part import Part
from netlab.errors import DamagedRecord, HostError, KernelError, NetlabError, printable
from netlab.kernel.machine import this_host
from netlab.lab import convergence
from netlab.lab.lab import Lab
from netlab.lab.state import State
from netlab.machines import own_machine, own_part, reports
from netlab.machines.agent_output import say
from netlab.machines.encryption import Encryption
from netlab.machines.etcd import Etcd, Known
from netlab.machines.lab_in_etcd import Event, LabInEtcd
from netlab.machines.reports import Report
from netlab.machines.spec import Spec
from netlab.objects.types import Address
from netlab.store.etcd_client import b64
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import EtcdSettings
from netlab.store.etcd_values import INLINE
from netlab.store.values import Conflict

# Seconds between two looks at a lab about which no order came: at its record, its owner, and etcd.
PERIOD = 5.0
_PAUSE = 0.5
# Seconds after which a proposal that is gone was dropped: a decision comes at the same moment by another watch.
_SETTLE = 0.05
# The order to read etcd, and the bytes of the largest order: an event with a whole record.
LOOK = b"look"
MOST_OF_ORDER = INLINE + (1 << 12)


def realise(arguments: Mapping[str, Any], orders: socket.socket) -> None:
    """Realise a lab until the agent closes ``orders``; run in a process of its own."""
    settings = EtcdSettings(**{**arguments["etcd"], "endpoints": tuple(arguments["etcd"]["endpoints"])})
    # A process of an agent that was killed finishes its change first: it could bring an older lab in force.
    with own_machine.only_process(arguments["lab"]):
        own = ip_address(arguments["address"]), arguments["port"]
        process = LabProcess(Etcd(settings), arguments["machine"], arguments["lab"], *own)
        try:
            process.run(orders)
        finally:
            process.close()


class LabProcess:
    """Realises this machine's part of one lab.

    Args:
      etcd: the etcd.
      machine: the name of this machine.
      lab: the lab.
      address: the address of this machine.
      port: the UDP port of its tunnels.
    """

    def __init__(self, etcd: Etcd, machine: str, lab: str, address: Address, port: int) -> None:
        self._etcd, self._machine, self._name = etcd, machine, lab
        self._own = address, port
        # Whether this process has brought the lab in force here.
        self._brought = False
        self._in_etcd = LabInEtcd(etcd, lab)
        self._lease: Lease | None = None
        self._report: Report | None = None
        # The report of the decided lab; one of a proposal takes its place.
        self._decided: Report | None = None
        # Whether etcd did not take the report yet.
        self._unsaid = False
        self._lab: Lab | None = None
        self._stamp: object = None
        # The change that is in force, and the one that is prepared with its state.
        self._done = ""
        self._prepared: tuple[str, State | None] = ("", None)
        self._encryption = Encryption(this_host(), etcd.client, lab)

    def run(self, orders: socket.socket) -> None:
        """Look at the lab now, at every order and at times; return when no order can come any more.

        An order is the message of an event of the lab, or ``LOOK``: then etcd is read. When it is gone, the agent is
        told the number of orders that were taken, and closes ``orders`` if it gave no more.
        """
        reached, taken, came = True, 0, [LOOK]
        while True:
            try:
                # What an order said before etcd was not reached may be lost.
                if not self.look(came if reached else [LOOK], idle=not came):
                    # An agent that was killed hears nothing.
                    with contextlib.suppress(OSError):
                        orders.send(str(taken).encode())
                reached = True
            except NetlabError as error:
                if reached:
                    say(f"lab {self._name}: {error}; it goes on running")
                reached = False
            seconds = (_SETTLE if self._dropped else PERIOD) if reached else _PAUSE
            found = _wait(orders, seconds)
            if found is None:
                return
            came = found
            taken += len(came)

    def close(self) -> None:
        """Close the connections, and let no shared directory stay for this process."""
        if self._lab is not None:
            self._lab.close()
        self._etcd.close()
        this_host().store.tidy()

    def look(self, events: Sequence[bytes] = (LOOK,), *, idle: bool = False) -> bool:
        """Do what etcd has about the lab; return False when it is gone.

        Args:
          events: what the agent ordered since the last look; where one is ``LOOK``, etcd is read.
          idle: no order came, so etcd is read, and there is time for what is rarely necessary.

        Raises:
          HostError: if etcd is not reached.
        """
        reads = idle or LOOK in events
        try:
            if reads:
                self._in_etcd.read()
            else:
                for message in events:
                    self._in_etcd.note(Event.from_bytes(message))
                if self._in_etcd.decided is None and self._in_etcd.proposed is None:
                    # A decision is two events of two watches, and the end of the proposal may come first.
                    self._in_etcd.read()
        except DamagedRecord as error:
            self._say(reports.failed(self._machine, "", error))
            return True
        decided, proposed = self._in_etcd.decided, self._in_etcd.proposed
        if decided is None and proposed is None:
            return self._remove()
        if reads and decided is not None and self._without_owner(decided):
            with contextlib.suppress(Conflict):
                self._etcd.store.remove(self._name, decided.revision)
            return True
        if decided is not None and (decided.spec.change != self._done or self._damaged()):
            self._bring(decided.spec)
        elif decided is not None and idle:
            self._follow(decided.spec)
        if proposed is not None and proposed.spec.change not in (self._prepared[0], self._done):
            self._prepare(proposed.spec)
        elif idle and self._dropped and self._decided is not None:
            self._say(self._decided)
        elif self._report is not None and (self._unsaid or self._lease is None or not self._lease.alive):
            self._say(self._report)
        if proposed is not None and idle and not self._etcd.command_runs(self._name):
            # The command that proposed it was killed.
            with contextlib.suppress(Conflict):
                self._etcd.proposals.remove(self._name, proposed.revision)
        return True

    # --- the two phases -------------------------------------------------------------------------------------------

    def _prepare(self, spec: Spec) -> None:
        """Compile this machine's part of a proposed lab, and look whether the machine can have it."""
        self._prepared = (spec.change, None)
        try:
            part = self._part(spec)
            if part is not None:
                # What encryption lacks is an error before anything is compiled.
                self._encryption.prepare(part)
                self._prepared = (spec.change, self._state(spec, part))
        except Exception as error:
            self._say(reports.failed(self._machine, spec.change, _reason(error)))
            return
        self._say(Report(self._machine, spec.change, "prepared"))

    def _part(self, spec: Spec) -> Part | None:
        """Return this machine's part of a lab, None if it has none.

        Raises:
          HostError: if its tunnels are to have another address or port than those that the agent was given.
        """
        part = spec.part_of(self._machine)
        if part is not None and part.peers and (part.address, part.port) != self._own:
            theirs, own = (f"{address} port {port}" for address, port in ((part.address, part.port), self._own))
            raise HostError(f"the lab has {theirs} for this machine, which is now {own}", "bring the lab up again")
        return None if part is None else replace(part, etcd=self._in_etcd.id)

    def _state(self, spec: Spec, part: Part) -> State:
        record = replace(spec.record, part=part)
        if self._lab is not None:
            return self._lab.prepared(record)
        state = State.of_record(record)
        part.check(state.cluster)
        convergence.check_build(this_host(), state)
        return state

    def _bring(self, spec: Spec) -> None:
        """Bring a decided lab in force on this machine."""
        change, state = self._prepared
        ready = state if change == spec.change else None
        started = time.monotonic()
        self._done = spec.change
        try:
            part = self._part(spec)
            if part is None:
                self._take_down()
                self._say_decided(Report(self._machine, spec.change, "ready"))
                return
            if self._lab is None or ready is None or spec.repair:
                if self._lab is not None:
                    self._lab.close()
                    self._lab = None
                self._lab = Lab.of_part(replace(spec.record, part=part), state=ready)
                self._encryption.join(part)
            else:
                self._lab.take(ready)
                self._encryption.join(part, anew=False)
        except Exception as error:
            self._lab = None
            self._say_decided(reports.failed(self._machine, spec.change, _reason(error)))
            return
        self._brought = True
        made = self._lab.changes
        self._stamp = self._lab.records.stamp(self._name)
        took = time.monotonic() - started
        numbers = len(made.steps), made.elements, made.replaced
        self._say_decided(Report(self._machine, spec.change, "ready", (), 0, "", *numbers))
        say(f"lab {self._name}: in force in {took * 1000:.0f} ms")

    def _follow(self, spec: Spec) -> None:
        """Take the keys of machines that made new ones, as after a boot."""
        part = spec.part_of(self._machine)
        if self._lab is not None and part is not None:
            try:
                self._encryption.join(part, anew=False)
            except KernelError as error:
                say(f"lab {self._name}: {error}")

    def _damaged(self) -> bool:
        """Return whether something else changed or removed this machine's part of the lab."""
        if self._lab is None:
            return self._report is not None and self._report.phase == "failed"
        return self._stamp != self._lab.records.stamp(self._name)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _without_owner(self, known: Known) -> bool:
        """Return whether the lab is temporary and its command was killed."""
        if not known.spec.owner:
            return False
        answer = self._etcd.client.call("lease/timetolive", {"ID": known.spec.owner})
        return not int(answer.get("TTL", -1)) > 0

    def _remove(self) -> bool:
        try:
            removed = self._take_down()
        except NetlabError as error:
            self._say(reports.failed(self._machine, reports.REMOVAL, error))
            return True
        self._say(Report(self._machine, reports.REMOVAL, "gone"))
        if removed:
            say(f"lab {self._name}: removed")
        return False

    def _take_down(self) -> bool:
        """Remove this machine's part of the lab, if there is one; return whether there was."""
        self._encryption.forget()
        if self._lab is not None:
            self._lab.close()
            self._lab = None
        return own_part.remove(self._name, self._in_etcd.id, brought=self._brought)

    # --- reports ----------------------------------------------------------------------------------------------------

    @property
    def _dropped(self) -> bool:
        """Whether the last report is about a proposal that was dropped."""
        last, decided = self._report, self._decided
        if last is None or decided is None or self._in_etcd.proposed is not None:
            return False
        return (last.change, last.phase) != (decided.change, decided.phase)

    def _say_decided(self, report: Report) -> None:
        self._decided = report
        self._say(report)

    def _say(self, report: Report) -> None:
        report = replace(report, public=self._encryption.public)
        self._report, self._unsaid = report, True
        if report.phase == "failed":
            say(f"lab {self._name}: {'; '.join(report.error)}")
        if self._lease is None or not self._lease.alive:
            self._lease = Lease(self._etcd.client, self._etcd.settings.lease)
        key = self._etcd.client.key(reports.DIRECTORY, self._name, self._machine)
        put = {"key": b64(key), "value": b64(report.to_json()), "lease": str(self._lease.number)}
        self._etcd.client.call("kv/put", put)
        self._unsaid = False


def _reason(error: Exception) -> NetlabError:
    """Return what a report says of an error; the command must not wait for a machine where netlab has a fault."""
    if isinstance(error, NetlabError):
        return error
    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line)
    return HostError(f"netlab failed: {printable(repr(error))[:200]}", "its agent printed more")


def _wait(orders: socket.socket, seconds: float) -> list[bytes] | None:
    """Wait for an order, at most some seconds; return those that came, None where none can come any more."""
    came: list[bytes] = []
    while select.select([orders], [], [], seconds)[0]:
        message = orders.recv(MOST_OF_ORDER)
        if not message:
            return None
        came.append(message)
        seconds = 0
    return came
