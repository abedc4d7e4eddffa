"""A lab for a block of a program, under a name that no other lab has."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

from netlab.cluster import Cluster
from netlab.kernel.machine import Machine, this_host
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.lab.record import Records
from netlab.lab.temporary_labs import hold_owner_lock
from netlab.objects import Objects
from netlab.objects.names import LabName

# A process may have several temporary labs at once, and their topologies may share a name.
_COUNT = itertools.count()


@contextlib.contextmanager
def temporary(objects: Objects, machine: Machine | None = None, cluster: Cluster | None = None) -> Iterator[Lab]:
    """Build a lab for a ``with`` block, and remove it after the block, as ``Lab.temporary`` does."""
    base = (objects.topology.name if objects.topology else "default")[:20]
    name = LabName(f"{base}-{os.getpid():x}-{next(_COUNT)}")
    machine = machine or this_host()
    records = Records(machine)
    with hold_owner_lock(records, name):
        try:
            with Lab.up(objects, name=name, machine=machine, cluster=cluster) as lab:
                yield lab
        finally:
            # A signal may end the process between any two lines.
            with machine.uninterrupted():
                if records.exists(name):
                    removal.remove(name, machine)
