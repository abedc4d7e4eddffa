"""The registered machines: each agent keeps a key ``machines/NAME`` under a lease, and the key ends with the lease.

A name belongs to one machine. An agent that starts again on the same machine has the same identity, and takes the key
over. After a boot the machine has another identity, and its agent waits until the old lease has ended.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from netlab.errors import HostError, UsageError, printable
from netlab.frozen import frozen
from netlab.machines.names import address_of, is_machine
from netlab.machines.spec import FORMAT
from netlab.objects.types import Address
from netlab.store.etcd_client import EtcdClient, b64, below, plain
from netlab.store.etcd_lease import Lease

_DIRECTORY = "machines"
_TRIES = 3
# Seconds: etcd removes the keys of a lease some time after its end.
_GRACE, _PAUSE = 3.0, 0.2


@frozen
class Machine:
    """A machine as its agent registers it.

    Args:
      name: its name.
      address: the address at which other machines reach it.
      version: the version of its netlab.
      identity: a text that no other machine has, and that stays until it boots.
      port: the UDP port of the tunnels.
      mtu: the MTU of the interface that has the address.
      lease: the lease of its key in etcd.
      format: the format of what it writes and reads.
    """

    name: str
    address: Address
    version: str
    identity: str
    port: int
    mtu: int
    lease: int = 0
    format: int = FORMAT


def machines(client: EtcdClient) -> dict[str, Machine]:
    """Return the machines whose agents run, by name; raises HostError if etcd is not reached."""
    return found_in(client, client.call("kv/range", keys(client)).get("kvs", ()))


def keys(client: EtcdClient) -> dict[str, str]:
    """Return the range of the keys of machines, for a request to etcd."""
    return below(client.key(_DIRECTORY, ""))


def found_in(client: EtcdClient, kvs: Iterable[Mapping[str, Any]]) -> dict[str, Machine]:
    """Return the machines of keys and values that etcd returned, by name."""
    prefix, found = client.key(_DIRECTORY, ""), {}
    for kv in kvs:
        name = plain(kv["key"]).decode(errors="replace").removeprefix(prefix)
        if is_machine(name) and (machine := _machine(name, plain(kv.get("value", "")))) is not None:
            found[name] = machine
    return found


def names_of(client: EtcdClient) -> list[str]:
    """Return the names of the machines whose agents run, sorted."""
    return sorted(machines(client))


def check_alike(found: Iterable[Machine], version: str) -> None:
    """Raise HostError where machines have another version of netlab: each would find another cluster.

    Args:
      found: the machines.
      version: the version of this process.
    """
    wrong = [f"{one.name} has netlab {printable(one.version)}" for one in found if one.version != version]
    wrong += [f"{one.name} has another format" for one in found if one.format != FORMAT and one.version == version]
    if wrong:
        fix = "all machines of one etcd need the same version; or use another etcd"
        raise HostError(f"this is netlab {version}, and {'; '.join(wrong)}", fix)


class Registration:
    """The registration of this machine, which a thread keeps alive.

    Raises:
      UsageError: if another machine has the name.
      HostError: if etcd is not reached, or machines have another version of netlab.
    """

    def __init__(self, client: EtcdClient, machine: Machine) -> None:
        self._client, self.machine = client, machine
        self._lease = self._register()

    @property
    def alive(self) -> bool:
        """Whether etcd has the registration for sure."""
        return self._lease.alive

    def renew(self) -> None:
        """Register again after the lease ended; raises as the constructor does."""
        self._lease.revoke()
        self._lease = self._register()

    def end(self) -> None:
        """Remove the registration."""
        self._lease.revoke()

    def _register(self) -> Lease:
        known = machines(self._client)
        check_alike((one for one in known.values() if one.name != self.machine.name), self.machine.version)
        lease = Lease(self._client, self._client.settings.lease)
        key = self._client.key(_DIRECTORY, self.machine.name)
        put = {"key": b64(key), "value": b64(_text(self.machine, lease.number)), "lease": str(lease.number)}
        request = {
            "compare": [{"key": b64(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}],
            "success": [{"request_put": put}],
            "failure": [{"request_range": {"key": b64(key)}}],
        }
        until = time.monotonic() + self._client.settings.lease + _GRACE
        tries = 0
        try:
            while tries < _TRIES:
                answer = self._client.call("kv/txn", request)
                if answer.get("succeeded"):
                    return lease
                other = machines(self._client).get(self.machine.name)
                if other is None:
                    tries += 1
                    continue
                if other.lease == lease.number:
                    # The first try of the request had its effect, but its answer was lost.
                    return lease
                if other.identity != self.machine.identity:
                    if other.address == self.machine.address and time.monotonic() < until:
                        # It is this machine before its last boot: that registration ends with its lease.
                        time.sleep(_PAUSE)
                        continue
                    raise UsageError(
                        f"machine {self.machine.name} is registered already, with address {other.address};"
                        f" name this one differently, or end the agent there"
                    )
                tries += 1
                with contextlib.suppress(HostError):
                    self._client.call("lease/revoke", {"ID": str(other.lease)})
            raise HostError(f"machine {self.machine.name} could not be registered in etcd", "try again")
        except BaseException:
            lease.revoke()
            raise


def _text(machine: Machine, lease: int) -> str:
    data = {
        "format": machine.format,
        "address": str(machine.address),
        "version": machine.version,
        "identity": machine.identity,
        "port": machine.port,
        "mtu": machine.mtu,
        "lease": lease,
    }
    return json.dumps(data)


def _machine(name: str, value: bytes) -> Machine | None:
    """Return the machine of a value; None where no agent wrote it."""
    try:
        data: Mapping[str, Any] = json.loads(value)
        address = address_of(str(data["address"]))
        numbers = [int(data[field]) for field in ("port", "mtu", "lease", "format")]
        version, identity = str(data["version"])[:200], str(data["identity"])[:200]
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    return Machine(name, address, version, identity, *numbers)
