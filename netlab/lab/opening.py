"""Reads a lab's record when no change is under way."""

from __future__ import annotations

from typing import Literal

from netlab.errors import DamagedRecord, HostError, NetlabError, UsageError
from netlab.frozen import frozen
from netlab.kernel.machine import Machine, this_host
from netlab.lab.record import PATIENCE, Record, Records, Stamp
from netlab.lab.removal import sweep

# Seconds: a list of labs does not wait for a change of one of them.
_LIST_PATIENCE = 0.5


@frozen
class Overview:
    """A lab's phase and its numbers of nodes and pods.

    Changing: another command changes it. HalfBuilt: a change broke off. Damaged: its record cannot be used, and ``why``
    has the reason.
    """

    phase: Literal["Ready", "Changing", "HalfBuilt", "Damaged"]
    nodes: int | None = None
    pods: int | None = None
    why: str = ""


def overview(name: str, machine: Machine | None = None) -> Overview | None:
    """Return the overview of a lab without reading its objects; None when there is no lab."""
    records = Records(machine or this_host())
    try:
        record, _ = recorded(records, name, _LIST_PATIENCE)
    except HostError:
        return Overview("Changing")
    except DamagedRecord as error:
        return Overview("Damaged", why=str(error)) if records.exists(name) else None
    except NetlabError:
        return Overview("HalfBuilt") if records.exists(name) else None
    if record is None:
        return None
    nodes = sum(space.startswith(f"netlab.{name}.node.") for space in record.namespaces)
    return Overview("Ready", nodes, len(record.placement))


def recorded(records: Records, name: str, patience: float = PATIENCE) -> tuple[Record | None, Stamp | None]:
    """Return a lab's record and its stamp, after any change under way; (None, None) when there is no lab.

    Raises:
      UsageError: when a change broke off.
      DamagedRecord: when the record cannot be used.
      HostError: when a change takes more than ``patience`` seconds.
    """
    if records.stale(name):
        sweep(records)
    stamp = records.stamp(name)
    record = records.load(name)
    if record is not None and (not record.ready or stamp != records.stamp(name)):
        with records.locked(name, shared=True, patience=patience):
            stamp = records.stamp(name)
            record = records.load(name)
    if record is None:
        return None, None
    check_whole(record)
    return record, stamp


def check_whole(record: Record) -> None:
    """Raise UsageError where a change broke off: then only ``up`` and ``down`` take the lab."""
    if not record.ready:
        what = f"lab {record.lab} is half-built or half-changed"
        raise UsageError(f"{what}; netlab up repairs it, netlab down removes it")
