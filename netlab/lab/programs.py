"""The programs that a lab runs, brought to a wanted state under the lab's lock.

Each program has a folder in the lab's directory, ``programs/KIND.ENDPOINT``. If it is no longer wanted, it is ended and
its folder is removed. A lab that never ran a program has no such directory, and pays nothing.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.errors import HostError, UsageError
from netlab.frozen import frozen
from netlab.kernel.machine import Machine
from netlab.objects.names import LabName

if TYPE_CHECKING:
    from netlab.kernel.program import Program

# Longer names are cut, so that the folder's name fits a file system.
_LONGEST = 200
# Kinds of programs in the host's network namespace: ``etcd.host``.
_ON_HOST = "host"


AGENT = "agent"
"""The kind of the program that changes a lab as the nodes of a control plane."""


@frozen
class Wanted:
    """A program that a lab should run, and the files that it reads from its folder.

    ``reload`` is the signal that it gets when a file changed; 0 for a program that notices the change itself.
    """

    program: Program
    files: Mapping[str, bytes] = field(default_factory=dict)
    reload: int = 0


def directory(machine: Machine, lab: str) -> Path:
    """Return the directory of a lab's programs, which may not exist; raises UsageError for an invalid name."""
    return machine.store.folder(lab) / "programs"


def folder(machine: Machine, lab: str, kind: str, namespace: str) -> Path:
    """Return the folder of the program of a kind (``dns``) in a namespace, "" for the host's network namespace."""
    place = namespace.removeprefix(f"netlab.{LabName(lab)}.") or _ON_HOST
    if len(place) > _LONGEST:
        place = f"{place[:_LONGEST]}-{blake2b(namespace.encode(), digest_size=16).hexdigest()}"
    return directory(machine, lab) / f"{kind}.{place}"


def end_on_host(machine: Machine, lab: str) -> None:
    """End the lab's programs in the host's network namespace, those that change labs first.

    They are not found by a namespace of the lab. The caller holds the lab's lock.
    """
    places = directory(machine, lab).glob(f"*.{_ON_HOST}")
    for place in sorted(places, key=lambda one: (one.stem != AGENT, one.name)):
        machine.stop(place)


def has_agent(machine: Machine, lab: str) -> bool:
    """Return whether a lab has a control plane."""
    return (directory(machine, lab) / f"{AGENT}.{_ON_HOST}").is_dir()


def check_no_agent(machine: Machine, lab: str) -> None:
    """Raise UsageError for a lab with a control plane: its API server has the objects, and undoes other changes."""
    if has_agent(machine, lab):
        raise UsageError(f"lab {lab} has a control plane, so change its objects with kubectl")


def all_run(machine: Machine, lab: str, kind: str, programs: Sequence[Program]) -> bool:
    """Return whether all programs of a kind run as described. No lock is needed."""
    return all(machine.runs(one, folder(machine, lab, kind, one.namespace)) for one in programs)


def ensure(machine: Machine, lab: str, kind: str, wanted: Sequence[Wanted]) -> None:
    """Make a lab run exactly these programs of a kind, with these files. The caller holds the lab's lock alone.

    A program that is not wanted is ended, and one that does not run is started. Files are written before the signal.

    Raises:
      HostError, KernelError, NotFound: when a program cannot be started, after all others were.
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
                changed = [machine.write(place, name, data) for name, data in one.files.items()]
            except OSError as error:
                raise HostError(f"cannot write {place}: {error.strerror}") from error
            if not machine.runs(one.program, place):
                machine.start(one.program, place)
            elif one.reload and any(changed):
                machine.send(place, one.reload)
        except Exception as error:  # the other programs are started too
            failures.append(error)
    if not wanted:
        with contextlib.suppress(OSError):
            directory(machine, lab).rmdir()
    if failures:
        raise failures[0]
