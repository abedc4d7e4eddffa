"""What runs on a machine under the name of a lab, and is not the part of its agent's etcd: no agent removes it."""

from __future__ import annotations

import sys

import pytest
from machines.agents import Agents, until
from machines.bed import Machine
from machines.labs import documents, written

SPACES = ("node.n1", "node.n2", "pod.default.p1", "pod.default.p2", "underlay")


def alone(machine: Machine, *arguments: object) -> tuple[int, str]:
    """Run a command of netlab for the labs of the machine alone; return its exit code and error."""
    done = machine.run("env", "-u", "NETLAB_ETCD", sys.executable, "-m", "netlab", *arguments)
    return done.returncode, done.stderr


def spaces(on: Agents, lab: str) -> list[str]:
    """Return the network namespaces of a lab on m1, without the lab's name."""
    found = on.on["m1"].run("ls", "/run/netns").stdout.split()
    return sorted(one.removeprefix(f"netlab.{lab}.") for one in found if one.startswith(f"netlab.{lab}."))


def damage(on: Agents, lab: str, how: str) -> None:
    """Damage the record of a lab on m1."""
    record = f"/run/netlab/{lab}/record.json"
    commands = {
        "of another version": ("sed", "-i", 's/"version":3/"version":99/', record),
        "cut off": ("truncate", "-s", "100", record),
        "gone": ("rm", record),
    }
    assert 0 == on.on["m1"].run(*commands[how]).returncode


@pytest.mark.parametrize("how", ["of another version", "cut off", "gone"])
def test_a_lab_of_the_machine_alone_stays_if_its_record_cannot_be_read(agents, unique, tmp_path, how):
    """Neither an agent that starts nor an ``up`` of the name from elsewhere removes it, and ``down`` there does."""
    on, lab = agents("m1", "m2", start=False), unique("alone")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    assert 0 == alone(on.on["m1"], "up", "-f", file)[0]
    damage(on, lab, how)
    on.start()
    until(lambda: f"lab {lab} stays, as its record cannot be used" in on.log("m1"), on.logs)
    code, error = on.refused("m2", "up", "-f", file)

    assert (2, True) == (code, f"machine m1: lab {lab}: its record cannot be used" in error)
    assert "Traceback" not in on.log("m1")
    assert [*SPACES] == spaces(on, lab)
    assert 0 == alone(on.on["m1"], "down", lab)[0]
    on.netlab("m2", "up", "-f", file)
    on.netlab("m2", "down", lab)
    on.nothing_left()


def test_a_lab_of_another_etcd_stays(agents, unique, tmp_path):
    """An agent with another prefix leaves it, refuses one of its name, and the next one has it again."""
    on, lab = agents("m1"), unique("other")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    on.netlab("m1", "up", "-f", file)
    before = on.inodes(lab)
    on.stop("m1")
    on.on["m1"].environment["NETLAB_ETCD_PREFIX"] = "/other/"
    on.start("m1", wait=False)
    until(
        lambda: f"lab {lab} stays, as it is of another etcd; to remove it: netlab down {lab}" in on.log("m1"), on.logs
    )
    until(lambda: "is registered with" in on.log("m1"), on.logs)
    code, error = on.refused("m1", "up", "-f", file)

    assert (2, True) == (code, f"a lab {lab} of another etcd runs there; remove it: netlab down {lab}" in error)
    assert before == on.inodes(lab)
    on.stop("m1")
    del on.on["m1"].environment["NETLAB_ETCD_PREFIX"]
    on.start("m1")
    until(lambda: on.says(lab, "m1", "ready"), on.logs)
    assert before == on.inodes(lab)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_a_part_with_an_address_of_another_machine_is_not_made(agents, unique, tmp_path):
    """After an agent got another address, its machine says so, and the next ``up`` gives all tunnels the new one."""
    on, lab = agents("m1", "m2"), unique("moved")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    on.netlab("m1", "up", "-f", file)
    on.stop("m2")
    on.on["m2"].run("ip", "address", "add", "192.0.2.77/24", "dev", "eth0")
    on.on["m1"].run("ip", "neighbour", "add", "192.0.2.77", "lladdr", "02:00:00:00:00:02", "dev", "eth0")
    on.start("m2", options=("--address", "192.0.2.77"))
    until(lambda: on.says(lab, "m2", "failed"), on.logs)
    why = "the lab has 192.0.2.2 port 4789 for this machine, which is now 192.0.2.77 port 4789; bring the lab up again"

    assert f"Warning: lab {lab}: machine m2: {why}" in on.on["m1"].netlab("get", "labs").stderr
    assert "0 inconclusive" not in on.on["m1"].netlab("verify").stdout
    on.netlab("m1", "up", "-f", file)
    assert "2 agree, 0 differ, 0 inconclusive" in on.netlab("m1", "verify")
    assert [] == on.drift(lab)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_a_part_is_not_measured_as_a_lab(agents, unique, tmp_path):
    """Commands without the etcd say that the lab is on several machines, and what removes the part is made anew."""
    on, lab = agents("m1", "m2"), unique("part")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    said = f"Error: lab {lab} is on several machines; measure it with --etcd\n"

    assert (2, said) == alone(on.on["m1"], "verify")
    assert (2, said) == alone(on.on["m1"], "probe", "p1", "p2:80")
    assert (2, said) == alone(on.on["m1"], "trace", "p1", "p2:80")
    assert 0 == alone(on.on["m1"], "down", lab)[0]
    until(lambda: len(spaces(on, lab)) == 3, on.logs)
    assert "2 agree" in on.netlab("m2", "verify")
    on.netlab("m2", "down", lab)
    on.nothing_left()


@pytest.mark.parametrize("kind", ["link", "open to others"])
def test_an_identity_that_others_could_have_written_is_refused(agents, kind):
    """The agent says in a line what is wrong, and the file that a link names stays as it is."""
    on = agents("m1", start=False)
    directory, file = "/run/netlab-agent", "/run/netlab-agent/identity"
    make = f"ln -s /run/other {file}" if kind == "link" else f"touch {file} && chmod 666 {file}"
    on.on["m1"].run("sh", "-c", f"mkdir -m 700 {directory} && echo other > /run/other && {make}")
    done = on.on["m1"].netlab("agent", "--machine", "m1")

    assert 3 == done.returncode
    assert f"remove it: sudo rm -r {directory}\n" == done.stderr[-len(directory) - 23 :]
    assert "Traceback" not in done.stderr
    assert "other\n" == on.on["m1"].run("cat", "/run/other").stdout
    assert [] == on.etcd_keys()
