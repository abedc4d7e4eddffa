"""``scripts/vm``, which boots the virtual machine of ``make test-vm``; here with a program in place of qemu.

A fake qemu sees the arguments that qemu gets: the second disk is the clone, and the third one takes the results.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
VM = REPOSITORY / "scripts" / "vm"
QEMU = "qemu-system-x86_64"

# The machine is made for x86_64, and a fake one runs on every host.
UNAME = """#!/bin/sh
echo x86_64
"""
# What every fake begins with: the files of the second and of the third drive.
DISKS = """#!/bin/sh
set -- $(printf '%s\\n' "$@" | sed -n 's/^file=\\([^,]*\\),.*/\\1/p')
tree=$2 results=$3
"""
# A machine that brings a status and a report.
BRINGS = """
work=$(mktemp -d)
echo "<testsuite tests='3' failures='1' errors='0' skipped='0'/>" > "$work/pytest.xml"
echo {status} > "$work/status"
tar -cf "$results" -C "$work" .
rm -r "$work"
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start scripts/vm with the text of a fake qemu; what it leaves is in tmp_path/netlab/vm."""
    started: list[subprocess.Popen[str]] = []

    def begin(fake: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / QEMU).write_text(DISKS + fake)
        (programs / "uname").write_text(UNAME)
        for name in (QEMU, "uname"):
            (programs / name).chmod(0o755)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PATH": path, "XDG_CACHE_HOME": str(tmp_path), "VM_IMAGE": str(tmp_path / "image")}
        process = subprocess.Popen(
            [VM, *arguments],
            env={**os.environ, **own, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def left(tmp_path: Path) -> list[str]:
    """What is in the cache after a run, without the results."""
    return [path.name for path in (tmp_path / "netlab" / "vm").iterdir() if not path.name.startswith("results-")]


@pytest.mark.parametrize(("status", "word"), [(0, "passed"), (1, "FAILED")])
def test_what_fails_inside_fails_outside(start: Start, tmp_path: Path, status: int, word: str) -> None:
    """The exit status is the machine's, the reports are brought back and summed up, and nothing else is left."""
    process = start(BRINGS.format(status=status) + "echo what the machine prints")
    out, err = process.communicate(timeout=60)
    (results,) = (tmp_path / "netlab" / "vm").glob("results-*")

    assert status == process.returncode, err
    assert "what the machine prints\n" == out
    assert ["pytest: 3 tests, 1 failures, 0 errors, 0 skipped", f"netlab: results: {results}", f"netlab: {word}"] == [
        line for line in err.splitlines() if line.startswith(("pytest", "netlab: results", f"netlab: {word}"))
    ]
    assert {"console", "pytest.xml", "status"} == {path.name for path in results.iterdir()}
    assert [] == left(tmp_path)


def test_the_machine_gets_the_clone_without_what_is_the_users_own(start: Start, tmp_path: Path) -> None:
    """The working tree, an empty .git, and the arguments of pytest; no environment and no history."""
    copy = tmp_path / "copy.tar"
    process = start(f"cp $tree {copy}" + BRINGS.format(status=0), "-k", "two words", "tests/vm")
    process.communicate(timeout=60)
    with tarfile.open(copy) as tree:
        names = {name.removeprefix("./") for name in tree.getnames()}
        arguments = tree.extractfile(".vm/arguments")
        assert arguments is not None
        last = arguments.read().decode().splitlines()[-3:]

    assert ["-k", "two words", "tests/vm"] == last
    assert {"scripts/vm-inside", "netlab/__init__.py", "tests/vm/test_link_kinds.py", ".git"} <= names
    assert [] == [name for name in names if name.startswith((".venv", ".git/")) or "__pycache__" in name]


def test_a_machine_that_ends_without_a_result_has_failed(start: Start, tmp_path: Path) -> None:
    """A kernel that panics writes no status."""
    process = start("echo Kernel panic")
    out, err = process.communicate(timeout=60)

    assert (1, "Kernel panic\n") == (process.returncode, out)
    assert "netlab: FAILED: the virtual machine ended without a result" == err.splitlines()[-1]
    assert [] == left(tmp_path)


def test_a_machine_that_does_not_end_is_ended(start: Start, tmp_path: Path) -> None:
    """After VM_SECONDS, and that is a failure."""
    process = start("exec sleep 600", VM_SECONDS="1")
    _, err = process.communicate(timeout=60)

    assert 1 == process.returncode
    assert "netlab: it did not end within 1 seconds, and was ended" in err.splitlines()
    assert [] == left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupt_ends_the_machine(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """It does not run on where nothing shows it."""
    noted = tmp_path / "pid"
    process = start(f"echo $$ > {noted}.new; mv {noted}.new {noted}; exec sleep 600")
    while not noted.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=60)

    assert 130 == process.returncode
    assert not Path("/proc", noted.read_text().strip()).exists()
    assert [] == left(tmp_path)


def test_a_user_without_qemu_is_given_the_command_that_installs_it(tmp_path: Path) -> None:
    """Exit status 3, and nothing is made."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "uname", "sh"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    for name, text in (("id", "echo 1000"), ("apt-get", "exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    # scripts/vm looks in the sbin directories too; qemu is in none of them.
    done = subprocess.run(
        [VM],
        env={"PATH": str(programs), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 3 == done.returncode
    assert (
        "netlab: missing: qemu-system-x86; type once: sudo apt-get install -y --no-install-recommends qemu-system-x86"
        == done.stderr.strip()
    )
    assert not (tmp_path / "cache").exists()
