"""What ``netlab get`` and completion say about machines and labs on them: etcd knows it, also if no agent answers."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from machines.agents import LEASE, Agents, until
from machines.labs import documents

_KEEPS = ("m1", "m2", "m3")


def _up(on: Agents, lab: str, tmp_path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(documents(lab, "routed", 3, families=(4,)))
    on.netlab("m2", "up", "-f", file)


def _rows(on: Agents, *arguments: object, machine: str = "m1") -> list[list[str]]:
    """Return the cells of a table without its header."""
    return [line.split() for line in on.netlab(machine, "get", *arguments).splitlines()[1:]]


def _items(on: Agents, kind: str) -> list[dict[str, Any]]:
    return list(json.loads(on.netlab("m1", "get", kind, "-o", "json"))["items"])


def _completed(on: Agents, words: str) -> list[str]:
    """Return what bash is offered after some words."""
    typed = words.split(" ")
    variables = ["_NETLAB_COMPLETE=bash_complete", "COMP_WORDS=" + "\n".join(typed), f"COMP_CWORD={len(typed) - 1}"]
    done = on.on["m1"].run("env", *variables, sys.executable, "-m", "netlab")
    assert "" == done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_machines_and_what_is_on_them_are_listed(agents, unique, tmp_path):
    """Machines have status, address and labs; nodes have their machine; a lab has the drift of all machines."""
    lab = unique("listed")
    on = agents(*_KEEPS)
    _up(on, lab, tmp_path)

    machines = [[row[0], row[1], row[2], *row[4:]] for row in _rows(on, "machines")]
    assert [[f"m{n}", "Ready", f"192.0.2.{n}", "1", "1"] for n in (1, 2, 3)] == machines
    assert [[f"n{n}", "Ready", f"m{n}"] for n in (1, 2, 3)] == [
        [row[0], row[1], row[-1]] for row in _rows(on, "nodes", "-o", "wide")
    ]
    assert ["m1", "m2", "m3"] == [row[-1] for row in _rows(on, "pods", "-o", "wide")]
    assert [[lab, "Ready", "3", "3", "0", "m1,m2,m3"]] == [
        [*row[:5], row[-1]] for row in _rows(on, "labs", "-o", "wide")
    ]

    # A link that something else deletes is drift of its machine.
    on.on["m2"].run("ip", "-n", f"netlab.{lab}.pod.default.p2", "link", "delete", "eth0")
    (row,) = _rows(on, "labs", "-o", "wide", machine="m3")
    assert 0 < int(row[4])
    assert [lab] == _completed(on, "netlab get pods --lab ")
    assert ["default/p1", "default/p2", "default/p3"] == _completed(on, "netlab exec default/")
    assert ["n1", "n2", "n3"] == _completed(on, "netlab exec node:")


def test_what_is_on_a_machine_that_is_away_is_not_ready(agents, unique, tmp_path):
    """A lab with a lost machine is Degraded, its nodes are NotReady and its pods Unknown, until the agent is back."""
    lab = unique("away")
    on = agents(*_KEEPS)
    _up(on, lab, tmp_path)
    on.kill("m3")
    until(lambda: "machines/m3" not in on.etcd_keys(), on.etcd_keys, 4 * LEASE)

    assert ["Ready", "Ready", "NotReady"] == [row[1] for row in _rows(on, "machines")]
    assert ["Ready", "Ready", "NotReady"] == [row[1] for row in _rows(on, "nodes")]
    assert ["Running", "Running", "Unknown"] == [row[2] for row in _rows(on, "pods")]
    assert "Unknown" == _items(on, "nodes")[2]["status"]["conditions"][0]["status"]
    done = on.on["m1"].netlab("get", "labs", "-o", "wide")
    assert f"Warning: lab {lab}: machine m3 is away\n" == done.stderr
    assert [[lab, "Degraded", "3", "3", "unknown"]] == [line.split()[:5] for line in done.stdout.splitlines()[1:]]
    assert {"phase": "Degraded", "nodes": 3, "pods": 3, "machines": [*_KEEPS], "away": ["m3"], "encrypted": False} == (
        _items(on, "labs")[0]["status"]
    )

    on.start("m3")
    until(lambda: [[lab, "Ready", "3", "3"]] == _rows(on, "labs"), lambda: str(_rows(on, "labs")))
    assert ["Ready"] * 3 == [row[1] for row in _rows(on, "nodes")]


def test_everything_is_listed_when_no_agent_answers(agents, unique, tmp_path):
    """Without any agent, get says what etcd keeps; without etcd it exits with 3, and completion offers nothing."""
    lab = unique("silent")
    on = agents(*_KEEPS)
    _up(on, lab, tmp_path)
    for name in _KEEPS:
        on.stop(name)
    until(lambda: not any(key.startswith("machines/") for key in on.etcd_keys()), on.etcd_keys, 4 * LEASE)

    assert [[name, "NotReady"] for name in _KEEPS] == [row[:2] for row in _rows(on, "machines")]
    assert ["NotReady"] * 3 == [row[1] for row in _rows(on, "nodes")]
    assert ["Unknown"] * 3 == [row[2] for row in _rows(on, "pods")]
    assert [[lab, "Degraded", "3", "3"]] == _rows(on, "labs")
    assert [lab] == _completed(on, "netlab get pods --lab ")

    on.members[0].kill()
    code, err = on.refused("m1", "get", "machines")
    waits, error = err.splitlines()
    assert (3, "waiting for etcd") == (code, waits[:16])
    assert error.startswith("Error: etcd is not reached")
    assert [] == _completed(on, "netlab get pods --lab ")


def test_machines_need_an_etcd(machines):
    """Without etcd, `get machines` says which option is missing."""
    done = machines("m1")["m1"].netlab("get", "machines")

    assert (2, "Error: machines are those of an etcd: say --etcd URL\n") == (done.returncode, done.stderr)
    assert "NETLAB_ETCD" not in os.environ
