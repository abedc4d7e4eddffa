"""A machine that has not the lab's last change in force: no verdict of its packets counts."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from machines.agents import Agents, until
from machines.labs import allowing, documents, written
from sizes import HANGS

from netlab.store import etcd_values


def decide(on: Agents, lab: str, value: bytes, place: str = "", **head: Any) -> None:
    """Put a value of before as the decided lab once more, or as the proposal, with other values in its first line."""
    of = etcd_values.head(value)
    line, _, text = etcd_values.unpacked(of, of.inline).partition(b"\n")
    on.put(place or f"labs/{lab}", etcd_values.packed(json.dumps(json.loads(line) | head).encode() + b"\n" + text).head)


def verdicts(on: Agents) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the verdict and the reason of each pair, as ``verify`` on m1 prints them."""
    rows = json.loads(on.on["m1"].netlab("verify", "-o", "json").stdout)["rows"]
    return {(row["source"], row["destination"]): (row["measured"], row["reason"]) for row in rows}


def test_a_machine_that_is_behind_proves_nothing(agents, unique, tmp_path):
    """Its pairs are inconclusive until it has the change in force; the pairs of other machines are measured."""
    on, lab = agents("m1", "m2", "m3"), unique("behind")
    text = documents(lab, "routed", 3, families=(4,))
    on.netlab("m1", "up", "-f", written(tmp_path, text + allowing("p3", "p2")))
    denying = on.value(f"labs/{lab}")
    on.netlab("m1", "up", "-f", written(tmp_path, text))
    on.signal("m3", signal.SIGSTOP, "lab")
    decide(on, lab, denying, change="later")
    until(lambda: on.reported(lab, "m1") == on.reported(lab, "m2") == ("later", "ready"), on.logs)
    behind = verdicts(on)
    on.signal("m3", signal.SIGCONT, "lab")
    until(lambda: on.reported(lab, "m3") == ("later", "ready"), on.logs)
    now = verdicts(on)

    why = "machine m3 has not the lab's last change in force"
    assert {pair: ("inconclusive", why) for pair in behind if "default/p3" in pair} == {
        pair: found for pair, found in behind.items() if "default/p3" in pair
    }
    assert {"allow"} == {found[0] for pair, found in behind.items() if "default/p3" not in pair}
    assert [("default/p1", "default/p3")] == [pair for pair, found in now.items() if found[0] == "deny"]
    assert "inconclusive" not in {found[0] for found in now.values()}
    on.netlab("m1", "down", lab)


def test_a_change_that_was_refused_leaves_no_doubt(agents, unique, tmp_path):
    """Machines that could not prepare it have the lab of before in force, and say so again when it is dropped."""
    on, lab = agents("m1", "m2"), unique("refused")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    before = on.reported(lab, "m1")
    decide(on, lab, on.value(f"labs/{lab}"), place=f"next/labs/{lab}", change="refused", number=0)
    until(lambda: on.reported(lab, "m1") == on.reported(lab, "m2") == ("refused", "failed"), on.logs)
    # No command runs that proposed it, so the agents drop it.
    until(lambda: f"next/labs/{lab}" not in on.etcd_keys(), on.etcd_keys)
    until(lambda: on.reported(lab, "m1") == on.reported(lab, "m2") == before, on.logs)

    assert "Ready" in on.netlab("m1", "get", "labs")
    assert {"allow"} == {found[0] for found in verdicts(on).values()}
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_a_command_says_for_which_machines_it_waits(agents, unique, tmp_path):
    """A machine whose agent runs, and that says nothing about a change, is named; the change goes on when it does."""
    on, lab = agents("m1", "m2"), unique("waits")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    on.signal("m2", signal.SIGSTOP, "lab")
    process = on.on["m1"].start(sys.executable, "-m", "netlab", "label", "--lab", lab, "pod", "p1", "a=b")
    assert process.stderr is not None
    line = process.stderr.readline()
    on.signal("m2", signal.SIGCONT, "lab")
    process.communicate(timeout=HANGS)

    assert ("waiting for m2\n", 0) == (line, process.returncode)
    on.netlab("m1", "down", lab)


def test_a_machine_that_cannot_have_its_part_proves_nothing(agents, unique, tmp_path):
    """It keeps the state of before, and the reason is what it reports."""
    on, lab = agents("m1", "m2"), unique("failed")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    value = on.value(f"labs/{lab}")
    of = etcd_values.head(value)
    head = json.loads(etcd_values.unpacked(of, of.inline).partition(b"\n")[0])
    decide(on, lab, value, change="later", placed={**head["placed"], "node:n9": "m2"}, number=0)
    until(lambda: on.reported(lab, "m1") == on.reported(lab, "m2") == ("later", "failed"), on.logs)
    code, error = on.refused("m1", "verify")

    assert (2, True) == (code, "have a machine, or others have: node:n9" in error)
    decide(on, lab, value, change="last", number=0)
    until(lambda: on.reported(lab, "m1") == on.reported(lab, "m2") == ("last", "failed"), on.logs)
    found = verdicts(on)
    why = f"cannot have its part of the lab: the number of lab {lab} is 0; it must be from 1 to 16777215"
    assert {("inconclusive", f"machine {name} {why}") for name in ("m1", "m2")} >= set(found.values())
    on.netlab("m1", "down", lab)
    on.nothing_left()
