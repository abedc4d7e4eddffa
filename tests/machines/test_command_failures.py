"""Commands that are killed or interrupted at each step: nothing stays half, and the next command works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from machines.agents import LEASE, Agents, until
from machines.bed import programs_of
from machines.labs import allowing, documents, written
from sizes import HANGS

# Leases have to end, and commands are patient.
pytestmark = pytest.mark.timeout(400)
TWO = ("m1", "m2")


def _started(on: Agents, *arguments: object) -> subprocess.Popen[str]:
    return on.on["m1"].start(sys.executable, "-m", "netlab", *arguments, stdin=subprocess.DEVNULL)


def _signal(command: subprocess.Popen[str], number: int) -> None:
    assert command.poll() is None, _rest(command)
    for pid in programs_of(command):
        os.kill(pid, number)


def _rest(command: subprocess.Popen[str]) -> str:
    """Wait for the end of a command; return what it printed."""
    try:
        out, error = command.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        command.kill()
        raise
    return out + error


def _locked(on: Agents, lab: str) -> bool:
    return any(key.startswith(f"locks/{lab}/") for key in on.etcd_keys())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("step", ["proposed", "decided"])
@pytest.mark.parametrize("new", [True, False], ids=["up", "apply"])
def test_a_command_that_ends_early_leaves_nothing_half(agents, unique, tmp_path, step, number, new):
    """Before the decision nothing changed anywhere, after it the change is in force everywhere.

    The next command works at once after an interrupt, and within the lease after a kill.
    """
    on, lab = agents(*TWO), unique("early")
    text = documents(lab, "routed", 2, families=(4,))
    if not new:
        on.netlab("m1", "up", "-f", written(tmp_path, text))
    before = on.inodes(lab)
    change = ("up", "-f", written(tmp_path, text)) if new else ("apply", "--lab", lab, "-f", _more(tmp_path))
    last, _ = on.reported(lab, "m1")
    held, other = TWO if step == "decided" else reversed(TWO)
    # Without its spawner an agent has no process for a new lab.
    on.signal(held, signal.SIGSTOP, "spawner" if new else "lab")
    command = _started(on, *change)
    until(lambda: on.says(lab, other, "prepared", last), on.logs)
    if step == "decided":
        on.signal(other, signal.SIGSTOP, "lab")
        on.signal(held, signal.SIGCONT)
        until(lambda: on.says(lab, held, "ready", last), on.logs)
    _signal(command, number)
    time.sleep(0.3)
    on.signal("m2", signal.SIGCONT)
    printed = _rest(command)
    assert "Traceback" not in printed
    if number == signal.SIGKILL:
        # Only the agents remove what the command proposed.
        until(lambda: not _locked(on, lab), on.etcd_keys, 4 * LEASE)
        until(lambda: not any(key.startswith("next/") for key in on.etcd_keys()), on.etcd_keys)
    on.netlab("m2", "up", "-f", written(tmp_path, text))

    assert [] == on.drift(lab)
    if not new:
        assert before == on.inodes(lab)
    on.netlab("m2", "down", lab)
    on.nothing_left()


def _more(folder):
    return written(folder, allowing("p2", "p1"))


def test_the_proposal_of_a_killed_command_is_removed(agents, unique, tmp_path):
    """A lab that was proposed and never decided leaves no key and no process, without another command."""
    on, lab = agents(*TWO), unique("proposal")
    on.signal("m2", signal.SIGSTOP, "spawner")
    command = _started(on, "up", "-f", written(tmp_path, documents(lab, "routed", 2)))
    until(lambda: on.says(lab, "m1", "prepared"), on.logs)
    _signal(command, signal.SIGKILL)
    _rest(command)
    on.signal("m2", signal.SIGCONT)

    on.nothing_left()
    until(lambda: [] == on.processes("m1")["lab"] + on.processes("m2")["lab"], on.logs)
    assert "no lab" in on.refused("m1", "down", lab)[1]


def test_a_temporary_lab_whose_command_was_killed_goes(agents, unique, tmp_path):
    """The lab belongs to the lease of its command: agents remove it when that has ended."""
    on, lab = agents(*TWO), unique("tmp")
    script = (
        "import sys, time; from netlab import load; from netlab.machines import labs\n"
        f"labs.use_etcd({on.url!r}); objects, _ = load(sys.argv[1:])\n"
        "with labs.temporary(objects) as lab:\n    print(lab.name, flush=True); time.sleep(1000)"
    )
    command = on.on["m1"].start(sys.executable, "-c", script, written(tmp_path, documents(lab, "routed", 2)))
    assert command.stdout is not None
    name = command.stdout.readline().strip()
    assert [3, 3] == [len(spaces) for spaces in on.inodes(name).values()]
    _signal(command, signal.SIGKILL)
    _rest(command)

    until(lambda: not any(on.inodes(name).values()), on.logs)
    on.nothing_left()


def test_a_killed_down_is_finished(agents, unique, tmp_path):
    """A lab that was removed from etcd goes on every machine, also if the command was killed."""
    on, lab = agents(*TWO), unique("down")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2)))
    on.signal("m2", signal.SIGSTOP, "lab")
    command = _started(on, "down", lab)
    until(lambda: not on.value(f"labs/{lab}"), on.logs)
    _signal(command, signal.SIGKILL)
    _rest(command)
    on.signal("m2", signal.SIGCONT)

    until(lambda: not any(on.inodes(lab).values()), on.logs)
    on.nothing_left()


def test_up_after_down_at_once_is_not_lost(agents, unique, tmp_path):
    """An order that reaches the process of a lab as it ends is carried out by the next one."""
    on, lab = agents(*TWO), unique("again")
    file = written(tmp_path, documents(lab, "routed", 2, families=(4,)))
    script = (
        "import sys, time; from netlab import load; from netlab.machines import labs\n"
        f"labs.use_etcd({on.url!r}); objects, _ = load(sys.argv[1:]); place = labs.labs()\n"
        f"for number in range(20):\n    lab = place.up(objects); time.sleep(number % 5 * 0.01); place.remove({lab!r})\n"
    )
    done = on.on["m1"].run(sys.executable, "-c", script, file)

    assert 0 == done.returncode, done.stderr
    on.nothing_left()


def test_commands_of_two_machines_at_once_change_a_lab_one_after_the_other(agents, unique, tmp_path):
    """No change is lost, whichever command is first."""
    on, lab = agents(*TWO), unique("both")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 4, families=(4,))))
    commands = [
        on.on[name].start(sys.executable, "-m", "netlab", "label", "--lab", lab, "pod", f"p{number}", f"at={name}")
        for number, name in enumerate((*TWO, *TWO), start=1)
    ]
    for command in commands:
        _, error = command.communicate(timeout=HANGS)
        assert 0 == command.returncode, error
    shown = on.netlab("m1", "get", "--lab", lab, "pods", "-o", "yaml")

    assert [2, 2] == [shown.count(f"at: {name}") for name in TWO]
    assert [] == on.drift(lab)
