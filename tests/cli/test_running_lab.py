"""Commands that read a running lab, on the real kernel, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def test_up_again_changes_nothing_and_says_so(program: Program, shared_lab: str) -> None:
    """The lab equals its input."""
    done = program("up", "-f", "examples/shop", "--lab", shared_lab)

    assert 0 == done.returncode
    assert {"unchanged"} == {line.split()[1] for line in done.stdout.splitlines()}
    assert f"lab {shared_lab}: unchanged\n" == done.stderr


def test_a_workload_stands_for_its_first_pod(program: Program, shared_lab: str) -> None:
    """``get`` takes the name of a workload."""
    done = program("get", "pods", "shop/web", "--lab", shared_lab, "-o", "name")

    assert "pod/shop/web-0\n" == done.stdout, done.stderr


def test_get_pods_as_kubernetes_objects(program: Program, shared_lab: str) -> None:
    """They have node, addresses, and the path of the network namespace."""
    document = json_of(program("get", "pods", "--lab", shared_lab, "-o", "json"))
    pods = {item["metadata"]["name"]: item for item in document["items"]}
    web = pods["web-0"]

    assert ("v1", "List") == (document["apiVersion"], document["kind"])
    assert "node-1" == web["spec"]["nodeName"]
    assert [{"ip": web["status"]["podIP"]}] == web["status"]["podIPs"]
    assert "100.64.0.1" == web["status"]["hostIP"]
    assert Path(web["metadata"]["annotations"]["netlab/netns"]).exists()
    assert web["status"]["podIP"] in program("exec", "shop/web", "--lab", shared_lab, "--", "ip", "-j", "addr").stdout


def test_get_prints_kubectls_tables_and_names(program: Program, shared_lab: str) -> None:
    """``-n`` narrows, NAMES choose, ``-o name`` is for scripts."""
    table = program("get", "po", "--lab", shared_lab, "-n", "other").stdout.splitlines()
    names = program("get", "networkpolicies", "shop/db", "--lab", shared_lab, "-o", "name").stdout
    missing = program("get", "pods", "nobody", "--lab", shared_lab)
    # Another test may have run a program, which brings the Services of the system.
    services = program("get", "svc", "--lab", shared_lab, "-n", "shop")

    assert ["NAMESPACE", "NAME", "STATUS", "IP", "NODE"] == table[0].split()
    assert [["other", "stranger", "Running"]] == [line.split()[:3] for line in table[1:]]
    assert "networkpolicy/shop/db\n" == names
    assert (2, "Error: Pod default/nobody does not exist\n") == (missing.returncode, missing.stderr)
    assert (0, "", "no services found\n") == (services.returncode, services.stdout, services.stderr)


def test_groups_of_the_running_lab(program: Program, shared_lab: str) -> None:
    """Without ``-f``, ``reach --group`` reads the running lab."""
    document = json_of(program("reach", "--group", "--lab", shared_lab, "-o", "json"))

    assert ["other/stranger", "shop/api-0", "shop/db-0", "shop app=web"] == [
        g["description"] for g in document["groups"]
    ]


def test_probe_of_every_pair_is_what_reach_expects(program: Program, shared_lab: str) -> None:
    """``probe`` has no expected verdicts, ``reach`` no measured ones; they agree here."""
    probed = json_of(program("probe", "--lab", shared_lab, "-o", "json"))
    reached = json_of(program("reach", "-f", "examples/shop", "-o", "json"))

    assert shared_lab == probed["lab"]
    assert {"source", "destination", "family", "protocol", "port", "measured", "reason"} == set(probed["rows"][0])
    assert [(r["source"], r["destination"], r["expected"]) for r in reached["rows"]] == [
        (r["source"], r["destination"], r["measured"]) for r in probed["rows"]
    ]


def test_system_adds_what_a_running_lab_lacks(program: Program, shared_lab: str) -> None:
    """``reach`` thinks it up, ``probe`` makes it; the two agree."""
    reached = json_of(program("reach", "--system", "--lab", shared_lab, "-o", "json"))
    probed = json_of(program("probe", "--system", "--lab", shared_lab, "-o", "json"))
    names = program("get", "pods", "-n", "kube-system", "--lab", shared_lab, "-o", "name").stdout

    assert "pod/kube-system/kube-dns\n" == names
    assert "kube-system/kube-dns" in {row["source"] for row in probed["rows"]}
    assert [(r["source"], r["destination"], r["expected"]) for r in reached["rows"]] == [
        (r["source"], r["destination"], r["measured"]) for r in probed["rows"]
    ]


def test_rows_are_printed_before_the_last_probe_is_sent(program: Program, shared_lab: str) -> None:
    """A reader that stops reading stops the probes. After an interrupt the lab is unchanged, and no process remains."""
    ports = [f"--port={number}" for number in range(1000, 1500)]
    command = [sys.executable, "-m", "netlab", "probe", "--lab", shared_lab, "-o", "json", *ports]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        head, row = process.stdout.readline(), process.stdout.readline()
        under_way = process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, printed = process.communicate(timeout=60)

    assert '"rows": [\n' == head[-10:]
    assert 1000 == json.loads(row.rstrip(",\n"))["port"]
    assert under_way
    assert (130, "interrupted") == (process.returncode, printed.strip())
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert 0 == program("verify", "--lab", shared_lab).returncode


def test_probe_of_one_pair_prints_the_reason(program: Program, shared_lab: str) -> None:
    """There is a line for each port; the target may ask for ICMP."""
    done = program("probe", "shop/web", "shop/api/ICMP", "--lab", shared_lab)

    assert 0 == done.returncode
    assert ["shop/web-0", "shop/api-0", "IPv4", "ICMP", "deny"] == done.stdout.splitlines()[1].split()[:5]


def test_exec_passes_the_exit_status_through(program: Program, shared_lab: str) -> None:
    """The program has the pod's network and name; input and output are the caller's."""
    done = program("exec", "shop/web-1", "--lab", shared_lab, "--", "sh", "-c", "hostname; cat; exit 7", text="hello")

    assert (7, "web-1\nhello") == (done.returncode, done.stdout)


def test_exec_of_a_missing_pod_or_program(program: Program, shared_lab: str) -> None:
    """A missing pod or program is exit code 2."""
    pod = program("exec", "shop/wbe", "--lab", shared_lab, "--", "true")
    command = program("exec", "shop/web", "--lab", shared_lab, "--", "no-such-program")
    empty = program("exec", "shop/web", "--lab", shared_lab, "--", "")

    assert (2, 2, 2) == (pod.returncode, command.returncode, empty.returncode)
    assert "Error: '' is no program\n" == empty.stderr
    assert "did you mean shop/web" in pod.stderr
    assert "Error: no-such-program: no such program\n" == command.stderr


def test_exec_of_a_missing_program_with_a_closed_folder_in_path(
    program: Program, shared_lab: str, tmp_path: Path
) -> None:
    """A folder of PATH that the user may not enter is no reason to say that the program may not be run."""
    (tmp_path / "closed").mkdir(mode=0o700)
    path = f"{tmp_path}/closed/bin:{os.environ['PATH']}"
    asked = ("exec", "shop/web", "--lab", shared_lab, "--user", "65534:65534", "--", "no-such-program")
    done = program(*asked, PATH=path)

    assert "Error: no-such-program: no such program in the folders of PATH that its user may enter\n" == done.stderr


def test_shell_names_the_pod(program: Program, shared_lab: str) -> None:
    """Its prompt has the pod's name, if the shell takes the prompt from the environment."""
    done = program("shell", "shop/web", "--lab", shared_lab, text="echo $PS1; exit 4\n", SHELL="/bin/sh")

    assert 4 == done.returncode
    assert f"{shared_lab} shop/web-0 #\n" == done.stdout


def test_a_folder_given_twice_is_in_the_lab_once(program: Program, unique: Callable[[str], str]) -> None:
    """By any name: no document of the lab is defined twice."""
    name = unique("cli")
    try:
        assert 0 == program("up", "-f", "examples/shop", "-f", "./examples/../examples/shop", "--lab", name).returncode
        done = program("check", "-f", f"lab:{name}")
        again = program("up", "-f", "examples/shop", "--lab", name)
    finally:
        program("down", name)

    assert "defined twice" not in done.stderr
    assert f"lab {name}: unchanged\n" == again.stderr
