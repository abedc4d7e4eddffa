"""Changes a lab on all its machines in two phases: each machine prepares the change, then all bring it in force.

A command proposes the changed lab. Each machine compiles its part, checks whether it can have it, and reports that.
After the last report, one transaction makes the proposal the lab (the decision). Then the machines bring it in force.
If a machine cannot prepare it or is away, nothing changes. If one cannot bring it in force, the command decides the old
lab again. A machine that dies between the phases finds the decision when it comes back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping

from netlab.errors import DamagedRecord, HostError, NetlabError
from netlab.frozen import frozen
from netlab.lab import notices
from netlab.machines import registry, reports
from netlab.machines.etcd import Etcd, Known, probe_ports
from netlab.machines.registry import Machine
from netlab.machines.report_watch import ReportWatch
from netlab.machines.reports import Report
from netlab.machines.spec import Spec, encoded_spec
from netlab.objects.names import LabName
from netlab.store import etcd_values
from netlab.store.etcd_client import Unreachable, b64
from netlab.store.etcd_lock import EtcdLock
from netlab.store.values import ABSENT, LockLost

# Seconds. A machine makes some 500 pods a second, and the whole lab is in one process for each machine.
_MOST = 1800.0
# A machine that does not know of a lab says nothing about its removal.
_MOST_OF_REMOVAL = 120.0


@frozen
class Removed:
    """The outcome of a removal: the machines that removed their part, and those that are away, sorted."""

    machines: tuple[str, ...]
    away: tuple[str, ...]


@frozen
class LockedLab:
    """The lock of a lab, and what etcd had at the moment at which it was taken.

    Args:
      lock: the lock.
      waiting: the reports about the lab that come from now on.
      machines: the machines whose agents run, by name.
      reports: the reports about the lab, by machine.
      decided: the revision of the decided lab, ``ABSENT`` where there is none.
    """

    lock: EtcdLock
    waiting: ReportWatch
    machines: Mapping[str, Machine]
    reports: Mapping[str, Report]
    decided: str

    def known(self, etcd: Etcd, lab: str, known: Known | None = None) -> Known | None:
        """Return the decided lab, None where there is none; ``known`` is one that was read before."""
        if self.decided == ABSENT:
            return None
        return known if known is not None and known.revision == self.decided else etcd.decided(lab)


class Undetermined(HostError):
    """etcd went away during a change; the machines bring what was decided in force when they reach it."""

    def __init__(self, error: Unreachable, state: str) -> None:
        super().__init__(error.what, f"{state}; what is decided comes into force on all machines when etcd is back")


@contextlib.contextmanager
def locked(etcd: Etcd, lab: str) -> Iterator[LockedLab]:
    """Hold the lock of a lab in etcd during a block; raises HostError if etcd is not reached."""
    client = etcd.client
    head = {"key": b64(etcd.store.head(lab)), "keys_only": True}
    # One transaction takes the lock and reads, as each request takes milliseconds.
    lock = EtcdLock(client, LabName(lab), (registry.keys(client), reports.keys(client, lab), head))
    waiting = ReportWatch(client, lab)
    try:
        lock.acquire(waiting=lambda: notices.notice_waiting(lab))
        machines, said, heads = lock.found
        decided = str(int(heads[0]["mod_revision"])) if heads else ABSENT
        found = registry.found_in(client, machines), reports.found_in(client, lab, said)
        waiting.begin()
        yield LockedLab(lock, waiting, *found, decided)
    finally:
        try:
            waiting.close()
        finally:
            lock.release()


def change(etcd: Etcd, before: Known | None, after: Spec, held: LockedLab, version: str) -> tuple[Known, list[Report]]:
    """Change a lab on all its machines, or build it; return it and their reports when it is in force.

    Args:
      etcd: the etcd.
      before: the lab as it is, None for a new one.
      after: the new lab; its ``change`` is new.
      held: the lab's lock, which the caller holds.
      version: the version of this netlab.

    Raises:
      HostError: if a machine is away or cannot have its part, or etcd is not reached; nothing changed, or the message
        says what did.
      UsageError: if a machine refuses the input.
      Conflict, LockLost.
    """
    lab, lock, waiting = after.record.lab, held.lock, held.waiting
    names = {*after.machines, *(before.spec.machines if before else ())}
    _check_machines(held.machines, names, lab, version)
    decided = False
    try:
        packed = etcd_values.packed(encoded_spec(after))
        proposed = etcd.propose(lab, packed, lock)
        try:
            found, away = waiting.wait(names, lambda one: _says(one, after, "prepared"), _MOST)
            _raise_first(found)
            if away:
                raise HostError(_are_away(away, lab), f"lab {lab} did not change")
            decided = True
            try:
                known = Known(after, etcd.decide(lab, packed, before.revision if before else ABSENT, lock))
            except Unreachable as error:
                raise Undetermined(error, f"the change of lab {lab} may be decided") from error
        except BaseException:
            with contextlib.suppress(HostError):
                # If the lock was lost, another command may have proposed something since.
                etcd.proposals.remove(lab, proposed)
            raise
        found, away = _in_force(waiting, names, after)
        try:
            _raise_first(found)
        except NetlabError:
            _go_back(etcd, before, after, lock, waiting, names - away)
            raise
        if away:
            there = "the change is in force on the other machines, and comes into force there when it is back"
            raise HostError(_are_away(away, lab), there if before else f"lab {lab} was removed again")
        return known, [found[name] for name in sorted(found)]
    except Undetermined:
        raise
    except BaseException:
        if decided and before is None:
            # A lab that could not be built is removed again. The caller gets the first error.
            with contextlib.suppress(HostError):
                _remove(etcd, lab, lock, waiting, names)
        raise


def remove(etcd: Etcd, lab: str) -> Removed | None:
    """Remove a lab from etcd and from all its machines; return the outcome, None where there is no such lab.

    A machine that is away removes its part when its agent is back.

    Raises:
      HostError: if etcd is not reached.
    """
    with locked(etcd, lab) as held:
        try:
            known = etcd.decided(lab)
            if known is None and etcd.proposed(lab) is None:
                return None
            names = set(known.spec.machines) if known else set()
        except DamagedRecord:
            names = set(held.reports)
        return _remove(etcd, lab, held.lock, held.waiting, names)


def _in_force(waiting: ReportWatch, names: Collection[str], after: Spec) -> tuple[dict[str, Report], set[str]]:
    """Wait until machines have a decided lab in force, as ``ReportWatch.wait`` does."""
    try:
        return waiting.wait(names, lambda one: _says(one, after, "ready"), _MOST)
    except Unreachable as error:
        raise Undetermined(error, f"the change of lab {after.record.lab} is decided") from error


def _check_machines(known: Mapping[str, Machine], names: Collection[str], lab: str, version: str) -> None:
    """Raise HostError where a machine of a lab is away or has another version."""
    if away := set(names) - known.keys():
        raise HostError(_are_away(away, lab), f"start its agent again; or remove the lab: netlab down {lab}")
    registry.check_alike((known[name] for name in sorted(names)), version)


def _are_away(names: Collection[str], lab: str) -> str:
    one = len(names) == 1
    return f"machine{'' if one else 's'} {', '.join(sorted(names))} of lab {lab} {'is' if one else 'are'} away"


def _says(report: Report, spec: Spec, phase: str) -> bool:
    return report.change == spec.change and report.phase in (phase, "failed")


def _raise_first(found: dict[str, Report]) -> None:
    for name in sorted(found):
        found[name].raise_error()


def _go_back(
    etcd: Etcd, before: Known | None, after: Spec, lock: EtcdLock, waiting: ReportWatch, names: Collection[str]
) -> None:
    """Decide the lab of before again, and wait until the machines have it; what fails is left to the machines."""
    if before is None:
        return
    old = before.spec.changed(repair=True)
    with contextlib.suppress(NetlabError):
        etcd.store.save(after.record.lab, encoded_spec(old), lock=lock)
        waiting.wait(names, lambda one: _says(one, old, "ready"), _MOST)


def _remove(etcd: Etcd, lab: str, lock: EtcdLock, waiting: ReportWatch, names: Collection[str]) -> Removed:
    etcd.remove_both(lab, lock)
    found, missing = waiting.wait(names, lambda one: one.change == reports.REMOVAL, _MOST_OF_REMOVAL)
    # A command that has the lock since may wait for other reports.
    with contextlib.suppress(LockLost):
        gone = (reports.keys(etcd.client, lab), {"key": b64(probe_ports(etcd.client, lab))})
        delete = [{"request_delete_range": one} for one in gone]
        etcd.client.call("kv/txn", {"compare": [lock.guard()], "success": delete})
    _raise_first(found)
    return Removed(tuple(sorted(found)), tuple(sorted(missing)))
