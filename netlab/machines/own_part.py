"""Removes this machine's part of a lab, and nothing else that runs here under the lab's name."""

from __future__ import annotations

from netlab.errors import DamagedRecord
from netlab.kernel.machine import this_host
from netlab.lab import removal
from netlab.lab.record import Records
from netlab.machines.agent_output import say


def remove(lab: str, etcd: str, *, brought: bool) -> bool:
    """Remove this machine's part of a lab; return whether there was one.

    A lab of this machine alone stays, as does one of another etcd, and one whose record cannot be read.

    Args:
      lab: the lab.
      etcd: what tells the lab's etcd from others, as in ``Part``.
      brought: whether this process made what runs here; then its record need not be readable.

    Raises:
      HostError, KernelError.
    """
    machine = this_host()
    records = Records(machine)
    if not machine.enter(start=False) or not records.exists(lab):
        return False
    # Under the lock, as a command may be building a lab of the name.
    with records.locked(lab):
        if not records.exists(lab) or not _ours(records, lab, etcd, brought):
            return False
        removal.remove_everything(lab, machine)
    records.tidy()
    return True


def _ours(records: Records, lab: str, etcd: str, brought: bool) -> bool:
    """Return whether what runs under the lab's name is a part that an agent made for this etcd."""
    try:
        record = records.load(lab)
        if record is None:
            # Files of an agent that was killed before it made anything.
            return True
        if record.part is None:
            return False
        if record.part.etcd in ("", etcd):
            return True
        why = "it is of another etcd"
    except DamagedRecord as error:
        if brought:
            return True
        why = f"its record cannot be used: {error.why}"
    say(f"lab {lab} stays, as {why}; to remove it: netlab down {lab}")
    return False
