"""``scripts/test-cni`` and ``scripts/test-capture`` where programs are missing, and where apt brings them or not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SKIPPED = [
    "netlab: skipped: tests/plugins, as there are no reference plugins here; "
    "install containernetworking-plugins and iptables",
    "netlab: skipped: the test of podman; install podman, runc, conmon and busybox",
    "netlab: skipped: the test of cnitool; install go, or cnitool of the CNI project",
]
RUNTIMES, PLUGINS = ("podman", "runc", "busybox"), ("iptables",)


class Machine:
    """A folder of programs, which is all of PATH; ``python`` prints the tests that it is asked to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sh", "dirname", "timeout", "tr", "touch", "chmod", "cat"):
            found = shutil.which(name)
            assert found is not None
            (folder / name).symlink_to(found)
        self.program("id", "echo 0")
        self.program("python", 'case $1 in -c) echo /nonexistent ;; *) echo "$@" ;; esac')

    def program(self, name: str, text: str = "") -> None:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)

    def run(self, script: str = "test-cni") -> tuple[int, list[str], list[str]]:
        """Return the exit status, the names of the tests' folders, and the lines about what is missing."""
        environment = {"PATH": str(self.folder), "CNI_PATH": f"/nonexistent:{self.folder}"}
        done = subprocess.run(
            [REPOSITORY / "scripts" / script], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        folders = [Path(word).name for word in done.stdout.split() if word.startswith(str(REPOSITORY))]
        return done.returncode, folders, [line for line in done.stderr.splitlines() if "netlab: skipped" in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without reference plugins, runtimes, go or apt."""
    return Machine(tmp_path)


def test_what_is_missing_is_left_out(machine: Machine) -> None:
    """Without apt, a line for each part tells what it needs."""

    assert (0, ["plugin"], SKIPPED) == machine.run()


@pytest.mark.parametrize("fails", ["update", "--download-only", "--no-download", ""])
def test_apt_that_fails_leaves_out_what_it_did_not_bring(machine: Machine, fails: str) -> None:
    """Whatever step fails, the other tests run, and the status is theirs."""
    machine.program("apt-get", f'case "$*" in *"{fails}"*) exit 100 ;; esac')

    assert (0, ["plugin"], SKIPPED) == machine.run()


def test_go_that_fails_leaves_out_cnitool(machine: Machine) -> None:
    """As where its registry cannot be reached."""
    machine.program("go", "exit 1")

    assert (0, ["plugin"], SKIPPED) == machine.run()


def test_nothing_is_installed_where_all_is_there(machine: Machine) -> None:
    """Neither apt nor go is called."""
    for name in (*PLUGINS, *RUNTIMES, "host-local", "cnitool"):
        machine.program(name)
    for name in ("apt-get", "go"):
        machine.program(name, f"touch {machine.folder}/called")

    assert (0, ["plugins", "plugin"], []) == machine.run()
    assert not (machine.folder / "called").exists()


def test_apt_gets_new_lists_where_the_old_ones_do_not_do(machine: Machine) -> None:
    """The packages that it then installs are used."""
    lists = machine.folder / "lists"
    made = " ".join(str(machine.folder / name) for name in (*PLUGINS, *RUNTIMES, "host-local"))
    machine.program(
        "apt-get",
        f"""case "$*" in
            *" update") touch {lists} ;;
            *--download-only*) cat {lists} ;;
            *) touch {made}; chmod 755 {made} ;;
        esac""",
    )

    assert (0, ["plugins", "plugin"], SKIPPED[2:]) == machine.run()


def test_tests_that_fail_fail_the_script(machine: Machine) -> None:
    """Also where something is missing."""
    machine.program("python", "case $1 in -c) echo /nonexistent ;; *) exit 1 ;; esac")

    assert 1 == machine.run()[0]


def test_captures_are_left_out_without_their_programs(machine: Machine) -> None:
    """tshark is large: a machine may not get it in time."""
    machine.program("tcpdump")
    skipped = "netlab: skipped: tests/capture, as there is no tcpdump or no tshark here; install tcpdump and tshark"
    without = machine.run("test-capture")
    for name in ("tshark", "capinfos"):
        machine.program(name)

    assert (0, [], [skipped]) == without
    assert (0, ["capture"], []) == machine.run("test-capture")


def test_rounds_of_crashes_are_left_out_without_strace(machine: Machine) -> None:
    """They need nothing else that ``make test`` does not."""
    skipped = "netlab: skipped: tests/crash, as there is no strace here; install strace"
    without = machine.run("test-crash")
    machine.program("strace")

    assert (0, [], [skipped]) == without
    assert (0, ["crash"], []) == machine.run("test-crash")
