"""Programs in pods run as the caller of sudo, unless another user is named."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]
NOBODY = pwd.getpwnam("nobody")
SUDO = {"SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid), "SUDO_USER": "nobody"}
WHO = "echo $(id -u) $(id -g) $(id -G) $HOME; grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/self/status"
POWERLESS = {"CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapAmb": "0" * 16}


def who(done: subprocess.CompletedProcess[str]) -> tuple[list[str], dict[str, str]]:
    assert 0 == done.returncode, done.stderr
    first, *rest = done.stdout.splitlines()
    return first.split(), {key: value.strip() for key, _, value in (line.partition(":") for line in rest)}


def test_exec_under_sudo_runs_as_the_caller(program: Program, shared_lab: str) -> None:
    """No capability is left, with the user's groups and home; programs may gain privilege as they do on the host."""
    printed, powers = who(program("exec", "shop/web", "--lab", shared_lab, "--", "/bin/sh", "-c", WHO, **SUDO))
    uid, gid = str(NOBODY.pw_uid), str(NOBODY.pw_gid)

    assert [uid, gid, gid, NOBODY.pw_dir] == printed
    assert POWERLESS | {"NoNewPrivs": "0"} == powers


def test_shell_under_sudo_is_the_callers_shell(program: Program, shared_lab: str) -> None:
    """Here one whose user has no login."""
    done = program("shell", "shop/web", "--lab", shared_lab, text="id -u\n", SHELL="/bin/sh", **SUDO)

    assert "0" not in done.stdout.split()
    assert NOBODY.pw_shell.endswith("nologin")
    assert "not available" in done.stdout


def test_shell_of_a_user_without_an_entry_is_that_of_the_environment(program: Program, shared_lab: str) -> None:
    """SHELL, else /bin/sh."""
    own = {"SUDO_UID": "54321", "SUDO_GID": "54322"}
    done = program("shell", "shop/web", "--lab", shared_lab, text="id -u; hostname\n", SHELL="/bin/sh", **own)

    assert ["54321", "web-0"] == done.stdout.split()


@pytest.mark.parametrize("environment", [{}, SUDO], ids=["root", "sudo"])
@pytest.mark.parametrize(
    ("user", "uid", "gid"), [("root", "0", "0"), ("0", "0", "0"), ("54321:54322", "54321", "54322")]
)
def test_the_user_that_is_named(
    program: Program, shared_lab: str, environment: dict[str, str], user: str, uid: str, gid: str
) -> None:
    """For every caller of sudo; root stays root."""
    command = ("exec", "shop/web", "--lab", shared_lab, "--user", user, "--", "/bin/sh", "-c", WHO)
    printed, powers = who(program(*command, **environment))

    assert [uid, gid] == printed[:2]
    assert (powers["CapEff"] == "0" * 16) == (uid != "0")


def test_root_itself_stays_root(program: Program, shared_lab: str) -> None:
    """As before, without sudo."""
    printed, _ = who(program("exec", "shop/web", "--lab", shared_lab, "--", "/bin/sh", "-c", WHO))

    assert "0" == printed[0]


def anyones_python() -> str:
    """A Python that every user may run: a home directory's is often closed to others."""
    return "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


def test_a_user_without_privilege_may_send_echo_requests(program: Program, shared_lab: str) -> None:
    """As in a container: by a datagram socket, which ping takes where it has no privilege."""
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); print('may')"
    command = ("exec", "shop/db", "--lab", shared_lab, "--", anyones_python(), "-c", script)

    assert "may\n" == program(*command, **SUDO).stdout


def test_files_are_written_as_the_user(program: Program, shared_lab: str, tmp_path: Path) -> None:
    """Nothing that a program leaves in the user's folders is root's, and nothing of root's is overwritten."""
    folder = Path(f"/tmp/netlab-test-{shared_lab}")  # noqa: S108 - a folder that every user may enter
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        own = program("exec", "shop/web", "--lab", shared_lab, "--", "touch", folder / "own", **SUDO)
        roots = tmp_path / "roots"
        roots.touch(mode=0o600)
        other = program("exec", "shop/web", "--lab", shared_lab, "--", "cp", "/dev/null", roots, **SUDO)

        assert (0, NOBODY.pw_uid) == (own.returncode, (folder / "own").stat().st_uid)
        assert 1 == other.returncode
    finally:
        (folder / "own").unlink(missing_ok=True)
        folder.rmdir()


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--user", "no-such-user"], {}, "'no-such-user': no user 'no-such-user' on this host"),
        (["--user", "54321"], {}, "'54321': no user of this host, so name the group too: 54321:GID"),
        ([], {"SUDO_UID": "54321"}, "name one with --user"),
    ],
)
def test_mistakes(
    program: Program, shared_lab: str, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    """Exit code 2, and nothing runs."""
    done = program("exec", "shop/web", "--lab", shared_lab, *arguments, "--", "echo", "ran", **environment)

    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr


def test_no_open_file_of_netlabs_is_left_to_a_program(program: Program, shared_lab: str) -> None:
    """Standard input, output and error, and the folder that is listed."""
    done = program("exec", "shop/web", "--lab", shared_lab, "--", "ls", "/proc/self/fd", **SUDO)

    assert ["0", "1", "2", "3"] == done.stdout.split()
