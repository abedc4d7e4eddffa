"""Brings a lab whose change broke off, as its process was killed, to the state that its record describes."""

from __future__ import annotations

from netlab.kernel.machine import Machine, this_host
from netlab.lab.choose import only_one
from netlab.lab.lab import Lab
from netlab.lab.record import Records
from netlab.lab.state import described
from netlab.objects.names import LabName


def repair(name: str = "", machine: Machine | None = None) -> None:
    """Repair a lab, the only one if none is named, unless it is whole, or is not there.

    The step that broke off is done then, and stopped nodes and pods that were replaced stay as they are. ``up`` brings
    a lab to its input, which knows nothing of them.

    Raises:
      UsageError: for an invalid name, and for several labs when none is named.
      DamagedRecord, HostError, KernelError.
    """
    machine = machine or this_host()
    if not machine.enter(start=False):
        return
    records = Records(machine)
    name = (name and LabName(name)) or only_one(records, Lab.names(machine))
    record = records.load(name)
    if record is None or record.ready:
        return
    with records.locked(name):
        # A change that is under way holds the lock until the record is ready.
        record = records.load(name)
    if record is None or record.ready or record.part is not None:
        return
    objects, cluster = described(record)
    Lab.up(objects, name=name, machine=machine, cluster=cluster).close()
