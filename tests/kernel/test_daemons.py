"""Programs that a lab runs: without privilege, found by id and start time, ended with their namespaces."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.errors import HostError, KernelError
from netlab.kernel import daemons, libc, processes
from netlab.kernel.program import Program

CAT = ("sh", "-c", "cat; echo said; exec sleep 60")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a program, which is ended.

    The first process of a process namespace ends by SIGTERM only where it handles it; ``sleep`` does not.
    """
    monkeypatch.setattr(daemons, "_GRACE", 0.1)
    monkeypatch.setattr(processes, "_GRACE", 0.2)
    place = tmp_path / "programs" / "one"
    yield place
    daemons.stop(place)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_a_program_runs_in_the_namespace_without_privilege(spaces, folder):
    """It is user nobody without groups and capabilities, and can gain no capability."""
    (space,) = spaces("daemon")
    daemons.start(Program(space, CAT), folder)
    pid = daemons.running(folder)

    assert pid is not None
    status = status_of(pid)
    assert {"65534"} == {*status["Uid"].split(), *status["Gid"].split()}
    assert ("", "1") == (status["Groups"], status["NoNewPrivs"])
    assert {"0" * 16} == {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    assert os.stat(f"/run/netns/{space}").st_ino == os.stat(f"/proc/{pid}/ns/net").st_ino


def test_a_program_inherits_no_descriptor_and_is_no_child(spaces, folder, tmp_path):
    """It has /dev/null and its output, a session of its own, and another parent."""
    (space,) = spaces("daemon")
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        daemons.start(Program(space, ("sleep", "60")), folder)
    finally:
        os.close(inherited)
    pid = daemons.running(folder)
    # A program opens files for a moment while it starts: its libraries and its locale.
    for _ in daemons._pauses(5):
        opened = sorted(os.listdir(f"/proc/{pid}/fd"))
        if len(opened) == 3:
            break

    assert ["0", "1", "2"] == opened
    files = [os.readlink(f"/proc/{pid}/fd/{number}") for number in opened]
    assert ["/dev/null", f"{folder}/output", f"{folder}/output"] == files
    assert os.getsid(0) != os.getsid(pid or 0)
    assert str(os.getpid()) != status_of(pid or 0)["PPid"]


def test_a_program_sees_its_folder_and_a_temporary_directory_of_its_own(spaces, folder):
    """The other files of /run/netlab are hidden, and the folder cannot be written."""
    (space,) = spaces("daemon")
    daemons.write(folder, "data", b"what it reads\n")
    script = "ls /run/netlab /tmp; cat /run/netlab/data; touch /run/netlab/x || echo refused; echo; exec sleep 60"
    daemons.start(Program(space, ("sh", "-c", script)), folder)
    for _ in daemons._pauses(5):
        if "refused" in daemons.output(folder):
            break

    said = daemons.output(folder).splitlines()
    assert ["data", "output", "process", "what it reads"] == [line for line in said[:7] if line and line[0] != "/"]


def test_a_program_sees_no_program_of_another_lab(spaces, folder, tmp_path):
    """Both have the same user, which could signal the other and read its keys."""
    space, other = spaces("daemon", "other")
    daemons.start(Program(other, ("sleep", "60")), tmp_path / "programs" / "other.one")
    pid = daemons.running(tmp_path / "programs" / "other.one")
    script = f"ls /proc/{pid}/root || kill -9 {pid} || kill -9 -1 || ls -d /proc/[0-9]*; echo said; exec sleep 60"
    daemons.start(Program(space, ("sh", "-c", script)), folder)
    for _ in daemons._pauses(5):
        if "said" in daemons.output(folder).splitlines():
            break

    assert pid == daemons.running(tmp_path / "programs" / "other.one")
    assert "/proc/1" in daemons.output(folder).splitlines()
    daemons.stop(tmp_path / "programs" / "other.one")


def test_a_module_runs_as_a_user_that_cannot_read_the_interpreter(spaces, folder):
    """The interpreter is started before the privilege is given up, and the module listens on a low port."""
    (space,) = spaces("daemon")
    program = Program(
        space, ("53", "/run/netlab/none"), "netlab.programs.dns_server", (("tcp", 53), ("udp", 53)), "", ("dns",)
    )
    daemons.start(program, folder)

    assert daemons.runs(program, folder)
    assert "65534" in status_of(daemons.running(folder) or 0)["Uid"]


def test_a_program_that_was_killed_is_not_running(spaces, folder):
    (space,) = spaces("daemon")
    program = Program(space, ("sleep", "60"))
    daemons.start(program, folder)
    assert daemons.runs(program, folder)
    assert not daemons.runs(Program(space, ("sleep", "61")), folder)

    daemons.send(folder, signal.SIGKILL)
    for _ in daemons._pauses(5):
        if daemons.running(folder) is None:
            break

    assert not daemons.runs(program, folder)


def test_a_program_that_ignores_sigterm_is_killed(spaces, folder):
    """After the time that a program has to end by itself."""
    (space,) = spaces("daemon")
    daemons.start(Program(space, ("sleep", "60")), folder)
    pid = daemons.running(folder)
    assert pid is not None
    daemons.stop(folder)

    assert daemons.running(folder) is None
    assert "" == processes.started(pid)


def test_a_program_that_handles_sigterm_ends_by_itself(spaces, folder, monkeypatch):
    """It is not killed while it has time."""
    (space,) = spaces("daemon")
    monkeypatch.setattr(daemons, "_GRACE", 10)
    script = "trap 'echo ended by itself; exit 0' TERM; echo ready; sleep 60 & wait"
    daemons.start(Program(space, ("sh", "-c", script)), folder)
    for _ in daemons._pauses(5):
        if "ready" in daemons.output(folder):
            break
    daemons.stop(folder)

    assert ["ready", "ended by itself"] == daemons.output(folder).splitlines()


def test_a_program_ends_with_its_namespace(spaces, folder, kernel):
    (space,) = spaces("daemon")
    daemons.start(Program(space, CAT), folder)

    assert kernel.end([space]) >= 1
    assert daemons.running(folder) is None


def test_a_program_that_ends_at_once_is_an_error_with_its_last_line(spaces, folder):
    (space,) = spaces("daemon")
    with pytest.raises(HostError, match=r"ended at once.*no such luck"):
        daemons.start(Program(space, ("sh", "-c", "echo no such luck; exit 1"), listens=(("tcp", 1),)), folder)


def test_a_program_that_does_not_exist_is_an_error(spaces, folder):
    (space,) = spaces("daemon")
    with pytest.raises(HostError, match="cannot run no-such-program"):
        daemons.start(Program(space, ("no-such-program",)), folder)

    assert daemons.running(folder) is None


def test_a_namespace_that_is_gone_is_an_error(spaces, folder):
    spaces("daemon")
    with pytest.raises(KernelError, match="network namespace"):
        daemons.start(Program("netlab.no-such.space", ("true",)), folder)


def test_a_process_without_capabilities_gains_none():
    """This holds for user 0 too."""
    pid = os.fork()
    if pid == 0:
        libc.drop_capabilities()
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import os; os.chroot('/')"])  # noqa: S606
    _, status = os.waitpid(pid, 0)

    assert 0 != status
