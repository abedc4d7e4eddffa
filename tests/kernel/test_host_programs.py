"""Programs of a lab in the host's network namespace: a control plane, and what changes labs beside the commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.kernel import daemons, loopback
from netlab.kernel.program import Program

pytestmark = pytest.mark.kernel


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "programs" / "one"
    yield place
    daemons.stop(place)


def said(folder: Path, last: str) -> list[str]:
    """Return the output when it has a line."""
    for _ in daemons._pauses(10):
        if last in daemons.output(folder).splitlines():
            break
    return daemons.output(folder).splitlines()


def test_a_program_without_a_namespace_is_in_that_of_the_host(folder):
    """It is still user nobody in its own mounts, without capabilities."""
    program = Program("", ("sh", "-c", "id -u; ls /run/netlab; echo end; exec sleep 60"))
    daemons.start(program, folder)
    pid = daemons.running(folder)
    status = Path(f"/proc/{pid}/status").read_text()

    assert os.stat("/proc/self/ns/net").st_ino == os.stat(f"/proc/{pid}/ns/net").st_ino
    assert "CapEff:\t0000000000000000" in status
    assert ["65534", "output", "process", "end"] == said(folder, "end")
    assert daemons.runs(program, folder)


def test_the_host_keeps_its_settings(folder):
    """In a namespace of a lab, a program may listen on port 53; the host is as it was."""
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    before = setting.read_text()
    daemons.start(Program("", ("sleep", "60")), folder)

    assert before == setting.read_text()


def test_a_program_writes_in_its_directories_and_nowhere_else(folder):
    """etcd keeps its data there."""
    script = "echo x > /run/netlab/data/file; echo x > /run/netlab/other || echo refused; echo end; exec sleep 60"
    daemons.start(Program("", ("sh", "-c", script), folders=("data",)), folder)

    assert "refused" in said(folder, "end")
    assert "x\n" == (folder / "data" / "file").read_text()
    assert 0o700 == (folder / "data").stat().st_mode & 0o777


def test_a_program_may_write_large_files_where_it_says_so(folder):
    """A database grows; all other programs are held to 64 MB."""
    script = "truncate -s 100M /run/netlab/data/file && echo large; echo end; exec sleep 60"
    for most, lines in ((64 << 20, ["end"]), (1 << 30, ["large", "end"])):
        daemons.start(Program("", ("sh", "-c", script), folders=("data",), largest_file=most), folder)

        assert lines == [line for line in said(folder, "end") if line in ("large", "end")]
        daemons.stop(folder)
        (folder / "output").unlink()


def test_a_privileged_program_keeps_user_and_mounts_of_its_caller(folder):
    """It changes labs as a command does, and ends as every program does."""
    port = loopback.free_ports(1)[0]
    program = Program(
        "", (str(port), str(folder / "none")), "netlab.programs.health", (("tcp", port),), privileged=True
    )
    daemons.start(program, folder)
    pid = daemons.running(folder)

    assert pid is not None
    assert "Uid:\t0\t0\t0\t0" in Path(f"/proc/{pid}/status").read_text()
    assert os.stat("/proc/self/ns/mnt").st_ino == os.stat(f"/proc/{pid}/ns/mnt").st_ino
    assert os.stat("/proc/self/ns/pid").st_ino == os.stat(f"/proc/{pid}/ns/pid").st_ino
    daemons.stop(folder)
    assert daemons.running(folder) is None
