"""Programs and packets of pods on other machines: a command on any machine reaches them through etcd."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest
from etcd_members import missing
from machines.agents import LEASE, Agents, until
from machines.bed import REPOSITORY, Machines, programs_of
from machines.labs import allowing, documents
from sizes import HANGS

DRIVER = Path(__file__).with_name("call_driver.py")
_numbers = itertools.count(7_000_000)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """Three machines with agents, and a lab with the pods p1, p2 and p3, one on each machine."""
    if lacking := missing():
        pytest.skip(f"needs {', '.join(lacking)}")
    folder = tmp_path_factory.mktemp("calls")
    machines = Machines(("m1", "m2", "m3"))
    try:
        found = Agents(machines, folder)
        found.start()
        _up(found, folder)
        yield found
        print(found.logs())
        found.close()
    finally:
        machines.close()


def _up(on: Agents, folder: Path, **more: Any) -> str:
    lab = f"calls-{os.getpid():x}-{next(_numbers)}"
    file = folder / "lab.yaml"
    file.write_text(documents(lab, "overlay", len([*on.on]), families=(4,), **more) + allowing("p3", "p2"))
    on.netlab("m1", "up", "-f", file)
    return lab


def _drive(on: Agents, machine: str, what: str, /, **values: Any) -> Any:
    done = on.on[machine].run(sys.executable, DRIVER, what, text=json.dumps(values))
    assert 0 == done.returncode, f"{done.stderr}\n{on.logs()}"
    return json.loads(done.stdout)


def _exec(on: Agents, machine: str, pod: str, *argv: str, text: str = "", options: tuple[str, ...] = ()) -> Any:
    done = on.on[machine].netlab("exec", pod, *options, "--", *argv, text=text)
    return done.returncode, done.stdout, done.stderr


def _runs(on: Agents, machine: str, words: str) -> bool:
    """Return whether a program with these words runs in a machine."""
    return words in on.on[machine].run("ps", "-e", "-o", "args=").stdout


def _only_the_lab(on: Agents) -> bool:
    """Return whether etcd has nothing of a call."""
    return not any(key.startswith(("calls/", "inputs/", "answers/", "probes/")) for key in on.etcd_keys())


# --- programs -------------------------------------------------------------------------------------------------------


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
    """Input, both outputs and the exit status travel; the program is nobody, without the agent's variables."""
    assert expected == _exec(on, "m1", "p2", *argv, text=text)
    assert _only_the_lab(on)


def test_a_program_runs_in_its_pod(on):
    """Each pod has its own address and name, whatever machine it is on and wherever the command runs."""
    for machine, pod in itertools.product(("m1", "m2", "m3"), ("p1", "p2", "p3")):
        found = _exec(on, machine, pod, "sh", "-c", "hostname; cat /sys/class/net/eth0/address; cat /etc/resolv.conf")

        assert (0, pod) == (found[0], found[1].splitlines()[0]), found
        assert "nameserver 10.96.0.10" in found[1]


def test_a_program_of_this_machine_runs_as_in_a_lab_of_its_own(on):
    """Root's program in a pod of its own machine is root's, and may have a terminal."""
    assert (0, "0\n", "") == _exec(on, "m2", "p2", "id", "-u")
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
    found = _exec(on, "m1", "p2", "wc", "-c", text="x" * size)

    assert code == found[0], found
    if code:
        assert "Error: the input has more than 1,048,576 bytes, the most for another machine\n" == found[2]
    else:
        assert size == int(found[1])
    until(lambda: _only_the_lab(on), on.etcd_keys)


def test_a_large_output_travels_whole(on):
    """Ten million bytes come in order, and nothing of them stays in etcd."""
    script = "i=0; while [ $i -lt 200000 ]; do echo $i-012345678901234567890123456789012345678; i=$((i+1)); done"
    code, out, err = _exec(on, "m1", "p3", "sh", "-c", script)

    assert (0, "") == (code, err)
    assert [f"{n}-012345678901234567890123456789012345678" for n in range(200_000)] == out.splitlines()
    assert _only_the_lab(on)


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
    words = f"sleep {next(_numbers)}"
    argv = ("exec", "p2", "--", "sh", "-c", f"{words} & echo up; wait")
    with on.on["m1"].start(sys.executable, "-m", "netlab", *argv, stdin=DEVNULL) as process:
        assert "up\n" == process.stdout.readline()
        assert _runs(on, "m2", words)
        for pid in programs_of(process):
            os.kill(pid, number)
        process.communicate(timeout=HANGS)

    until(lambda: not _runs(on, "m2", words), seconds=4 * LEASE)
    until(lambda: _only_the_lab(on), on.etcd_keys, 4 * LEASE)


def test_what_cannot_run_is_said_in_a_line(on):
    """The error is that of the machine where it happened, with its exit code."""
    assert (2, "", "Error: machine m2: no-such: no such program in the folders of PATH that its user may enter\n") == (
        _exec(on, "m1", "p2", "no-such")
    )
    code, _, err = _exec(on, "m1", "p2", "id", options=("--user", "root"))
    line = "Error: machine m2: programs of other machines run as nobody only;"
    assert (3, line) == (code, err[: len(line)])
    assert 2 == _exec(on, "m1", "nobody-knows", "id")[0]


def test_a_name_is_found_from_every_machine(on):
    """The lab's DNS answers on each machine, wherever its pod is."""
    for machine, pod in (("m1", "p1"), ("m1", "p2"), ("m1", "p3"), ("m3", "p3")):
        found = _exec(on, machine, pod, "getent", "hosts", "kubernetes.default.svc.cluster.local")

        assert (0, "10.96.0.1") == (found[0], found[1].split()[0] if found[1] else ""), found


def test_the_library_runs_programs_and_questions_elsewhere(on):
    """``Lab.run`` returns how a program of another machine ended; a function does not travel."""
    assert [3, "out\n", "err\n", ""] == _drive(
        on, "m1", "run", ref="p2", argv=["sh", "-c", "echo out; echo err >&2; exit 3"], seconds=10
    )
    assert [None, "", "", ""] == _drive(on, "m1", "run", ref="p2", argv=["sleep", "60"], seconds=0.5)
    assert {"addresses": ["10.96.0.1"]} == _drive(
        on, "m1", "lookup", ref="p3", name="kubernetes.default.svc.cluster.local"
    )
    refused = "default/p2 is on machine m2, and a function runs on its own machine only"
    assert {"error": refused, "code": 2} == _drive(on, "m1", "function", ref="p2")


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
    """Whoever writes to etcd gets no more than commands get, and the agent goes on."""
    found = _drive(on, "m1", "call", machine="m2", what=what, arguments=arguments)

    assert 2 == found["code"], found
    assert found["error"].startswith("machine m2: ")
    assert on.runs("m2")


# --- packets --------------------------------------------------------------------------------------------------------


def test_packets_are_sent_and_seen_on_their_machines(on):
    """A program on a third machine sends from one pod and sees the packets leave and arrive."""
    address = {one: on.netlab("m1", "get", "pods", one, "-o", "json") for one in ("p1", "p2")}
    ip = {one: json.loads(text)["items"][0]["status"]["podIP"] for one, text in address.items()}
    found = _drive(on, "m3", "sniff", source="default/p1", to="default/p2", count=5)

    way = [ip["p1"], ip["p2"]]
    seen = [["default/p1:eth0", 2, *way]] * 5 + [["default/p2:eth0", 1, *way]] * 5
    assert {"sent": 5, "seen": seen, "drops": 0} == found
    arp = _drive(on, "m3", "frame", source="default/p1", to="default/p2")
    assert (ip["p1"], ip["p2"], arp["mac"]) == (arp["from"], arp["to"], arp["own"])


def test_a_capture_of_two_machines_is_one_file(on, tmp_path):
    """``netlab capture`` prints the packets of pods on different machines, until Ctrl-C, and says how many came."""
    argv = ("capture", "p1", "p2", "--filter", "udp dst port 4712")
    with on.on["m3"].start(sys.executable, "-m", "netlab", *argv) as process:
        assert "capturing default/p1, default/p2; end with Ctrl-C\n" == process.stderr.readline()
        _drive(on, "m3", "send", source="default/p1", to="default/p2", count=3)
        lines = [process.stdout.readline().split()[1:4] for _ in range(6)]
        for pid in programs_of(process):
            os.kill(pid, signal.SIGINT)
        _, err = process.communicate(timeout=HANGS)

    assert [["default/p1", "eth0", "out"]] * 3 + [["default/p2", "eth0", "in"]] * 3 == sorted(lines)
    assert err.startswith("captured 6 packets of ")
    assert 0 == process.returncode
    until(lambda: _only_the_lab(on), on.etcd_keys)


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
    until(lambda: _only_the_lab(on), on.etcd_keys)


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


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_etcd_may_restart_during_a_call(on):
    """A program goes on while etcd starts again, and its input and output travel afterwards."""
    argv = (sys.executable, "-m", "netlab", "exec", "p2", "--", "sh", "-c", "echo first; read line; echo $line")
    with on.on["m1"].start(*argv) as process:
        assert "first\n" == process.stdout.readline()
        on.members[0].restart()
        assert "second\n" == process.communicate("second\n", timeout=HANGS)[0]
        assert 0 == process.returncode


def test_a_machine_that_is_away_is_named(agents, tmp_path):
    """A program of a machine whose agent was killed ends, and the command says so; so does the next one."""
    on = agents("m1", "m2")
    _up(on, tmp_path)
    words = f"sleep {next(_numbers)}"
    assert 0 == _exec(on, "m1", "p2", "true")[0]
    with on.on["m1"].start(
        sys.executable, "-m", "netlab", "exec", "p2", "--", "sh", "-c", f"echo up; {words}", stdin=DEVNULL
    ) as process:
        assert "up\n" == process.stdout.readline()
        on.kill("m2")
        _, err = process.communicate(timeout=HANGS)

    assert (3, True) == (process.returncode, err.startswith("Error: machine m2"))
    until(lambda: not _runs(on, "m2", words), seconds=4 * LEASE)
    until(lambda: "machines/m2" not in on.etcd_keys(), on.etcd_keys, 4 * LEASE)
    assert (3, "", "Error: machine m2 is away\n") == _exec(on, "m1", "p2", "true")
    until(lambda: _only_the_lab(on), on.etcd_keys, 4 * LEASE)


def test_an_agent_says_which_programs_it_runs(agents, tmp_path):
    """With ``--exec any`` a program is the user of ``--user``, with ``--exec none`` none runs."""
    on = agents("m1", "m2", "m3", start=False)
    on.start("m1")
    on.start("m2", options=("--exec", "any"))
    on.start("m3", options=("--exec", "none"))
    _up(on, tmp_path)

    assert (0, "0\n", "") == _exec(on, "m1", "p2", "id", "-u", options=("--user", "root"))
    assert (0, "65534\n", "") == _exec(on, "m1", "p2", "id", "-u")
    code, out, err = _exec(on, "m1", "p3", "id", "-u")
    line = "Error: machine m3: programs of other machines do not run there;"
    assert (3, "", line) == (code, out, err[: len(line)])
    started = time.monotonic()
    assert [0, "0\n"] == [*_exec(on, "m3", "p3", "id", "-u")][:2], time.monotonic() - started


def test_a_scenario_asks_pods_on_every_machine(on):
    """Names, URLs and packets of a scenario have the same answers; its lab is removed from all machines afterwards."""
    labs = on.netlab("m1", "get", "labs", "-o", "name")
    found = on.netlab("m3", "test", REPOSITORY / "scenarios" / "14-names-under-default-deny.yaml")

    assert "1 passed" in found
    assert labs == on.netlab("m1", "get", "labs", "-o", "name")
    until(lambda: _only_the_lab(on), on.etcd_keys, 4 * LEASE)
