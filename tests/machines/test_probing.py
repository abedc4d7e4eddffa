"""Measuring a lab on several machines gives the verdicts and reasons of the same lab on one machine."""

from __future__ import annotations

import json
import sys
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
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
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
