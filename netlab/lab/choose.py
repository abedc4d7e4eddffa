"""The lab of a command that names none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from netlab.errors import DamagedRecord, UsageError
from netlab.lab.record import Records


def only_one(records: Records, running: Sequence[str]) -> str:
    """Return the only usable lab, else the lab named ``default``.

    Raises:
      UsageError: when there is no lab, or several and none is named ``default``.
    """
    if not running:
        raise UsageError("no lab is running; build one with: netlab up -f FILE")
    if chosen := single(running):
        return chosen
    usable = list(islice((lab for lab in running if _usable(records, lab)), 2))
    if len(usable) != 1:
        raise UsageError(f"several labs are running, name one with --lab: {', '.join(running)}")
    return usable[0]


def single(running: Sequence[str]) -> str:
    """Return the only lab, else the one named ``default``, else ""."""
    return running[0] if len(running) == 1 else "default" if "default" in running else ""


def _usable(records: Records, lab: str) -> bool:
    try:
        return records.load(lab) is not None
    except DamagedRecord:
        return False
