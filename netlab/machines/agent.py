"""The agent of a machine: it registers the machine, watches etcd, and has a process for each lab."""

from __future__ import annotations

import contextlib
import errno
import queue
import select
import signal
import socket
import threading
import time
from dataclasses import asdict
from types import FrameType
from typing import Any

from netlab.errors import HostError, NetlabError
from netlab.kernel.machine import this_host
from netlab.kernel.spawner import Spawner
from netlab.lab.record import Records
from netlab.machines import call_process, incoming_calls, lab_process, own_machine
from netlab.machines.agent_output import say
from netlab.machines.etcd import Etcd
from netlab.machines.incoming_calls import IncomingCalls
from netlab.machines.lab_in_etcd import Event
from netlab.machines.lab_process import LOOK, MOST_OF_ORDER
from netlab.machines.registry import Machine, Registration
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_settings import EtcdSettings
from netlab.store.values import ABSENT

# Seconds between two looks at the registration.
_PERIOD = 1.0
# The same while a process has to look once more.
_PERIOD_BEHIND = 0.05
_PAUSE = 1.0
_SO_SNDBUFFORCE = 32


class _Running:
    """The process of a lab: the socket to it, and the number of orders that it was sent."""

    def __init__(self, orders: socket.socket) -> None:
        self.orders, self.sent = orders, 0
        # Where this is not allowed, larger orders become ``LOOK``.
        with contextlib.suppress(OSError):
            orders.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 4 * MOST_OF_ORDER)

    def fileno(self) -> int:
        return self.orders.fileno()

    def send(self, order: bytes) -> None:
        """Send it an order; raises BlockingIOError where too many wait, OSError where it has ended."""
        try:
            self.orders.send(order, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self.orders.send(LOOK, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        self.sent += 1

    def said(self) -> int | None:
        """Return the number of orders after which it found the lab gone; None where it has ended."""
        try:
            return int(self.orders.recv(64, socket.MSG_DONTWAIT))
        except (OSError, ValueError):
            return None


class Agent:
    """The agent of this machine; make it before the process has threads.

    Args:
      settings: how etcd is reached.
      name: the name of this machine.
      address: the address at which other machines reach it, "" for the one from which packets to etcd leave.
      port: the UDP port of the tunnels.
      version: the version of this netlab.
      programs: which programs it runs for other machines: ``nobody``, ``any`` or ``none``.
    """

    def __init__(
        self, settings: EtcdSettings, name: str, address: str, port: int, version: str, programs: str = "nobody"
    ) -> None:
        self._settings, self._name = settings, name
        self._address, self._mtu = own_machine.own_address(address, settings)
        self._port, self._version = port, version
        self._etcd = Etcd(settings)
        # The processes of labs need it, and its import takes longer than a small lab.
        import requests  # noqa: F401

        self._spawner = Spawner({"lab": lab_process.realise, incoming_calls.TARGET: call_process.answer}, say)
        self._labs: dict[str, _Running] = {}
        # When the processes of labs that ended are started again, and those that did not take their orders look again,
        # in monotonic seconds.
        self._again: dict[str, float] = {}
        self._changed: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        # A signal must never wait for the thread that it interrupts.
        self._wake.setblocking(False)
        self._calls = IncomingCalls(self._etcd.client, name, programs, self._spawner, self._rouse)
        self._ended = False

    def run(self) -> None:
        """Work until a signal ends the process; labs go on running.

        Raises:
          UsageError: if another machine has the name, or another agent runs here.
          HostError: if etcd is not reached at the start, machines have another version of netlab, or the process that
            starts others was killed.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)
        this_host().enter()
        with own_machine.identity() as identity:
            machine = Machine(self._name, self._address, self._version, identity, self._port, self._mtu)
            registration = Registration(self._etcd.client, machine)
            try:
                say(f"machine {self._name} is registered with address {self._address}")
                self._begin()
                self._serve(registration)
            finally:
                registration.end()
                self._close()
        say(f"machine {self._name} is no longer registered; its labs go on running")

    def _begin(self) -> None:
        for proposed, store in enumerate((self._etcd.store, self._etcd.proposals)):
            threading.Thread(target=self._watch, args=(store, bool(proposed)), name="netlab-labs", daemon=True).start()
        self._calls.begin()
        # Labs that were removed from etcd while no agent ran here.
        records = Records(this_host())
        for lab in records.labs():
            self._note(lab, LOOK)

    def _serve(self, registration: Registration) -> None:
        reached = True
        while not self._ended:
            waiting: list[Any] = [self._woken, self._spawner, *self._labs.values(), *self._calls.sockets]
            ready, _, _ = select.select(waiting, [], [], _PERIOD_BEHIND if self._again else _PERIOD)
            if self._woken in ready:
                self._woken.recv(1 << 12)
            if self._spawner in ready:
                raise HostError(
                    "the process that starts others was killed; labs go on running", "start the agent again"
                )
            for lab in [lab for lab, one in self._labs.items() if one in ready]:
                self._hear(lab)
            self._calls.serve(ready)
            while not self._ended and not self._changed.empty():
                self._order(*self._changed.get())
            for lab in [lab for lab, at in self._again.items() if at <= time.monotonic()]:
                self._order(lab, LOOK)
            if not registration.alive:
                try:
                    registration.renew()
                    say(f"machine {self._name} is registered again")
                    reached = True
                except HostError as error:
                    if reached:
                        say(f"{error}; labs go on running")
                    reached = False
                    time.sleep(_PAUSE)

    def _hear(self, lab: str) -> None:
        """Let the process of a lab go that found it gone; start one that was killed again."""
        one = self._labs[lab]
        orders = one.said()
        if orders is None:
            say(f"lab {lab}: its process ended, and is started again")
            self._again[lab] = time.monotonic() + _PAUSE
        elif orders < one.sent:
            # The lab may be there again since.
            return
        self._labs.pop(lab).orders.close()

    def _order(self, lab: str, order: bytes) -> None:
        """Give an order to the process of a lab; start one where there is none."""
        self._again.pop(lab, None)
        for _ in range(2):
            if lab not in self._labs:
                arguments: dict[str, Any] = {"etcd": asdict(self._settings), "machine": self._name, "lab": lab}
                arguments |= {"address": str(self._address), "port": self._port}
                self._labs[lab] = _Running(self._spawner.start("lab", **arguments))
            try:
                self._labs[lab].send(order)
                return
            except BlockingIOError:
                # It has orders that it did not take yet, and this one is lost.
                self._again[lab] = time.monotonic() + _PERIOD_BEHIND
                return
            except OSError:
                # It ended meanwhile.
                self._labs.pop(lab).orders.close()

    def _watch(self, store: EtcdStore, proposed: bool) -> None:
        """Note every lab that changes in a store; run in a thread."""
        while not self._ended:
            try:
                for changed in store.watch():
                    if self._ended:
                        return
                    if changed is None:
                        continue
                    order = LOOK
                    if changed.at:
                        value = None if changed.revision == ABSENT else changed.value
                        order = Event(proposed, changed.at, value).to_bytes()
                    self._note(changed.lab, order if len(order) <= MOST_OF_ORDER else LOOK)
            except NetlabError:
                time.sleep(_PAUSE)

    def _note(self, lab: str, order: bytes) -> None:
        self._changed.put((lab, order))
        self._rouse()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ended = True
        self._rouse()

    def _rouse(self) -> None:
        """Let the thread that serves go on; where many did so already, nothing has to be done."""
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"x")

    def _close(self) -> None:
        """End the processes; each finishes the change that it is at."""
        for one in self._labs.values():
            one.orders.close()
        self._calls.close()
        self._spawner.close()
