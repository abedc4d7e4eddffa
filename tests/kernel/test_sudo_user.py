"""The user who called sudo, and the user that a program runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from netlab.errors import HostError, UsageError
from netlab.kernel import nft, privilege, sudo_user

NOBODY = pwd.getpwnam("nobody")
VARIABLES = ("SUDO_UID", "SUDO_GID", "PKEXEC_UID", "DOAS_USER")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in VARIABLES:
        monkeypatch.delenv(key, raising=False)


def test_a_user_by_name_and_by_number() -> None:
    """With all groups and environment variables of the user."""
    by_name, by_number = sudo_user.named("nobody"), sudo_user.named(str(NOBODY.pw_uid))

    assert by_name == by_number
    assert (NOBODY.pw_uid, NOBODY.pw_gid) == (by_name.uid, by_name.gid)
    assert set(os.getgrouplist("nobody", NOBODY.pw_gid)) == set(by_name.groups)
    assert {"HOME": NOBODY.pw_dir, "LOGNAME": "nobody", "USER": "nobody"}.items() <= by_name.environment.items()


def test_a_number_without_a_user_needs_its_group() -> None:
    """No group is guessed."""
    known = sudo_user.named("54321:54322")

    assert (54321, 54322, (54322,), {}) == (known.uid, known.gid, known.groups, known.environment)
    with pytest.raises(UsageError, match="'54321': no user of this host, so name the group too: 54321:GID"):
        sudo_user.named("54321")


@pytest.mark.parametrize(
    "text", ["no-such-user", "", ":5", "nobody:", "nobody:x", "1:-1", "4294967295:0", "1:99999999999"]
)
def test_what_names_no_user(text: str) -> None:
    """One line."""
    with pytest.raises(UsageError):
        sudo_user.named(text)


@pytest.mark.parametrize(
    ("variables", "uid", "gid"),
    [
        ({"SUDO_UID": "54321", "SUDO_GID": "54322"}, 54321, 54322),
        ({"SUDO_UID": str(NOBODY.pw_uid)}, NOBODY.pw_uid, NOBODY.pw_gid),
        ({"PKEXEC_UID": str(NOBODY.pw_uid)}, NOBODY.pw_uid, NOBODY.pw_gid),
        ({"DOAS_USER": "nobody"}, NOBODY.pw_uid, NOBODY.pw_gid),
    ],
)
def test_the_environment_names_the_caller(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], uid: int, gid: int
) -> None:
    """The variables of sudo, pkexec and doas."""
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    found = sudo_user.caller()

    assert found is not None
    assert (uid, gid, True) == (found.uid, found.gid, sudo_user.elevated())


@pytest.mark.parametrize("variables", [{}, {"SUDO_UID": "0", "SUDO_GID": "0"}, {"SUDO_UID": ""}])
def test_root_itself_is_no_other_user(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Its programs run as root."""
    for key, value in variables.items():
        monkeypatch.setenv(key, value)

    assert sudo_user.caller() is None


def test_an_unknown_caller_is_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs."""
    monkeypatch.setenv("SUDO_UID", "me")
    with pytest.raises(UsageError, match="name one with --user"):
        sudo_user.caller()


def test_without_root_there_is_no_other_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo -u NAME sets the variables too, but the process is the user's own."""
    monkeypatch.setenv("SUDO_UID", "54321")
    monkeypatch.setattr(privilege, "rootless", lambda: True)

    assert (None, False) == (sudo_user.caller(), sudo_user.elevated())


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # type: ignore[misc]
    """A program named nft in a folder that comes first on PATH."""
    program = tmp_path / "nft"
    program.write_text("#!/bin/sh\necho planted\n")
    program.chmod(0o755)
    monkeypatch.setattr(nft, "_SEARCH", f"{tmp_path}:/usr/sbin")
    nft.program.cache_clear()
    yield program
    nft.program.cache_clear()


def test_nft_on_path_is_taken_from_root_itself(planted: Path) -> None:
    """Root's own PATH counts."""
    assert str(planted) == nft.program()


def test_nft_is_not_searched_on_the_path_of_the_caller_of_sudo(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo may be configured to keep PATH."""
    monkeypatch.setenv("SUDO_UID", "54321")
    found = nft.program()
    monkeypatch.setattr(nft, "_SYSTEM", "/nonexistent")
    nft.program.cache_clear()

    assert str(planted) != found
    with pytest.raises(HostError, match="no nft program in /nonexistent; install it"):
        nft.program()


def test_nft_has_an_environment_of_its_own(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables could make it load other libraries."""
    planted.write_text("#!/bin/sh\n/usr/bin/env\n")
    monkeypatch.setenv("XTABLES_LIBDIR", "/nonexistent")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nonexistent")
    found = {line.partition("=")[0] for line in nft.here("").splitlines()}

    assert found <= {"HOME", "LC_ALL", "PATH", "TERM", "PWD", "SHLVL", "_"}
