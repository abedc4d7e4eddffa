"""Measuring a lab on several machines gives the verdicts and reasons of the same lab on one machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from machines.bed import DRIVER, Machines
from machines.labs import allowing, documents
from sizes import HANGS

PLACED = {"node:n1": "one", "node:n2": "two", "node:n3": "three"}
Rows = list[list[Any]]


@contextmanager
def participants(on: Machines, lab: str, url: str, runs: int = 1) -> Iterator[dict[str, Any]]:
    """Have each machine that has a part of the lab take part in runs."""
    started = {}
    for machine in on:
        if machine.name in PLACED.values():
            process = machine.start(sys.executable, DRIVER, "participate")
            assert process.stdin is not None
            process.stdin.write(json.dumps({"lab": lab, "url": url, "machine": machine.name, "runs": runs}))
            process.stdin.close()
            started[machine.name] = process
    try:
        yield started
        for name, process in started.items():
            assert 0 == process.wait(HANGS), f"{name}: {process.stderr.read() if process.stderr else ''}"
    finally:
        for process in started.values():
            process.kill()
            process.wait(HANGS)
            _closed(process)


def _kill(process: Any) -> None:
    """Kill a program in a machine; nsenter waits for it, as it is in another pid namespace."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + HANGS
    while not (found := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    for child in found:
        os.kill(int(child), signal.SIGKILL)
    process.wait(HANGS)
    _closed(process)


def _begun(on: Machines, what: str, lab: str, file: Path, url: str) -> Any:
    """Start a function of the driver that measures for long, and wait for its first word."""
    process = on["four"].start(sys.executable, DRIVER, what)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"lab": lab, "files": [str(file)], "url": url, "placed": PLACED}))
    process.stdin.close()
    assert "measured\n" == process.stdout.readline()
    return process


def _closed(process: Any) -> None:
    for pipe in (process.stdout, process.stderr):
        pipe.close()


def alone(rows: Rows, file: Path, lab: str, on: Machines, **more: Any) -> None:
    """Assert that rows are those of the same lab on one machine."""
    one = on["four"].drive("alone", lab=lab, files=[str(file)], **more)

    assert one == rows


@pytest.mark.parametrize("mode", ["overlay", "routed", "bridge"])
def test_verdicts_are_those_of_one_machine(machines, spread, unique, tmp_path, mode):
    """All pairs over both families, with a policy: the coordinator is a machine without a part of the lab."""
    on, lab = machines("one", "two", "three", "four"), unique("probe")
    (etcd,) = on.etcd(tmp_path)
    text = documents(lab, mode, 3, hosts=mode != "bridge") + allowing("p2", "p1")
    placed = {**PLACED, **({"host:internet": "two"} if mode != "bridge" else {})}
    spread(on, text, placed)
    ports = [("TCP", 80), ("UDP", 53), ("ICMP", None), ("TCP", 81)]
    with participants(on, lab, etcd.url):
        found = on["four"].drive(
            "measured",
            lab=lab,
            files=[str(tmp_path / "lab.yaml")],
            url=etcd.url,
            placed=placed,
            ports=ports,
            nodes=True,
        )
    rows = found["rows"]

    assert {"allow", "deny"} == {row[5] for row in rows}
    alone(rows, tmp_path / "lab.yaml", lab, on, ports=ports, nodes=True)


SERVICES = """---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {tier: web}
  ports: [{name: t, port: 80, nodePort: 30080}, {name: u, port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: w1, labels: {tier: web, app: w1}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80, hostPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: w2, labels: {tier: web, app: w2}}
spec: {nodeName: n2, containers: [{name: c, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: onhost, labels: {app: onhost}}
spec: {nodeName: n3, hostNetwork: true, containers: [{name: c}]}
"""
NODE_PORTS = [("TCP", 30080), ("TCP", 8080), ("TCP", 80)]


def _measured(on: Machines, lab: str, url: str, file: Path, placed: dict[str, str], **more: Any) -> Rows:
    found = on["four"].drive("measured", lab=lab, files=[str(file)], url=url, placed=placed, **more)
    return list(found["rows"])


@pytest.mark.parametrize("mode", ["overlay", "routed", "bridge"])
def test_translated_destinations_are_measured_by_all_machines(machines, spread, unique, tmp_path, mode):
    """Services, node ports through the node of a third machine, host ports, host-network pods, and an outside host."""
    on, lab, file = machines("one", "two", "three", "four"), unique("services"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    text = documents(lab, mode, 3, families=(4,), hosts=True) + SERVICES + allowing("w2", "p1", "p3")
    placed = {**PLACED, "host:internet": "three"}
    spread(on, text, placed)
    with participants(on, lab, etcd.url, runs=2):
        ported = _measured(on, lab, etcd.url, file, placed, ports=NODE_PORTS, nodes=True)
        named = _measured(on, lab, etcd.url, file, placed, services=True, system=True)

    # Bridge networks of two nodes are not joined.
    third = {row[5] for row in ported if row[0] == "host:internet" and row[1] == "node:n3" and row[4] == 30080}
    assert ({"deny"} if mode == "bridge" else {"some"}) == third
    assert {"service:default/web"} <= {row[1] for row in named}
    alone(ported, file, lab, on, ports=NODE_PORTS, nodes=True)
    alone(named, file, lab, on, services=True, system=True)


def _quiet(on: Machines, lab: str, url: str, before: dict[str, str]) -> None:
    """Assert that a run has left no key in etcd, and no neighbour entry on a machine."""
    assert [] == on["four"].drive("keys", url=url, prefix=f"/netlab/probes/{lab}/")
    assert before == _neighbours(on, lab)


def _neighbours(on: Machines, lab: str) -> dict[str, str]:
    """Return the IPv6 neighbours of pods and nodes: those of a run are not of first addresses, and so are deleted."""
    found = {}
    for machine in on:
        for space in machine.run("ls", "/run/netns").stdout.split():
            if f".{lab}." in space:
                done = machine.run(
                    "nsenter", f"--net=/run/netns/{space}", "ip", "-6", "neighbour", "show", "nud", "permanent"
                )
                found[f"{machine.name} {space}"] = "\n".join(sorted(done.stdout.splitlines()))
    return found


def test_a_run_leaves_nothing(machines, spread, unique, tmp_path):
    """Etcd has no key of it, and namespaces have the neighbours of before."""
    on, lab, file = machines("one", "two", "three", "four"), unique("leaves"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "overlay", 3), PLACED)
    before = _neighbours(on, lab)
    with participants(on, lab, etcd.url):
        rows = _measured(on, lab, etcd.url, file, PLACED, nodes=True)

    assert {"allow"} == {row[5] for row in rows}
    _quiet(on, lab, etcd.url, before)


def test_a_machine_that_is_cut_off_is_inconclusive(machines, spread, unique, tmp_path):
    """It takes no part, and so no packet of it proves anything; pairs of the other machines are measured."""
    on, lab, file = machines("one", "two", "three", "four"), unique("cut"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "routed", 3, families=(4,)) + allowing("p1", "p2"), PLACED)
    with participants(on, lab, etcd.url) as started:
        on.cut("two")
        ended = started.pop("two")
        rows = _measured(on, lab, etcd.url, file, PLACED, away=["two"])
        _kill(ended)
    lost = [row for row in rows if "default/p2" in row[:2]]
    denied = [row for row in rows if row[5] == "deny"]

    assert {("inconclusive", "machine two is away")} == {(row[5], row[6]) for row in lost}
    assert [["default/p3", "default/p1"]] == [row[:2] for row in denied]


def test_frames_that_are_lost_between_machines_deny_nothing(machines, spread, unique, tmp_path):
    """The machines answer, but their tunnel is down: probes and controls are lost alike."""
    on, lab, file = machines("one", "two", "three", "four"), unique("lost"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "routed", 3, families=(4,)) + allowing("p1", "p3"), PLACED)
    on["two"].run("nsenter", f"--net=/run/netns/netlab.{lab}.underlay", "ip", "link", "set", "machines", "down")
    with participants(on, lab, etcd.url):
        rows = _measured(on, lab, etcd.url, file, PLACED)
    verdicts = {(row[0], row[1]): row[5] for row in rows}

    away = {pair: verdict for pair, verdict in verdicts.items() if "default/p2" in pair}
    assert {"inconclusive"} == set(away.values())
    assert "allow" == verdicts["default/p3", "default/p1"] == verdicts["default/p1", "default/p3"]


def test_a_participant_that_is_killed_denies_nothing(machines, spread, unique, tmp_path):
    """The others go on; what the killed one did not report is inconclusive, and the next run is whole."""
    on, lab, file = machines("one", "two", "three", "four"), unique("killed"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "routed", 3, families=(4,)), PLACED)
    with participants(on, lab, etcd.url) as started:
        _kill(started.pop("two"))
        rows = _measured(on, lab, etcd.url, file, PLACED, away=["two"])
    with participants(on, lab, etcd.url):
        again = _measured(on, lab, etcd.url, file, PLACED)

    assert {"allow", "inconclusive"} == {row[5] for row in rows}
    assert {"machine two is away"} == {row[6] for row in rows if row[5] == "inconclusive"}
    assert all("default/p2" in row[:2] for row in rows if row[5] == "inconclusive")
    assert {"allow"} == {row[5] for row in again}


def test_participants_end_when_their_coordinator_is_killed(machines, spread, unique, tmp_path):
    """Etcd ends its lease; they see it, remove what they added, and end."""
    on, lab, file = machines("one", "two", "three", "four"), unique("orphans"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "overlay", 3), PLACED)
    before = _neighbours(on, lab)
    with participants(on, lab, etcd.url):
        _kill(_begun(on, "endless", lab, file, etcd.url))

    _quiet(on, lab, etcd.url, before)


def test_a_run_goes_on_when_etcd_is_restarted(machines, spread, unique, tmp_path):
    """Its keys are there again, and watches begin anew."""
    on, lab, file = machines("one", "two", "three", "four"), unique("restart"), tmp_path / "lab.yaml"
    (etcd,) = on.etcd(tmp_path)
    spread(on, documents(lab, "routed", 3, families=(4,)), PLACED)
    with participants(on, lab, etcd.url):
        process = _begun(on, "slowly", lab, file, etcd.url)
        etcd.restart()
        assert '{"allow": 6000}\n' == process.stdout.readline()
        assert 0 == process.wait(HANGS)
        _closed(process)
