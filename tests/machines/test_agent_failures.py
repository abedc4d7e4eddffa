"""Agents that are killed, stopped, away or on a machine that boots: the lab stays, and comes to what was decided."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from machines.agents import Agents, until
from machines.labs import allowing, documents, written

# Leases have to end, and commands are patient.
pytestmark = pytest.mark.timeout(400)
THREE = ("m1", "m2", "m3")


@pytest.fixture
def lab(agents, unique, tmp_path):
    """A lab on three machines with a pod on each; pod p2 is on m2."""
    on, name = agents(*THREE), unique("fail")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(name, "routed", 3, families=(4,))))
    return on, name


def reaches(on: Agents, lab: str, source: int, target: int) -> bool:
    """Return whether a pod reaches port 80 of another one, each on the machine of its number."""
    asked = [(f"default/p{source}", f"10.244.{target - 1}.2", 80)]
    return bool(on.on[f"m{source}"].drive("ask", lab=lab, questions=asked)[0])


@pytest.mark.parametrize("which", ["", "agent", "spawner", "lab"])
def test_a_killed_agent_takes_its_lab_over_when_it_starts_again(lab, tmp_path, which):
    """Whichever of its processes is killed, no namespace is made anew, and the next change is in force everywhere."""
    on, name = lab
    before = on.inodes(name)
    on.kill("m2", which)
    if which == "spawner":
        assert 3 == on.ended("m2")
        assert "the process that starts others was killed" in on.log("m2")
    assert reaches(on, name, 1, 2)
    if which != "lab":
        on.start("m2")
    on.netlab("m3", "apply", "--lab", name, "-f", written(tmp_path, allowing("p2", "p1")))

    assert (True, False) == (reaches(on, name, 1, 2), reaches(on, name, 3, 2))
    assert before == on.inodes(name)
    assert [] == on.drift(name)
    on.netlab("m1", "down", name)
    on.nothing_left()


def test_a_change_that_needs_a_dead_machine_changes_nothing(lab, tmp_path):
    """The command says which machine is away, within its lease, and exits with 3; no machine has the change."""
    on, name = lab
    on.kill("m2")
    code, error = on.refused("m1", "apply", "--lab", name, "-f", written(tmp_path, allowing("p3", "p1")))

    assert 3 == code
    assert f"machine m2 of lab {name} is away" in error
    assert reaches(on, name, 2, 3)
    assert [f"labs/{name}", "machines/m1", "machines/m3", f"reports/{name}/m1", f"reports/{name}/m3"] == [
        key for key in on.etcd_keys() if not key.endswith("/m2")
    ]
    on.start("m2")
    on.netlab("m1", "apply", "--lab", name, "-f", written(tmp_path, allowing("p3", "p1")))
    assert (True, False) == (reaches(on, name, 1, 3), reaches(on, name, 2, 3))


def test_a_machine_that_dies_after_the_decision_comes_to_what_was_decided(lab, tmp_path):
    """The command fails once the machine's lease ends; the others have the change, and the machine when it is back."""
    on, name = lab
    last, _ = on.reported(name, "m3")
    # A process that prepared the change and is stopped does not bring it in force; m3 lets the decision wait.
    on.signal("m3", signal.SIGSTOP, "lab")
    change = written(tmp_path, allowing("p2", "p1"))
    command = on.on["m1"].start(sys.executable, "-m", "netlab", "apply", "--lab", name, "-f", change)
    until(lambda: on.says(name, "m2", "prepared"), on.logs)
    on.signal("m2", signal.SIGSTOP, "lab")
    on.signal("m3", signal.SIGCONT, "lab")
    until(lambda: on.says(name, "m3", "ready", last), on.logs)
    on.kill("m2")
    _, error = command.communicate(timeout=100)

    assert 3 == command.returncode
    assert f"machine m2 of lab {name} is away" in error
    assert reaches(on, name, 3, 2)
    on.start("m2")
    until(lambda: not reaches(on, name, 3, 2), on.logs)
    assert [] == on.drift(name)


def test_a_change_that_one_kernel_refuses_is_undone_everywhere(lab, tmp_path):
    """A namespace of another program, made after the machine had prepared, stops the change on all machines."""
    on, name = lab
    file = written(tmp_path, documents(name, "routed", 6, families=(4,)))
    before = on.inodes(name)
    foreign = f"/run/netns/netlab.{name}.pod.default.p4"
    on.signal("m3", signal.SIGSTOP, "lab")
    command = on.on["m1"].start(sys.executable, "-m", "netlab", "up", "-f", file)
    until(lambda: on.says(name, "m1", "prepared") and on.says(name, "m2", "prepared"), on.logs)
    # The pods p1 and p4 are on m1.
    on.on["m1"].run("touch", foreign)
    on.signal("m3", signal.SIGCONT, "lab")
    out, error = command.communicate(timeout=100)

    assert 3 == command.returncode, out
    assert "machine m1: " in error
    assert "p4" in error
    on.on["m1"].run("rm", foreign)
    assert before == on.inodes(name)
    assert [] == on.drift(name)
    on.netlab("m2", "up", "-f", file)
    assert [] == on.drift(name)
    assert 6 == sum(".pod." in one for spaces in on.inodes(name).values() for one in spaces)


def test_a_new_lab_that_one_machine_cannot_have_is_removed_everywhere(agents, unique, tmp_path):
    """The command exits with the code of the machine's error, and nothing of the lab stays."""
    on, name = agents("m1", "m2"), unique("refused")
    text = documents(name, "routed", 2, families=(4,))
    done = on.on["m2"].netlab("up", "--etcd", "", "-f", written(tmp_path, text))
    assert 0 == done.returncode, done.stderr
    code, error = on.refused("m1", "up", "-f", written(tmp_path, text))

    assert 2 == code
    assert f"machine m2: a lab {name} of this machine alone runs there" in error
    done = on.on["m2"].netlab("down", "--etcd", "", name)
    assert 0 == done.returncode, done.stderr
    on.nothing_left()


def test_a_machine_that_boots_builds_its_part_again(lab):
    """Its ``/run`` is empty, and its agent takes the name back although the lease of before has not ended."""
    on, name = lab
    before = on.inodes(name)
    on.reboot("m2")
    assert {} == on.on["m2"].drive("inodes", lab=name)
    assert not reaches(on, name, 1, 2)
    on.start("m2")
    until(lambda: reaches(on, name, 1, 2), on.logs)
    after = on.inodes(name)

    assert before.keys() == after.keys()
    assert [set(spaces) for spaces in before.values()] == [set(spaces) for spaces in after.values()]
    assert before["m1"] == after["m1"]
    assert [] == on.drift(name)


def test_down_while_a_machine_is_away_clears_it_when_it_is_back(lab):
    """The command names the machine; its part goes as soon as its agent runs again."""
    on, name = lab
    on.kill("m2")
    until(lambda: "machines/m2" not in on.etcd_keys())
    done = on.on["m1"].netlab("down", name)

    assert 0 == done.returncode, done.stderr
    assert "m2" in done.stdout + done.stderr
    assert [0, 3, 0] == [len(spaces) for spaces in on.inodes(name).values()]
    on.start("m2")
    until(lambda: not on.on["m2"].drive("inodes", lab=name), on.logs)
    on.nothing_left()


def test_a_lab_that_changed_while_a_machine_was_away_changes_there_too(lab, tmp_path):
    """A part of another time, as of a machine that was cut off, comes to what etcd has when its agent is back."""
    on, name = lab
    on.kill("m2")
    until(lambda: "machines/m2" not in on.etcd_keys())
    on.netlab("m1", "down", name)
    text = documents(name, "routed", 2, families=(4,)).replace("{name: n2}", "{name: n2, machine: m3}")
    on.netlab("m1", "up", "-f", written(tmp_path, text))
    on.start("m2")
    until(lambda: not on.on["m2"].drive("inodes", lab=name), on.logs)

    assert [] == on.drift(name)
    assert 2 == sum(".pod." in one for spaces in on.inodes(name).values() for one in spaces)


def test_what_another_program_removed_is_made_again(lab):
    """The agent sees that its part was removed by a command of that machine alone, and builds it."""
    on, name = lab
    done = on.on["m2"].netlab("down", "--etcd", "", name)
    assert 0 == done.returncode, done.stderr
    until(lambda: reaches(on, name, 1, 2) if on.on["m2"].drive("inodes", lab=name) else False, on.logs)
    assert [] == on.drift(name)


def test_an_agent_that_was_asleep_registers_again(lab, tmp_path):
    """A machine that sleeps longer than its lease is away, and takes part again when it wakes, by its own clock."""
    on, name = lab
    on.signal("m2", signal.SIGSTOP)
    until(lambda: "machines/m2" not in on.etcd_keys())
    code, error = on.refused("m1", "apply", "--lab", name, "-f", written(tmp_path, allowing("p2", "p1")))
    assert (3, True) == (code, "is away" in error)
    on.signal("m2", signal.SIGCONT)
    until(lambda: "machines/m2" in on.etcd_keys(), on.logs)
    on.netlab("m1", "apply", "--lab", name, "-f", written(tmp_path, allowing("p2", "p1")))

    assert (True, False) == (reaches(on, name, 1, 2), reaches(on, name, 3, 2))


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.5])
def test_an_agent_that_is_killed_while_it_builds_finishes_after_its_start(agents, unique, tmp_path, seconds):
    """However far it came, the lab is whole on every machine when ``up`` has run once more."""
    on, name = agents("m1", "m2"), unique("half")
    file = written(tmp_path, documents(name, "overlay", 12))
    with on.on["m1"].start(sys.executable, "-m", "netlab", "up", "-f", file, stderr=subprocess.DEVNULL) as command:
        until(lambda: on.processes("m2")["lab"])
        try:
            command.wait(seconds)
        except subprocess.TimeoutExpired:
            on.kill("m2")
            on.start("m2")
        command.wait(100)
    on.netlab("m2", "up", "-f", file)

    assert [] == on.drift(name)
    on.netlab("m1", "down", name)
    on.nothing_left()
