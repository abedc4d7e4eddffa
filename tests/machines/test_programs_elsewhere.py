"""Programs of pods on other machines: a command on any machine runs them through etcd."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from subprocess import DEVNULL

import pytest
from machines.agents import LEASE, until
from machines.bed import programs_of
from machines.calling import drive, execute, numbers, only_the_lab, runs
from sizes import HANGS


@pytest.mark.parametrize(
    ("argv", "text", "expected"),
    [
        (["cat"], "some input\n", (0, "some input\n", "")),
        (["sh", "-c", "echo out; echo err >&2; exit 7"], "", (7, "out\n", "err\n")),
        (["sh", "-c", "kill -9 $$"], "", (137, "", "")),
        (["true"], "not read\n", (0, "", "")),
        (["id", "-u"], "", (0, "65534\n", "")),
        (["printenv", "NETLAB_ETCD"], "", (1, "", "")),
        (["pwd"], "", (0, "/\n", "")),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else str(value)[:12],
)
def test_a_program_on_another_machine_is_like_one_here(on, argv, text, expected):
    """Input, both outputs and the exit status travel; the user is ``nobody``, without the agent's variables."""
    assert expected == execute(on, "m1", "p2", *argv, text=text)
    assert only_the_lab(on)


def test_a_program_runs_in_its_pod(on):
    """Each pod has its own address and name, on each machine, from each machine."""
    for machine, pod in itertools.product(("m1", "m2", "m3"), ("p1", "p2", "p3")):
        found = execute(on, machine, pod, "sh", "-c", "hostname; cat /sys/class/net/eth0/address; cat /etc/resolv.conf")

        assert (0, pod) == (found[0], found[1].splitlines()[0]), found
        assert "nameserver 10.96.0.10" in found[1]


def test_a_program_of_this_machine_runs_as_in_a_lab_of_its_own(on):
    """Root's program in a pod of its own machine is root's, and may have a terminal."""
    assert (0, "0\n", "") == execute(on, "m2", "p2", "id", "-u")
    primary, terminal = os.openpty()
    try:
        with on.on["m2"].start(
            sys.executable, "-m", "netlab", "exec", "p2", "--", "test", "-t", "0", stdin=terminal
        ) as done:
            assert 0 == done.wait(HANGS)
    finally:
        os.close(primary)
        os.close(terminal)


@pytest.mark.parametrize("command", [("exec", "p2", "--", "id"), ("shell", "p2")], ids=["exec", "shell"])
def test_a_terminal_does_not_reach_another_machine(on, command):
    """One line names the machine where the command would have a terminal."""
    primary, terminal = os.openpty()
    try:
        with on.on["m1"].start(sys.executable, "-m", "netlab", *command, stdin=terminal) as done:
            out, err = done.communicate(timeout=HANGS)
    finally:
        os.close(primary)
        os.close(terminal)

    where = "p2 is on machine m2, which a terminal does not reach"
    assert (2, "") == (done.returncode, out)
    assert f"Error: default/{where}: run this there, or give an input, as with </dev/null\n" == err


@pytest.mark.parametrize(("size", "code"), [(1 << 20, 0), ((1 << 20) + 1, 2)])
def test_a_mebibyte_of_input_travels(on, size, code):
    """A program elsewhere gets all of an input of 1 MiB; a longer one is refused."""
    found = execute(on, "m1", "p2", "wc", "-c", text="x" * size)

    assert code == found[0], found
    if code:
        assert "Error: the input has more than 1,048,576 bytes, the most for another machine\n" == found[2]
    else:
        assert size == int(found[1])
    until(lambda: only_the_lab(on), on.etcd_keys)


def test_a_large_output_travels_whole(on):
    """Ten million bytes come in order, and nothing of them stays in etcd."""
    script = "i=0; while [ $i -lt 200000 ]; do echo $i-012345678901234567890123456789012345678; i=$((i+1)); done"
    code, out, err = execute(on, "m1", "p3", "sh", "-c", script)

    assert (0, "") == (code, err)
    assert [f"{n}-012345678901234567890123456789012345678" for n in range(200_000)] == out.splitlines()
    assert only_the_lab(on)


def test_output_comes_while_the_program_runs(on):
    """A line is printed before the program ends, and input that comes later is read."""
    argv = (sys.executable, "-m", "netlab", "exec", "p2", "--", "sh", "-c", "echo first; read line; echo $line")
    with on.on["m1"].start(*argv) as process:
        assert "first\n" == process.stdout.readline()
        assert "second\n" == process.communicate("second\n", timeout=HANGS)[0]
        assert 0 == process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_command_that_ends_takes_its_program_with_it(on, number):
    """After Ctrl-C, SIGTERM or SIGKILL of the command its program ends, with what it started, and no key stays."""
    words = f"sleep {next(numbers)}"
    argv = ("exec", "p2", "--", "sh", "-c", f"{words} & echo up; wait")
    with on.on["m1"].start(sys.executable, "-m", "netlab", *argv, stdin=DEVNULL) as process:
        assert "up\n" == process.stdout.readline()
        assert runs(on, "m2", words)
        for pid in programs_of(process):
            os.kill(pid, number)
        process.communicate(timeout=HANGS)

    until(lambda: not runs(on, "m2", words), seconds=4 * LEASE)
    until(lambda: only_the_lab(on), on.etcd_keys, 4 * LEASE)


def test_what_cannot_run_is_said_in_a_line(on):
    """The error is that of the machine where it happened, with its exit code."""
    assert (2, "", "Error: machine m2: no-such: no such program in the folders of PATH that its user may enter\n") == (
        execute(on, "m1", "p2", "no-such")
    )
    assert (2, "", "Error: machine m2: '' is no program\n") == execute(on, "m1", "p2", "")
    code, _, err = execute(on, "m1", "p2", "id", options=("--user", "root"))
    line = "Error: machine m2: programs of other machines run as nobody only;"
    assert (3, line) == (code, err[: len(line)])
    assert 2 == execute(on, "m1", "nobody-knows", "id")[0]


def test_a_name_is_found_from_every_machine(on):
    """The lab's DNS answers on each machine, wherever its pod is."""
    for machine, pod in (("m1", "p1"), ("m1", "p2"), ("m1", "p3"), ("m3", "p3")):
        found = execute(on, machine, pod, "getent", "hosts", "kubernetes.default.svc.cluster.local")

        assert (0, "10.96.0.1") == (found[0], found[1].split()[0] if found[1] else ""), found


def test_the_library_runs_programs_and_questions_elsewhere(on):
    """``Lab.run`` returns how a program of another machine ended; a function does not travel."""
    assert [3, "out\n", "err\n", ""] == drive(
        on, "m1", "run", ref="p2", argv=["sh", "-c", "echo out; echo err >&2; exit 3"], seconds=10
    )
    assert [None, "", "", ""] == drive(on, "m1", "run", ref="p2", argv=["sleep", "60"], seconds=0.5)
    assert {"addresses": ["10.96.0.1"]} == drive(
        on, "m1", "lookup", ref="p3", name="kubernetes.default.svc.cluster.local"
    )
    refused = "default/p2 is on machine m2, and a function runs on its own machine only"
    assert {"error": refused, "code": 2} == drive(on, "m1", "function", ref="p2")


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("no-such", {}),
        ("exec", {"ref": "default/p2", "argv": "id", "user": ""}),
        ("exec", {"ref": "default/p2", "argv": [], "user": ""}),
        ("exec", {"ref": "default/p2", "argv": ["a\0b"], "user": ""}),
        ("exec", {"ref": "default/p3", "argv": ["id"], "user": ""}),
        ("exec", {"ref": "../../etc", "argv": ["id"], "user": ""}),
        ("run", {"ref": "default/p2", "argv": ["id"], "seconds": -1}),
        ("run", {"ref": "default/p2", "question": ["open", "/etc/passwd"], "seconds": 1}),
        ("capture", {"refs": ["default/p2"], "interface": "", "program": "zz", "length": 1, "buffer": 1}),
        ("monitor", {"nodes": [["n2", ["inet; flush ruleset"]]], "match": {"protocol": "TCP"}}),
        ("monitor", {"nodes": [], "match": {"protocol": "tcp; flush"}}),
        ("facts", {"ref": "default/p2", "to": ["fe80::1%eth0"]}),
        ("probe", {"run": 7}),
        ("listen", {"places": [["default/p2", 0]]}),
        ("listen", {"places": [["default/p3", 80]]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_that_no_command_makes_is_refused(on, what, arguments):
    """A process that writes to etcd itself gets no more than commands get, and the agent goes on."""
    found = drive(on, "m1", "call", machine="m2", what=what, arguments=arguments)

    assert 2 == found["code"], found
    assert found["error"].startswith("machine m2: ")
    assert on.runs("m2")
