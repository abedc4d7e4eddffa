"""What etcd keeps of a lab: its record, and which machine has which nodes and outside hosts.

It is a line of JSON, and after it the text of the record, as a machine keeps that of a lab of its own. The record names
no namespaces and no part: each machine finds its own part with the same function.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netlab.cluster import Cluster
from netlab.cluster.types import Host, Node
from netlab.dataplane.part import MACHINE_MTU, VXLAN_PORT, Part, Peer
from netlab.errors import DamagedRecord, printable
from netlab.frozen import frozen
from netlab.lab.record_text import Decoder, Record, encoded
from netlab.lab.state import State, described
from netlab.machines.names import address_of, is_machine
from netlab.objects import Objects
from netlab.objects.types import Address

FORMAT = 1
"""The format of all that machines exchange; machines with different ones do not work together."""


@frozen
class Spec:
    """A lab on many machines.

    Args:
      record: the lab's objects, with the addresses of pods and the allocations of Services.
      number: the number of the lab, as ``Part`` has it.
      machines: the address of each machine that has a node or outside host, by name.
      placed: the machine of each node and outside host, by reference.
      port: the UDP port of the tunnels.
      machine_mtu: the MTU of the network between machines, in bytes.
      change: an id that differs with every change.
      repair: whether machines read what they have, and repair it.
      owner: the lease of the command that the lab ends with, "" for a lab that stays.
      encrypted: whether WireGuard encrypts what the machines send to one another.
    """

    record: Record
    number: int
    machines: Mapping[str, Address]
    placed: Mapping[str, str]
    port: int = VXLAN_PORT
    machine_mtu: int = MACHINE_MTU
    change: str = ""
    repair: bool = False
    owner: str = ""
    encrypted: bool = False

    def part_of(self, machine: str) -> Part | None:
        """Return the part of a machine, None if it has none; the same as ``dataplane.part.parts`` returns."""
        if machine not in self.machines:
            return None
        ends: dict[str, set[str]] = defaultdict(set)
        for ref, name in self.placed.items():
            ends[name].add(ref)
        peers = tuple(
            Peer(name, self.machines[name], frozenset(ends[name])) for name in sorted(ends) if name != machine
        )
        own = frozenset(ends[machine])
        if not own:
            return None
        return Part(
            self.number, self.machines[machine], own, peers, self.port, self.machine_mtu, encrypted=self.encrypted
        )

    def state(self) -> State:
        """Return the state of the whole lab; its use raises DamagedRecord where its objects do not go together."""

        def describe() -> tuple[Objects, Cluster]:
            objects, cluster = described(self.record)
            machines: tuple[Node | Host, ...] = (*cluster.nodes, *cluster.hosts)
            ends = {one.ref for one in machines}
            if ends != self.placed.keys():
                which = printable(", ".join(sorted(ends ^ self.placed.keys())[:5]))
                raise DamagedRecord(
                    self.record.lab, f"not all nodes and outside hosts have a machine, or others have: {which}"
                )
            return objects, cluster

        return State(describe)

    def changed(self, **more: Any) -> Spec:
        """Return this with other values, and a new ``change``."""
        return replace(self, change=secrets.token_hex(8), **more)


def encoded_spec(spec: Spec) -> bytes:
    """Return the bytes that etcd keeps."""
    head = {
        "format": FORMAT,
        "change": spec.change,
        "number": spec.number,
        "port": spec.port,
        "machineMTU": spec.machine_mtu,
        "repair": spec.repair,
        "owner": spec.owner,
        "encrypted": spec.encrypted,
        "machines": {name: str(address) for name, address in spec.machines.items()},
        "placed": dict(spec.placed),
    }
    record = replace(spec.record, part=None)
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + encoded(record, "", True, ())


def decoded_spec(lab: str, data: bytes, decoder: Decoder | None = None) -> Spec:
    """Return the lab of bytes that etcd kept; raises DamagedRecord.

    ``decoder`` decoded the lab's record before, if the caller has one.
    """
    line, _, text = data.partition(b"\n")
    try:
        head = json.loads(line)
        if head["format"] != FORMAT:
            raise DamagedRecord(lab, "another version of netlab wrote it to etcd")
        numbers = head["number"], head["port"], head["machineMTU"]
        machines = {_machine(name): address_of(_text(address)) for name, address in head["machines"].items()}
        placed = {_text(ref): _machine(name) for ref, name in head["placed"].items()}
        if not all(type(one) is int for one in numbers) or not set(placed.values()) <= machines.keys():
            raise ValueError("numbers or machines")
        encrypted = head.get("encrypted", False)
        if type(encrypted) is not bool:
            raise TypeError("encrypted")
        change, repair, owner = _text(head["change"]), head["repair"] is True, _text(head["owner"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedRecord(lab, "its record in etcd is damaged") from error
    record = (decoder or Decoder(lab)).record(text, "its record in etcd")
    return Spec(record, numbers[0], machines, placed, numbers[1], numbers[2], change, repair, owner, encrypted)


def _machine(name: object) -> str:
    text = _text(name)
    if not is_machine(text):
        raise ValueError(text)
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
