"""The agent of a machine: it registers the machine, watches etcd, and has a process for each lab."""

from __future__ import annotations

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
from netlab.machines import lab_process, own_machine
from netlab.machines.etcd import Etcd
from netlab.machines.lab_process import LOOK, MOST_OF_ORDER
from netlab.machines.registry import Machine, Registration
from netlab.machines.talk import say
from netlab.machines.view import Event
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_settings import EtcdSettings
from netlab.store.values import ABSENT

# Seconds between two looks at the registration.
_PERIOD = 1.0
_PERIOD_BEHIND = 0.05
_PAUSE = 1.0


class Agent:
    """The agent of this machine; make it before the process has threads.

    Args:
      settings: how etcd is reached.
      name: the name of this machine.
      address: the address at which other machines reach it, "" for the one from which packets to etcd leave.
      port: the UDP port of the tunnels.
      version: the version of this netlab.
    """

    def __init__(self, settings: EtcdSettings, name: str, address: str, port: int, version: str) -> None:
        self._settings, self._name = settings, name
        self._address, self._mtu = own_machine.own_address(address, settings)
        self._port, self._version = port, version
        self._etcd = Etcd(settings)
        # The processes of labs need it, and its import takes longer than a small lab.
        import requests  # noqa: F401

        self._spawner = Spawner({"lab": lab_process.realise})
        self._labs: dict[str, socket.socket] = {}
        self._changed: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        # Labs whose process has orders that it did not take yet, and has to look once more.
        self._behind: set[str] = set()
        self._wake, self._woken = socket.socketpair()
        self._ended = False

    def run(self) -> None:
        """Work until a signal ends the process; labs go on running.

        Raises:
          UsageError: if another machine has the name, or another agent runs here.
          HostError: if etcd is not reached at the start, or machines have another version of netlab.
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
        # Labs that were removed from etcd while no agent ran here.
        records = Records(this_host())
        for lab in records.labs():
            self._note(lab, LOOK)

    def _serve(self, registration: Registration) -> None:
        reached = True
        while not self._ended:
            period = _PERIOD_BEHIND if self._behind else _PERIOD
            ready, _, _ = select.select([self._woken, *self._labs.values()], [], [], period)
            if self._woken in ready:
                self._woken.recv(1 << 12)
            for lab in [lab for lab, one in self._labs.items() if one in ready]:
                # It has ended, as nothing is sent on it.
                if self._drop(lab):
                    self._behind.add(lab)
            while not self._ended and not self._changed.empty():
                self._order(*self._changed.get())
            for lab in list(self._behind):
                self._behind.discard(lab)
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

    def _order(self, lab: str, order: bytes) -> None:
        """Give an order to the process of a lab; start one where there is none, which looks at etcd first."""
        if lab in self._labs:
            try:
                self._labs[lab].send(order, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
                return
            except BlockingIOError:
                self._behind.add(lab)
                return
            except OSError:
                # It ended meanwhile.
                self._drop(lab)
        arguments: dict[str, Any] = {"etcd": asdict(self._settings), "machine": self._name, "lab": lab}
        self._labs[lab] = self._spawner.start("lab", **arguments)

    def _drop(self, lab: str) -> bool:
        """Close the socket to a process that ended; return whether it did not take all of its orders."""
        with self._labs.pop(lab) as one:
            try:
                one.recv(1)
                return False
            except OSError:
                return True

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
        self._wake.send(b"x")

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ended = True
        self._wake.send(b"x")

    def _close(self) -> None:
        """End the processes; each finishes the change that it is at."""
        for one in self._labs.values():
            one.close()
        self._spawner.close()
