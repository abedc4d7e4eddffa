"""The programs that a lab runs: brought to a wanted state, under the lab's lock.

Each program has a folder in the lab's directory, ``programs/KIND.ENDPOINT``. A folder of a kind that is no longer
wanted is ended and removed. A lab that never ran a program has no such directory, and pays nothing.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from hashlib import blake2b
from pathlib import Path

from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel.machine import Machine, Program
from netlab.objects.names import LabName

# Longer names of namespaces are cut, so that the folder's name fits a file system.
_LONGEST = 200


@frozen
class Wanted:
    """A program that a lab should run, and the files that it reads from its folder.

    ``reload`` is the signal that it gets when a file changed; 0 for a program that notices it itself.
    """

    program: Program
    files: Mapping[str, bytes] = field(default_factory=dict)
    reload: int = 0


def directory(machine: Machine, lab: str) -> Path:
    """Return the directory of a lab's programs, which may not exist; raises UsageError for an invalid name."""
    return machine.store.folder(lab) / "programs"


def folder(machine: Machine, lab: str, kind: str, namespace: str) -> Path:
    """Return the folder of the program of a kind (``dns``) in a namespace."""
    place = namespace.removeprefix(f"netlab.{LabName(lab)}.")
    if len(place) > _LONGEST:
        place = f"{place[:_LONGEST]}-{blake2b(namespace.encode(), digest_size=16).hexdigest()}"
    return directory(machine, lab) / f"{kind}.{place}"


def any_of(machine: Machine, lab: str, kind: str) -> bool:
    """Return whether a program of the kind was started in the lab, and not ended by ``bring``."""
    return any(directory(machine, lab).glob(f"{kind}.*"))


def all_run(machine: Machine, lab: str, kind: str, programs: Sequence[Program]) -> bool:
    """Return whether programs of a kind run as described; this needs no lock."""
    return all(machine.runs(one, folder(machine, lab, kind, one.namespace)) for one in programs)


def bring(machine: Machine, lab: str, kind: str, wanted: Sequence[Wanted]) -> None:
    """Have a lab run exactly these programs of a kind, with these files. The caller holds the lab's lock alone.

    Files are written before the signal. A program that does not run is started, and one that is not wanted is ended.

    Raises:
      HostError, KernelError, NotFound: when a program cannot be started; the others were.
    """
    failures: list[Exception] = []
    folders = {folder(machine, lab, kind, one.program.namespace): one for one in wanted}
    for left in sorted(directory(machine, lab).glob(f"{kind}.*")):
        if left not in folders:
            machine.stop(left)
            shutil.rmtree(left, ignore_errors=True)
    for place, one in folders.items():
        try:
            try:
                changed = [machine.write_file(place, name, data) for name, data in one.files.items()]
            except OSError as error:
                raise HostError(f"cannot write {place}: {error.strerror}") from error
            if not machine.runs(one.program, place):
                machine.start(one.program, place)
            elif one.reload and any(changed):
                machine.send(place, one.reload)
        except Exception as error:  # the other programs are brought too
            failures.append(error)
    if not wanted:
        with contextlib.suppress(OSError):
            directory(machine, lab).rmdir()
    if failures:
        raise failures[0]
