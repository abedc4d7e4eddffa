"""A program's own files of /etc, if the host's are regular files, links or missing; on a copy of /etc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

# Prepares /etc and /run in a mount namespace of its own, gives the files, and prints what a program would read.
GIVE = """
import os, subprocess, sys
from netlab.kernel import etc_files, libc
libc.unshare(libc.CLONE_NEWNS)
libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
etc, run = sys.argv[1:3]
libc.mount(etc, "/etc", flags=libc.MS_BIND)
libc.mount(run, "/run", flags=libc.MS_BIND)
etc_files.give({"/etc/resolv.conf": "nameserver 192.0.2.1\\n", "/etc/hosts": "192.0.2.2\\tname\\n"})
for name in ("resolv.conf", "hosts", "nsswitch.conf"):
    print(open(f"/etc/{name}").read() if os.path.exists(f"/etc/{name}") else "missing")
print(sorted(os.listdir("/run/systemd/resolve")) if os.path.isdir("/run/systemd/resolve") else "")
print("bus:", os.listdir("/run/dbus"))
"""


def given(etc: Path, run: Path) -> str:
    """Return what a program reads; the host's folders are as before."""
    before = tree(etc), tree(run)
    done = subprocess.run([sys.executable, "-c", GIVE, str(etc), str(run)], capture_output=True, text=True, check=False)
    assert "" == done.stderr
    assert before == (tree(etc), tree(run))
    assert "nameserver 192.0.2.1\n" in done.stdout
    assert "192.0.2.2\tname\n" in done.stdout
    assert "bus: []\n" in done.stdout
    return done.stdout


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path): str(path.readlink()) if path.is_symlink() else path.read_text() for path in files}


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    place = tmp_path / "etc"
    place.mkdir()
    (place / "hosts").write_text("127.0.0.1 localhost\n")
    (place / "nsswitch.conf").write_text("passwd: files\nhosts: mymachines resolve [!UNAVAIL=return] dns\n")
    return place


@pytest.fixture
def run(tmp_path: Path) -> Path:
    place = tmp_path / "run"
    (place / "systemd/resolve").mkdir(parents=True)
    (place / "dbus").mkdir()
    (place / "dbus/system_bus_socket").write_text("as a socket\n")
    (place / "systemd/resolve/stub-resolv.conf").write_text("nameserver 127.0.0.53\n")
    (place / "systemd/resolve/io.systemd.Resolve").write_text("as a socket\n")
    return place


def test_a_regular_file(etc: Path, run: Path) -> None:
    (etc / "resolv.conf").write_text("nameserver 8.8.8.8\n")
    found = given(etc, run)

    assert "passwd: files\n\nhosts: files dns\n" in found
    assert "[]\n" in found


def test_a_link_to_the_file_of_systemd_resolved(etc: Path, run: Path) -> None:
    """The link stays. Its directory is hidden, and has no sockets."""
    (etc / "resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")

    assert "['stub-resolv.conf']" in given(etc, run)


@pytest.mark.parametrize("link", [True, False])
def test_a_link_that_leads_nowhere_and_a_missing_file(etc: Path, run: Path, link: bool) -> None:
    """``/etc`` becomes an overlay."""
    if link:
        (etc / "resolv.conf").symlink_to("/run/nowhere/resolv.conf")

    assert "[]" in given(etc, run)


def test_a_host_without_nsswitch(etc: Path, run: Path) -> None:
    """musl has none, and always asks files and DNS."""
    (etc / "resolv.conf").write_text("")
    (etc / "nsswitch.conf").unlink()

    assert "missing" in given(etc, run)
