"""Packets of pods on other machines, and what happens to calls when something fails."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from subprocess import DEVNULL
from typing import Any

import pytest
from machines.agents import LEASE, Agents, until
from machines.bed import REPOSITORY, programs_of
from machines.calling import drive, execute, numbers, only_the_lab, runs, up
from machines.labs import allowing, documents
from sizes import HANGS


def test_packets_are_sent_and_seen_on_their_machines(on):
    """A program on a third machine sends from one pod and sees the packets leave and arrive."""
    address = {one: on.netlab("m1", "get", "pods", one, "-o", "json") for one in ("p1", "p2")}
    ip = {one: json.loads(text)["items"][0]["status"]["podIP"] for one, text in address.items()}
    found = drive(on, "m3", "sniff", source="default/p1", to="default/p2", count=5)

    way = [ip["p1"], ip["p2"]]
    seen = [["default/p1:eth0", 2, *way]] * 5 + [["default/p2:eth0", 1, *way]] * 5
    assert {"sent": 5, "seen": seen, "drops": 0} == found
    arp = drive(on, "m3", "frame", source="default/p1", to="default/p2")
    assert (ip["p1"], ip["p2"], arp["mac"]) == (arp["from"], arp["to"], arp["own"])


def test_a_capture_of_two_machines_is_one_file(on, tmp_path):
    """``netlab capture`` prints the packets of pods on different machines, until Ctrl-C, and says how many came."""
    argv = ("capture", "p1", "p2", "--filter", "udp dst port 4712")
    with on.on["m3"].start(sys.executable, "-m", "netlab", *argv) as process:
        assert "capturing default/p1, default/p2; end with Ctrl-C\n" == process.stderr.readline()
        drive(on, "m3", "send", source="default/p1", to="default/p2", count=3)
        lines = [process.stdout.readline().split()[1:4] for _ in range(6)]
        for pid in programs_of(process):
            os.kill(pid, signal.SIGINT)
        _, err = process.communicate(timeout=HANGS)

    assert [["default/p1", "eth0", "out"]] * 3 + [["default/p2", "eth0", "in"]] * 3 == sorted(lines)
    assert err.startswith("captured 6 packets of ")
    assert 0 == process.returncode
    until(lambda: only_the_lab(on), on.etcd_keys)


@pytest.mark.parametrize(("source", "verdict"), [("p2", "allow"), ("p1", "deny")])
def test_a_trace_shows_the_rules_of_the_nodes_of_both_machines(on, machines, tmp_path, source, verdict):
    """The rules that decided are those of the same lab on one machine, in the same order."""
    alone = machines("alone")["alone"]
    file = tmp_path / "lab.yaml"
    file.write_text(documents(f"alone-{os.getpid():x}", "overlay", 3, families=(4,)) + allowing("p3", "p2"))
    assert 0 == alone.netlab("up", "-f", file).returncode
    # The first program of a lab gives it Services, and so more rules.
    both = (on.on["m1"], alone)
    assert [0, 0] == [one.netlab("exec", "p1", "--", "true").returncode for one in both]
    found = [one.netlab("trace", source, "p3:80", "-o", "json") for one in both]
    (shared, own) = [[*_steps(json.loads(one.stdout))] for one in found]

    assert [0, 0] == [one.returncode for one in found], found
    assert verdict in found[0].stdout
    assert {"n3", f"n{source[1]}"} == {node for node, *_ in shared}
    assert own == shared
    assert [] == on.drift(_lab(on))
    until(lambda: only_the_lab(on), on.etcd_keys)


def _lab(on: Agents) -> str:
    (lab,) = json.loads(on.netlab("m1", "get", "labs", "-o", "json"))["items"]
    return str(lab["metadata"]["name"])


def _steps(value: Any) -> Iterator[tuple[str, str, str]]:
    """Yield node, chain and rule of each step of a trace, wherever it is in the document."""
    if isinstance(value, dict):
        if {"node", "chain", "rule"} <= value.keys():
            # The handles of links differ.
            yield value["node"], value["chain"], re.sub(r"veth\w+|\b0x[0-9a-f]+\b", "", value["rule"])
        for one in value.values():
            yield from _steps(one)
    elif isinstance(value, list):
        for one in value:
            yield from _steps(one)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_etcd_may_restart_during_a_call(on):
    """A program goes on while etcd starts again, and its input and output travel afterwards."""
    argv = (sys.executable, "-m", "netlab", "exec", "p2", "--", "sh", "-c", "echo first; read line; echo $line")
    with on.on["m1"].start(*argv) as process:
        assert "first\n" == process.stdout.readline()
        on.members[0].restart()
        assert "second\n" == process.communicate("second\n", timeout=HANGS)[0]
        assert 0 == process.returncode


def test_a_machine_that_is_away_is_named(agents, tmp_path):
    """If an agent is killed, its programs end, and the command says so; so does the next one."""
    on = agents("m1", "m2")
    up(on, tmp_path)
    words = f"sleep {next(numbers)}"
    assert 0 == execute(on, "m1", "p2", "true")[0]
    with on.on["m1"].start(
        sys.executable, "-m", "netlab", "exec", "p2", "--", "sh", "-c", f"echo up; {words}", stdin=DEVNULL
    ) as process:
        assert "up\n" == process.stdout.readline()
        on.kill("m2")
        _, err = process.communicate(timeout=HANGS)

    assert (3, True) == (process.returncode, err.startswith("Error: machine m2"))
    until(lambda: not runs(on, "m2", words), seconds=4 * LEASE)
    until(lambda: "machines/m2" not in on.etcd_keys(), on.etcd_keys, 4 * LEASE)
    assert (3, "", "Error: machine m2 is away\n") == execute(on, "m1", "p2", "true")
    until(lambda: only_the_lab(on), on.etcd_keys, 4 * LEASE)


def test_an_agent_says_which_programs_it_runs(agents, tmp_path):
    """With ``--exec any`` a program is the user of ``--user``, with ``--exec none`` none runs."""
    on = agents("m1", "m2", "m3", start=False)
    on.start("m1")
    on.start("m2", options=("--exec", "any"))
    on.start("m3", options=("--exec", "none"))
    up(on, tmp_path)

    assert (0, "0\n", "") == execute(on, "m1", "p2", "id", "-u", options=("--user", "root"))
    assert (0, "65534\n", "") == execute(on, "m1", "p2", "id", "-u")
    code, out, err = execute(on, "m1", "p3", "id", "-u")
    line = "Error: machine m3: programs of other machines do not run there;"
    assert (3, "", line) == (code, out, err[: len(line)])
    started = time.monotonic()
    assert [0, "0\n"] == [*execute(on, "m3", "p3", "id", "-u")][:2], time.monotonic() - started


def test_a_scenario_asks_pods_on_every_machine(on):
    """Names, URLs and packets of a scenario have the same answers; its lab is removed from all machines afterwards."""
    labs = on.netlab("m1", "get", "labs", "-o", "name")
    found = on.netlab("m3", "test", REPOSITORY / "scenarios" / "14-names-under-default-deny.yaml")

    assert "1 passed" in found
    assert labs == on.netlab("m1", "get", "labs", "-o", "name")
    until(lambda: only_the_lab(on), on.etcd_keys, 4 * LEASE)
