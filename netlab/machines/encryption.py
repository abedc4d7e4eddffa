"""The keys of an encrypted lab on this machine: its own, and what it knows of those of other machines.

A machine makes its key when it prepares a change, before anything is built. The private key is in the memory of the
lab's process and in the kernel. A process that starts again takes it from the kernel. The public key and the UDP port
are in every report about the lab, so all machines know them before a change is decided.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Set

from netlab.dataplane import names
from netlab.dataplane.part import Part
from netlab.errors import HostError, KernelError, NotFound
from netlab.kernel.machine import Machine
from netlab.kernel.udp_port import ReservedPort
from netlab.kernel.wireguard_state import Change, Device, Key, Peer
from netlab.machines import reports
from netlab.machines.agent_output import say
from netlab.machines.reports import PublicKey
from netlab.objects.types import Address
from netlab.store.etcd_client import EtcdClient

# Seconds: how long sessions are waited for, after which time one is begun anew (then after twice the time, as a slow
# answer is lost with the peer), and between two looks at first.
_MOST, _ATTEMPT, _PAUSE = 8.0, 0.5, 0.02


class Encryption:
    """The WireGuard device of one lab on this machine.

    Args:
      machine: this machine.
      client: the etcd with the reports of the machines.
      lab: the lab.
    """

    def __init__(self, machine: Machine, client: EtcdClient, lab: str) -> None:
        self._machine, self._place = machine, names.underlay_namespace(lab)
        self._client, self._lab = client, lab
        self._key: Key | None = None
        self._port = 0
        # Until the device has the port.
        self._reserved: ReservedPort | None = None
        # The part, and what was known of other machines, when the device was changed last.
        self._known: tuple[Part, dict[Address, PublicKey]] | None = None
        # Whether a session with a machine is missing that this one begins.
        self._waiting = False

    @property
    def public(self) -> PublicKey | None:
        """What other machines need of this one; None before ``prepare``."""
        return PublicKey(self._key.public, self._port) if self._key is not None else None

    def prepare(self, part: Part) -> None:
        """Make a key and choose a port, if the part has an encrypted tunnel; keep those of a device that is there.

        Raises:
          HostError: if this kernel has no WireGuard, or no port is free.
          KernelError.
        """
        if not (part.encrypted and part.peers) or self._key is not None:
            return
        device = self._device()
        if device is not None and device.key is not None:
            self._key, self._port = device.key, device.port
            return
        key = new_key(self._machine)
        self._reserved = ReservedPort()
        self._key, self._port = key, self._reserved.number

    def join(self, part: Part, *, anew: bool = True) -> None:
        """Give the device of this machine its key, its port, and the keys that other machines have reported.

        A machine that has no report keeps the key of before. Then begin a session with each machine that has a higher
        address, and wait for it some seconds. Without ``anew`` the device is not read or changed as long as the part
        and the reports are those of the last time.

        Raises:
          HostError, KernelError.
        """
        if not (part.encrypted and part.peers):
            return
        self.prepare(part)
        assert self._key is not None
        said = reports.reports(self._client, self._lab)
        found = {name: report.public for name, report in said.items() if report.public is not None}
        want = {peer.address: found[peer.name] for peer in part.peers if peer.name in found}
        if not (anew or self._waiting) and (part, want) == self._known:
            return
        self._release()
        device = self._machine.read_wireguard(self._place, names.WIREGUARD)
        if change := change_of(device, self._key, self._port, want, part):
            try:
                self._machine.set_wireguard(self._place, names.WIREGUARD, change)
            except KernelError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                # Another program took it, after the device was deleted. The next change has another one.
                self.forget()
                what = f"another program has the UDP port of the encrypted tunnel ({error})"
                raise HostError(what, "type the command again: another port is chosen") from error
        self._known = part, want
        # A process that waits long does not take its orders.
        self._waiting = not self._begin({one.key for one in want.values()}, _MOST if anew else _ATTEMPT)

    def _begin(self, keys: Set[str], seconds: float) -> bool:
        """Begin sessions with the peers that this machine begins them with; return whether all are there in time.

        The first packet is lost if the other machine has not its device yet, and the kernel waits long until the next
        one. So a peer without a session is added anew.
        """
        until, attempt = time.monotonic() + seconds, _ATTEMPT
        while True:
            again, pause = min(time.monotonic() + attempt, until), _PAUSE
            while True:
                device = self._machine.read_wireguard(self._place, names.WIREGUARD)
                lacking = [one for one in device.peers if one.begins and one.key in keys - device.sessions]
                if not lacking:
                    return True
                if time.monotonic() >= again:
                    break
                time.sleep(pause)
                pause = min(2 * pause, attempt / 4)
            attempt *= 2
            change = Change(remove=tuple(one.key for one in lacking), add=tuple(lacking))
            self._machine.set_wireguard(self._place, names.WIREGUARD, change)
            if time.monotonic() >= until:
                where = ", ".join(f"{one.address} UDP port {one.port}" for one in lacking)
                if not self._waiting:
                    say(f"lab {self._lab}: no answer by WireGuard yet from {where}")
                return False

    def forget(self) -> None:
        """Forget the key, as the part of the lab is removed."""
        self._release()
        self._key, self._port, self._known, self._waiting = None, 0, None, False

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.release()
            self._reserved = None

    def _device(self) -> Device | None:
        if not self._machine.exists(self._place) or not self._machine.has_link(self._place, names.WIREGUARD):
            return None
        try:
            return self._machine.read_wireguard(self._place, names.WIREGUARD)
        except NotFound:
            return None


def new_key(machine: Machine) -> Key:
    """Return a new key of a machine; raises HostError where its kernel has no WireGuard, KernelError."""
    try:
        return machine.new_wireguard_key()
    except KernelError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        fix = "sudo modprobe wireguard; where there is no such module, use a kernel with CONFIG_WIREGUARD"
        raise HostError(
            f"this kernel has no links of kind wireguard ({error})", f"{fix}, or leave out --encrypt"
        ) from error


def change_of(device: Device, key: Key, port: int, want: Mapping[Address, PublicKey], part: Part) -> Change | None:
    """Return what a device lacks of a key, a port and the public keys of machines; None where it has all.

    A peer stays where its machine is of the lab, but its key is not known now: sessions go on while an agent is away.

    Args:
      device: what the device has.
      key: the key that it shall have.
      port: its UDP port.
      want: the public keys of other machines that are known, by address.
      part: the machine's part, with the addresses of all machines of the lab.
    """
    addresses = {peer.address for peer in part.peers}
    # Of two machines the one with the lower address begins.
    wanted = {Peer(one.key, at, one.port, int(part.address) < int(at)) for at, one in want.items()}
    keys = {peer.key for peer in wanted}
    have = set(device.peers)
    gone = {
        peer.key
        for peer in have - wanted
        if peer.key not in keys and (peer.address in want or peer.address not in addresses)
    }
    change = Change(
        key if device.key != key else None,
        port if device.port != port else 0,
        tuple(sorted(gone)),
        tuple(sorted(wanted - have, key=lambda peer: str(peer.address))),
    )
    return change or None
