"""A change of a lab on all its machines, with agents that are played: they report what the test says."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from machines.unit.values import ADDRESSES, spec

from netlab.errors import HostError, UsageError
from netlab.machines import reports
from netlab.machines.coordinator import change, locked, remove
from netlab.machines.etcd import Etcd
from netlab.machines.registry import Machine, Registration
from netlab.machines.report_watch import ReportWatch
from netlab.machines.reports import Report
from netlab.machines.spec import encoded_spec
from netlab.store.etcd_client import b64, below, plain

pytestmark = pytest.mark.machines
VERSION = "1.0"
# What a machine says to a change in each phase: its report, or nothing.
Answer = Callable[[str, str, str], Report | None]


def obedient(machine: str, id_: str, phase: str) -> Report | None:
    return Report(machine, id_, phase)  # type: ignore[arg-type]


def failing(at: str, machine: str = "m2", only: str = "") -> Answer:
    """Return the answer of machines, where one fails in a phase."""

    def answer(name: str, id_: str, phase: str) -> Report | None:
        if (name, phase) == (machine, at) and only in ("", id_):
            return Report(name, id_, "failed", ("it is full",), 3)
        return obedient(name, id_, phase)

    return answer


class Played:
    """The agents of machines, in a thread: they look at etcd often, and report."""

    def __init__(self, connect: Callable[[], Etcd], answer: Answer, names: tuple[str, ...] = ("m1", "m2")) -> None:
        self._etcd, self.answer, self._names = connect(), answer, names
        self._stop = threading.Event()
        self.said: list[tuple[str, str, str]] = []
        self.decided: list[str] = []
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Played:
        self._registered = [
            Registration(self._etcd.client, Machine(name, ADDRESSES[name], VERSION, name, 4789, 1500))
            for name in self._names
        ]
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        for one in self._registered:
            one.end()

    def _work(self) -> None:
        known: dict[str, str] = {}
        while not self._stop.wait(0.02):
            decided, proposed = self._etcd.decided("lab"), self._etcd.proposed("lab")
            if decided is None and proposed is None:
                if known:
                    self._say(reports.REMOVAL, "gone")
                known = {}
                continue
            if proposed is not None and known.get("prepared") != proposed.spec.change:
                known["prepared"] = proposed.spec.change
                self._say(proposed.spec.change, "prepared")
            if decided is not None and known.get("ready") != decided.spec.change:
                known["ready"] = decided.spec.change
                self.decided.append(decided.spec.change)
                self._say(decided.spec.change, "ready")

    def _say(self, id_: str, phase: str) -> None:
        for name in self._names:
            if (report := self.answer(name, id_, phase)) is not None:
                self.said.append((name, id_, report.phase))
                key = self._etcd.client.key(reports.DIRECTORY, "lab", name)
                self._etcd.client.call("kv/put", {"key": b64(key), "value": b64(report.to_json())})


def keys(etcd: Etcd) -> list[str]:
    found = etcd.client.call("kv/range", {**below(etcd.client.key("")), "keys_only": True}).get("kvs", ())
    names = (plain(kv["key"]).decode().removeprefix(etcd.client.key("")) for kv in found)
    return sorted(name for name in names if not name.startswith(("machines/", "reports/")))


@contextlib.contextmanager
def changing(etcd: Etcd) -> Iterator[Any]:
    with locked(etcd, "lab") as lock:
        yield lambda after: change(etcd, etcd.decided("lab"), after, lock, VERSION)


def test_a_change_is_prepared_everywhere_and_then_in_force_everywhere(connect, tmp_path):
    """No machine brings it in force before all have prepared, and the reports are those of all machines."""
    etcd, first = connect(), spec(tmp_path)
    with Played(connect, obedient) as played, changing(etcd) as to:
        known, found = to(first)
        _, again = to(first.changed())

    assert ["m1", "m2"] == [one.machine for one in found]
    assert first.change == known.spec.change
    assert {again[0].change} == {one.change for one in again}
    phases = [phase for _, id_, phase in played.said if id_ == first.change]
    assert ["prepared", "prepared", "ready", "ready"] == phases
    assert ["labs/lab"] == keys(etcd)


def test_what_one_machine_cannot_prepare_is_not_decided(connect, tmp_path):
    """The error has the name of the machine, and no proposal stays."""
    etcd, first = connect(), spec(tmp_path)
    with Played(connect, obedient) as played, changing(etcd) as to:
        to(first)
        played.answer = failing("prepared")
        with pytest.raises(HostError, match="machine m2: it is full"):
            to(first.changed())

        assert first.change == etcd.decided("lab").spec.change
    assert ["labs/lab"] == keys(etcd)
    assert [first.change] == played.decided


def test_a_new_lab_that_one_machine_cannot_prepare_leaves_no_key(connect, tmp_path):
    """An error of the input has the exit code of one."""
    etcd = connect()

    def answer(name: str, id_: str, phase: str) -> Report | None:
        return Report(name, id_, "failed", ("no such pod",), 2) if name == "m1" else obedient(name, id_, phase)

    refused = pytest.raises(UsageError, match="machine m1: no such")
    with Played(connect, answer) as played, changing(etcd) as to, refused:
        to(spec(tmp_path))

    assert [] == keys(etcd)
    assert [] == played.decided


def test_what_one_machine_cannot_bring_in_force_is_undone_everywhere(connect, tmp_path):
    """The lab of before is decided again, under another id and with repair, and is waited for."""
    etcd, first = connect(), spec(tmp_path)
    second = replace(first, owner="5").changed()
    with Played(connect, failing("ready", only=second.change)) as played, changing(etcd) as to:
        to(first)
        with pytest.raises(HostError, match="machine m2: it is full"):
            to(second)
        now = etcd.decided("lab").spec

    assert ("", True) == (now.owner, now.repair)
    assert [first.change, second.change, now.change] == played.decided
    assert ("m2", now.change, "ready") in played.said


def test_a_new_lab_that_one_machine_cannot_bring_in_force_is_removed(connect, tmp_path):
    """The command waits until every machine has removed its part; the report of the failure does not end that."""
    etcd = connect()
    with Played(connect, failing("ready")) as played, changing(etcd) as to:
        with pytest.raises(HostError, match="machine m2: it is full"):
            to(spec(tmp_path))

        assert {("m1", reports.REMOVAL, "gone"), ("m2", reports.REMOVAL, "gone")} <= set(played.said)
    assert [] == keys(etcd)


def test_a_change_needs_all_machines(connect, tmp_path):
    """A machine that is not registered is an error before anything is proposed."""
    etcd = connect()
    refused = pytest.raises(HostError, match="machine m2 of lab lab is away; start its agent again")
    with Played(connect, obedient, ("m1",)) as played, changing(etcd) as to, refused:
        to(spec(tmp_path))

    assert [] == played.said
    assert [] == keys(etcd)


def test_a_removal_names_the_machines_that_are_away(connect, tmp_path):
    """The others have removed their part when it returns; a lab that is not there is None."""
    etcd = connect()
    with Played(connect, obedient), changing(etcd) as to:
        to(spec(tmp_path))
    with Played(connect, obedient, ("m1",)):
        time.sleep(0.2)
        found = remove(etcd, "lab")

    assert found is not None
    assert (("m1",), ("m2",)) == (found.machines, found.away)
    assert [] == keys(etcd)
    assert remove(etcd, "lab") is None


def test_an_interrupt_before_the_decision_changes_nothing(connect, tmp_path, monkeypatch):
    """The proposal goes, and the command does not wait for machines to remove what they never had."""
    etcd = connect()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with Played(connect, obedient), changing(etcd) as to:
        monkeypatch.setattr(ReportWatch, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            to(spec(tmp_path))

    assert [] == keys(etcd)


def test_a_command_that_lost_its_lock_leaves_the_proposal_of_another_one(connect, tmp_path, monkeypatch):
    """It removes what it proposed itself, and nothing else."""
    etcd, other = connect(), spec(tmp_path).changed()

    def slept(*_: object, **__: object) -> tuple[Mapping[str, Report], set[str]]:
        # Another command has the lock and proposes a change.
        etcd.client.call("kv/deleterange", below(etcd.client.key("locks", "lab", "")))
        assert etcd.proposed("lab").spec.change != other.change, "it waits once"
        connect_other.proposals.save("lab", encoded_spec(other))
        return {}, set()

    connect_other = connect()
    with Played(connect, obedient), contextlib.suppress(HostError), changing(etcd) as to:
        monkeypatch.setattr(ReportWatch, "wait", slept)
        with pytest.raises(HostError, match="the lock of lab lab expired"):
            to(spec(tmp_path))

    assert other.change == etcd.proposed("lab").spec.change
    assert etcd.decided("lab") is None


def test_waiting_ends_for_machines_that_are_away(connect, monkeypatch):
    """Reports come by a watch; a machine without registration is not waited for."""
    etcd = connect()
    with Played(connect, obedient, ("m1",)):
        waiting = ReportWatch(etcd.client, "lab")
        threading.Timer(0.2, _put, (connect(), Report("m1", "c", "ready"))).start()
        found, away = waiting.wait(["m1", "m2"], lambda one: one.change == "c")
        nothing, late = waiting.wait(["m1"], lambda one: one.change == "d", 0.3)
        waiting.close()

    assert (["m1"], {"m2"}) == (list(found), away)
    assert ({}, {"m1"}) == (nothing, late)


def _put(etcd: Etcd, report: Report) -> None:
    key = etcd.client.key(reports.DIRECTORY, "lab", report.machine)
    etcd.client.call("kv/put", {"key": b64(key), "value": b64(report.to_json())})
