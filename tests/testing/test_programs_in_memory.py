"""Programs of a lab on a kernel in memory: which run, with which files, and when they end."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import dns_objects
import pytest

from netlab.errors import KernelError
from netlab.kernel.program import Program
from netlab.lab import dns, programs
from netlab.lab.lab import Lab
from netlab.lab.programs import Wanted
from netlab.lab.record import Records
from netlab.objects.documents import parse
from netlab.objects.load import load
from netlab.objects.scenarios import LabelChange
from netlab.testing import FakeKernel

SPACE = "netlab.x.pod.a.b"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: late, namespace: shop}\nspec: {ports: [{port: 80}]}"


@pytest.fixture
def machine() -> FakeKernel:
    found = FakeKernel()
    found.store.prepare()
    found.create([SPACE, f"{SPACE}2"])
    return found


def brought(machine: FakeKernel, *wanted: Wanted) -> list[str]:
    """Bring programs, and return what runs."""
    programs.ensure(machine, "x", "web", wanted)
    return sorted(program.argv[0] for program in machine.programs.values())


def test_programs_are_brought_to_the_wanted_state(machine: FakeKernel) -> None:
    """A new program is started, a changed one is started again, and one that is not wanted is ended."""
    one, two = Program(SPACE, ("one",)), Program(f"{SPACE}2", ("two",))

    assert ["one", "two"] == brought(machine, Wanted(one), Wanted(two))
    assert ["other", "two"] == brought(machine, Wanted(Program(SPACE, ("other",))), Wanted(two))
    assert ["two"] == brought(machine, Wanted(two))
    assert [] == brought(machine)
    assert not programs.directory(machine, "x").exists()


def test_a_changed_file_sends_a_signal(machine: FakeKernel) -> None:
    """A program that has just started, or whose files are unchanged, gets no signal."""
    program = Program(SPACE, ("one",))
    for data in (b"1", b"1", b"2"):
        brought(machine, Wanted(program, {"conf": data}, signal.SIGHUP))
    folder = programs.folder(machine, "x", "web", SPACE)

    assert [(folder, signal.SIGHUP)] == machine.signals
    assert b"2" == (folder / "conf").read_bytes()
    assert "web.pod.a.b" == folder.name


def test_other_programs_start_if_one_cannot(machine: FakeKernel) -> None:
    with pytest.raises(KernelError, match="network namespace"):
        brought(machine, Wanted(Program("netlab.x.gone", ("one",))), Wanted(Program(SPACE, ("two",))))

    assert ["two"] == sorted(program.argv[0] for program in machine.programs.values())


def test_a_program_ends_with_its_namespace(machine: FakeKernel) -> None:
    brought(machine, Wanted(Program(SPACE, ("one",))))
    machine.remove([SPACE])

    assert {} == machine.programs


def test_dns_of_a_lab_follows_its_changes(tmp_path: Path) -> None:
    """It starts with the first program that asks. Each change writes a snapshot. Without DNS in the lab it ends."""
    (tmp_path / "lab.yaml").write_text(dns_objects.text())
    objects, _ = load([str(tmp_path / "lab.yaml")])
    machine = FakeKernel()
    with Lab.temporary(objects, machine=machine) as lab:
        assert {} == machine.programs
        files = dns.prepare(lab, "shop/client")
        assert files is not None
        assert "nameserver 10.96.0.10\n" in files.resolv
        assert files == dns.prepare(lab, "shop/client")
        assert None is dns.prepare(lab, "shop/none")
        (folder,) = machine.programs
        documents, _ = parse(SERVICE, "late.yaml")
        lab.apply(documents)
        assert "shop/late" in json.loads((folder / "snapshot.json").read_text())["services"]
        machine.stop(folder)
        dns.prepare(lab, "shop/client")
        assert [folder] == [*machine.programs]
    assert {} == machine.programs


def test_files_of_prepared_dns_take_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there while the servers run, and were made from the present record. The lab stays as it is."""
    (tmp_path / "lab.yaml").write_text(dns_objects.text())
    objects, _ = load([str(tmp_path / "lab.yaml")])
    machine = FakeKernel()
    with Lab.temporary(objects, machine=machine) as lab:
        assert None is dns.prepared(lab, "shop/client")
        assert {} == machine.programs
        files = dns.prepare(lab, "shop/client")
        with monkeypatch.context() as patch:
            patch.setattr(Records, "load", _not_allowed)
            patch.setattr(Records, "locked", _not_allowed)
            assert files == dns.prepared(lab, "shop/client")
            assert None is dns.prepared(lab, "shop/none")
        (folder,) = machine.programs
        machine.stop(folder)
        assert None is dns.prepared(lab, "shop/client")
        assert {} == machine.programs
        dns.prepare(lab, "shop/client")
        monkeypatch.setattr(dns, "refresh", lambda lab: None)
        lab.apply(parse(SERVICE, "late.yaml")[0])
        assert None is dns.prepared(lab, "shop/client")


def _not_allowed(*arguments: object, **more: object) -> None:
    raise AssertionError("the record is read, or the lab is locked")


LOCAL = """
apiVersion: v1
kind: Service
metadata: {name: late, namespace: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: POLICY
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""


def test_health_checks_come_and_go_with_their_services(tmp_path: Path) -> None:
    """One program for each node; it has another port only where the Service has. They start with the first program."""
    (tmp_path / "lab.yaml").write_text(f"{dns_objects.text()}---{LOCAL.replace('POLICY', 'Local')}")
    objects, _ = load([str(tmp_path / "lab.yaml")])
    machine = FakeKernel()

    def counts() -> dict[str, list[int]]:
        return {
            folder.name: [one["endpoints"]["4"] for one in json.loads((folder / "endpoints.json").read_text()).values()]
            for folder in machine.programs
            if folder.name.startswith("health.")
        }

    def apply(text: str) -> None:
        documents, _ = parse(text, "late.yaml")
        lab.apply(documents)

    with Lab.temporary(objects, machine=machine) as lab:
        before = counts()
        dns.prepare(lab, "shop/client")
        assert ({}, {"health.node.node-1": [1], "health.node.node-2": [1]}) == (before, counts())
        ports = {program.listens for folder, program in machine.programs.items() if folder.name.startswith("health.")}
        lab.label([LabelChange("pod", "shop/web-a", {"app": "other"})])
        assert {"health.node.node-1": [1], "health.node.node-2": [0]} == counts()
        assert 1 == len(ports)
        apply(LOCAL.replace("POLICY", "Cluster"))
        assert {} == counts()
        assert [] == list(programs.directory(machine, lab.name).glob("health.*"))
        apply(LOCAL.replace("POLICY", "Local"))
        assert {"health.node.node-1": [1], "health.node.node-2": [0]} == counts()
