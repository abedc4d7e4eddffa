"""A program that a file names has no process and no socket of the host beside it, and ends with all that it starts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.kernel import apart, libc, netns, sudo_user
from netlab.kernel.captured import ProcessResult, captured
from netlab.kernel.execute import execute

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("apart")]


def run(monkeypatch: pytest.MonkeyPatch, script: str, seconds: float = 20.0) -> ProcessResult:
    """Run a shell script as a scenario's program, without a network namespace of its own."""
    monkeypatch.setattr(netns, "enter", lambda name: libc.unshare(libc.CLONE_NEWNET))
    argv = ("sh", "-c", script)
    return captured(lambda: execute("none", argv, user=sudo_user.confined()), seconds)


def test_a_program_ends_as_it_does_without_this(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit status and its signal are seen outside."""
    assert [(3, "out\n"), (-signal.SIGTERM, ""), (-signal.SIGKILL, ""), (0, "")] == [
        (found.status, found.stdout)
        for found in (
            run(monkeypatch, "echo out; exit 3"),
            run(monkeypatch, "kill -TERM $$"),
            run(monkeypatch, "kill -KILL $$"),
            run(monkeypatch, "exit 0"),
        )
    ]


def test_it_sees_and_signals_no_process_of_its_user_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of every lab have this user: it could end them, and read keys by their /proc."""
    other = subprocess.Popen(["sleep", "60"], user=65534, group=65534, extra_groups=[])
    try:
        found = run(monkeypatch, f"ls -d /proc/[0-9]*; kill -9 -1; kill -9 {other.pid}; ls /proc/{other.pid}/root")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()

    assert {"/proc/1", "/proc/2"} <= set(found.stdout.split()) <= {"/proc/1", "/proc/2", "/proc/3"}


def test_it_cannot_reach_its_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """That one is root's, and has netlab's memory."""
    found = run(monkeypatch, "ls /proc/1/fd || cat /proc/1/environ /proc/1/mem || kill -9 1 || echo refused")

    assert "refused\n" == found.stdout


def test_what_it_starts_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a session of its own."""
    mark = f"60{os.getpid()}"
    found = run(monkeypatch, f"setsid sleep {mark} & sleep 0.2")

    assert 0 == found.status
    assert not _runs(mark)


def test_all_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel ends the process namespace with its first process, and that one with its parent."""
    mark = f"61{os.getpid()}"
    found = run(monkeypatch, f"setsid sleep {mark} & sleep {mark}", 1.0)

    assert found.status is None
    assert not _runs(mark)


def test_it_inherits_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """netlab's own caller may have left one open that only root may have."""
    with open("/etc/shadow", "rb") as file:
        fd = fcntl.fcntl(file.fileno(), fcntl.F_DUPFD, 200)
        try:
            found = run(monkeypatch, "ls /proc/self/fd")
        finally:
            os.close(fd)

    assert {"0", "1", "2"} <= set(found.stdout.split()) <= {"0", "1", "2", "3"}


def test_it_has_no_unix_socket_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service behind one, such as D-Bus, would ask servers outside of the lab."""
    path = f"/tmp/apart-{os.getpid()}"  # noqa: S108  every user reaches it, unlike pytest's
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        try:
            os.chmod(path, 0o777)  # noqa: S103  as D-Bus's is
            server.listen()
            listed = path in apart.host_sockets()
            found = run(monkeypatch, f"test -S {path} && echo seen; exit 0")
        finally:
            os.unlink(path)

    assert (True, "") == (listed, found.stdout)


def test_its_memory_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has bounds of processes and files, and dumps no core."""
    found = run(monkeypatch, "ulimit -c; cat /proc/self/oom_score_adj; grep processes /proc/self/limits")

    assert ["0", "1000", "512"] == [*found.stdout.split()[:2], found.stdout.split()[4]]


def _runs(mark: str) -> bool:
    """Say whether a program with a word of its command line runs, after a second at most."""
    for _ in range(20):
        found = False
        for one in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found |= mark.encode() in one.read_bytes().split(b"\0")
            except OSError:
                continue
        if not found:
            return False
        time.sleep(0.05)
    return True


def test_a_program_is_counted_apart_from_all_others_of_user_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control planes and pods have thousands of threads of that user, and a program may have 512."""
    with _threads_of_nobody(600):
        found = run(monkeypatch, "(id -u) & wait; exit 3")

    assert (3, "65534\n", "") == (found.status, found.stdout, found.stderr)


@contextlib.contextmanager
def _threads_of_nobody(number: int) -> Iterator[None]:
    ready, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            sudo_user.become(sudo_user.User(sudo_user.NOBODY, sudo_user.NOBODY))
            threading.stack_size(1 << 16)
            for _ in range(number):
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            os.write(say, b"!")
            time.sleep(600)
        finally:
            os._exit(1)
    os.close(say)
    try:
        assert b"!" == os.read(ready, 1)
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
