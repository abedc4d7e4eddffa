"""What etcd says about the machines and the labs on them; no agent is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from netlab.errors import DamagedRecord
from netlab.frozen import frozen
from netlab.machines import registry, reports
from netlab.machines.etcd import Etcd, Known
from netlab.machines.registry import Machine


@frozen
class LabOverview:
    """A lab on many machines.

    Ready: every machine has its part in force. Degraded: a machine is away, or cannot have its part. Changing: a
    change is under way. Damaged: the record cannot be used. ``why`` has a reason, else "".
    """

    name: str
    phase: Literal["Ready", "Degraded", "Changing", "Damaged"]
    known: Known | None = None
    away: tuple[str, ...] = ()
    why: str = ""

    @property
    def nodes(self) -> int:
        """The number of its nodes."""
        return 0 if self.known is None else sum(ref.startswith("node:") for ref in self.known.spec.placed)

    @property
    def pods(self) -> int:
        """The number of its pods."""
        return 0 if self.known is None else len(self.known.spec.record.placement)


@frozen
class MachineOverview:
    """A machine: whether its agent runs, its address and version ("" where only labs know it), labs and nodes."""

    name: str
    ready: bool
    address: str
    version: str
    labs: tuple[str, ...]
    nodes: int


def lab_of(etcd: Etcd, name: str, registered: Mapping[str, Machine], proposed: bool) -> LabOverview | None:
    """Return the overview of a lab, None where there is none.

    Args:
      etcd: the etcd.
      name: the lab.
      registered: the machines whose agents run.
      proposed: whether etcd has a proposed change of the lab; it counts while its command runs.

    Raises:
      HostError: if etcd is not reached.
    """
    try:
        known = etcd.decided(name)
    except DamagedRecord as error:
        return LabOverview(name, "Damaged", why=str(error))
    if known is None:
        return None
    spec = known.spec
    away = tuple(sorted(spec.machines.keys() - registered.keys()))
    said = reports.reports(etcd.client, name)
    about = {one: said[one] for one in sorted(said) if one in spec.machines and said[one].change == spec.change}
    failed = [one for one in about.values() if one.phase == "failed"]
    if proposed and etcd.command_runs(name):
        return LabOverview(name, "Changing", known, away)
    if away:
        which = f"machine {away[0]} is" if len(away) == 1 else f"machines {', '.join(away)} are"
        return LabOverview(name, "Degraded", known, away, f"lab {name}: {which} away")
    if failed:
        why = "; ".join(f"machine {one.machine}: {' '.join(one.error)}" for one in failed)
        return LabOverview(name, "Degraded", known, why=f"lab {name}: {why}")
    return LabOverview(name, "Ready" if len(about) == len(spec.machines) else "Changing", known)


def labs(etcd: Etcd) -> list[LabOverview]:
    """Return the overviews of all labs, by name; raises HostError if etcd is not reached."""
    registered = registry.machines(etcd.client)
    proposed = etcd.proposals.labs()
    found = (lab_of(etcd, name, registered, name in proposed) for name in etcd.store.labs())
    return [one for one in found if one is not None]


def machines(etcd: Etcd) -> list[MachineOverview]:
    """Return the machines whose agents run and those that labs have nodes on, by name; raises HostError."""
    registered = registry.machines(etcd.client)
    specs = {one.name: one.known.spec for one in labs(etcd) if one.known is not None}
    names = sorted({*registered, *(machine for spec in specs.values() for machine in spec.machines)})
    found = []
    for name in names:
        machine = registered.get(name)
        on = sorted(lab for lab, spec in specs.items() if name in spec.machines)
        placed = (ref for lab in on for ref, where in specs[lab].placed.items() if where == name)
        nodes = sum(ref.startswith("node:") for ref in placed)
        address = machine.address if machine else next(specs[lab].machines[name] for lab in on)
        version = machine.version if machine else ""
        found.append(MachineOverview(name, machine is not None, str(address), version, tuple(on), nodes))
    return found
