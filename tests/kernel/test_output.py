"""Output files: written whole or not at all, through no link of another user, for the caller of sudo."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netlab.errors import HostError, UsageError
from netlab.kernel import output

REPOSITORY = Path(__file__).parents[2]
USER, OTHER = 4_000_001, 4_000_002


@pytest.fixture(autouse=True)
def without_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller of sudo for this test run."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.delenv("SUDO_GID", raising=False)


@pytest.fixture
def sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a command that a user called by sudo."""
    monkeypatch.setenv("SUDO_UID", str(USER))
    monkeypatch.setenv("SUDO_GID", str(USER))


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_the_umask_and_no_draft_is_left(tmp_path: Path, umask: int) -> None:
    """0644 less the umask: nothing that others may write."""
    output.write(str(tmp_path / "f"), ["one\n", "zwei ü\n"])

    assert "one\nzwei ü\n" == (tmp_path / "f").read_text("utf-8")
    assert 0o644 & ~umask == mode(tmp_path / "f")
    assert ["f"] == os.listdir(tmp_path)


def test_a_file_that_was_private_stays_so(tmp_path: Path) -> None:
    """It is another file that has its name now."""
    (tmp_path / "f").touch(mode=0o600)
    output.write(str(tmp_path / "f"), ["new"])

    assert ("new", 0o600) == ((tmp_path / "f").read_text(), mode(tmp_path / "f"))


@pytest.mark.parametrize("sticky", [False, True], ids=["in a directory", "in one like /tmp, by another user"])
def test_a_link_is_replaced_and_not_followed(tmp_path: Path, *, sticky: bool) -> None:
    """Its target stays unchanged; a dangling link is replaced too."""
    victim, place = tmp_path / "victim", tmp_path / "place"
    victim.write_text("as it was")
    place.mkdir()
    (place / "f").symlink_to(victim)
    (place / "g").symlink_to(tmp_path / "nowhere")
    if sticky:
        place.chmod(0o1777)
        os.lchown(place / "f", OTHER, OTHER)
    output.write(str(place / "f"), ["new"])
    output.write(str(place / "g"), ["new"])

    assert "as it was" == victim.read_text()
    assert ("new", "new") == ((place / "f").read_text(), (place / "g").read_text())
    assert ["place", "victim"] == sorted(os.listdir(tmp_path))
    assert not (place / "f").is_symlink()


def test_root_goes_through_no_link_of_another_user(tmp_path: Path) -> None:
    """Before any work is done; through links of its own it does."""
    (tmp_path / "real").mkdir()
    for name, owner in (("own", 0), ("theirs", OTHER)):
        (tmp_path / name).symlink_to(tmp_path / "real")
        os.lchown(tmp_path / name, owner, owner)
    output.write(str(tmp_path / "own/f"), ["x"])
    message = f"theirs is a symbolic link of user {OTHER}, which root does not follow"

    assert "x" == (tmp_path / "real/f").read_text()
    for act in (output.check, lambda path: output.write(path, ["y"])):
        with pytest.raises(UsageError, match=message):
            act(str(tmp_path / "theirs/g"))
        with pytest.raises(UsageError, match=message):
            act(str(tmp_path / "own/../theirs/../theirs/g"))
    assert ["f"] == os.listdir(tmp_path / "real")


@pytest.mark.usefixtures("sudo")
def test_under_sudo_the_links_of_the_user_are_followed(tmp_path: Path) -> None:
    """The user made them."""
    (tmp_path / "real").mkdir()
    (tmp_path / "users").symlink_to("real")
    os.lchown(tmp_path / "users", USER, USER)
    output.write(str(tmp_path / "users/f"), ["x"])

    assert "x" == (tmp_path / "real/f").read_text()


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    """As for the kernel."""
    (tmp_path / "round").symlink_to("round")

    with pytest.raises(UsageError, match="no directory"):
        output.check(str(tmp_path / "round/f"))


@pytest.mark.usefixtures("sudo")
@pytest.mark.parametrize(("owner", "expected"), [(USER, USER), (0, 0), (OTHER, 0)])
def test_under_sudo_a_file_belongs_to_the_user_where_the_directory_does(
    tmp_path: Path, owner: int, expected: int
) -> None:
    """Elsewhere it is root's, as for any program."""
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, owner, owner)
    output.write(str(place / "f"), ["x"])

    assert (expected, expected) == ((place / "f").stat().st_uid, (place / "f").stat().st_gid)


@pytest.mark.parametrize("uid", ["", "-1", "1e3", "0x10", "4294967295", "99999999999", "root", " 1 ", "\u0661"])
def test_an_invalid_user_number_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: str) -> None:
    """The file is root's."""
    monkeypatch.setenv("SUDO_UID", uid)
    monkeypatch.setenv("SUDO_GID", "1")
    os.chown(tmp_path, 1, 1)
    output.write(str(tmp_path / "f"), ["x"])

    assert 0 == (tmp_path / "f").stat().st_uid


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "directory": (Path.mkdir, "a directory"),
    "FIFO": (os.mkfifo, "a FIFO"),
    "device": (lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7)), "a device"),
    "socket": (bound, "a socket"),
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Before any work is done, and it is there afterwards."""
    make, what = NO_FILES[kind]
    make(tmp_path / "f")
    before = (tmp_path / "f").lstat()
    for act in (output.check, lambda path: output.write(path, ["x"])):
        with pytest.raises(UsageError, match=f"f is {what}; name a file"):
            act(str(tmp_path / "f"))

    assert os.path.samestat(before, (tmp_path / "f").lstat())
    assert ["f"] == os.listdir(tmp_path)


@pytest.mark.parametrize("path", ["", "f/", "f/.", "f/.."])
def test_a_path_without_a_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """It names a directory."""
    (tmp_path / "f").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="is a directory"):
        output.check(path)


def test_what_is_open_already_is_written_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """/dev/stdout, /dev/stderr, a shell's >(command), and /dev/null, which stays what it is."""
    read, write = os.pipe()
    for path in ("/dev/stdout", "/dev/stderr", os.devnull, f"/dev/fd/{write}", f"/proc/self/fd/{write}"):
        output.check(path)
        output.write(path, ["x\n"])
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "x\nx\n" == pipe.read()

    assert ("x\n", "x\n") == capfd.readouterr()
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_reader_that_went_away_is_not_a_full_disk() -> None:
    """A broken pipe has an exit code of its own."""
    read, write = os.pipe()
    os.close(read)
    try:
        with pytest.raises(BrokenPipeError):
            output.write(f"/dev/fd/{write}", ["x"])
    finally:
        os.close(write)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    """And no draft."""

    def lines() -> Iterator[str]:
        yield "new\n" * 100_000
        raise error

    (tmp_path / "f").write_text("old")
    with pytest.raises(error):
        output.write(str(tmp_path / "f"), lines())

    assert "old" == (tmp_path / "f").read_text()
    assert ["f"] == os.listdir(tmp_path)


# A file system of 64 KB, which nothing else sees.
FULL_DISK = """
import os, sys
from netlab.kernel import libc

libc.unshare(libc.CLONE_NEWNS)
libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
libc.mount("none", "/mnt", "tmpfs", data="size=64k")
open("/mnt/f", "w").write("old")
from netlab.cli import cli
try:
    cli(sys.argv[1:])
finally:
    print(sorted(os.listdir("/mnt")), open("/mnt/f").read())
"""


def on_a_full_disk(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def test_a_full_disk_leaves_the_old_file() -> None:
    """Exit code 3, one line, and no draft."""
    done = on_a_full_disk("conformance", "upstream/*", "--export", "/mnt/f")

    assert (3, "Error: cannot write /mnt/f: No space left on device\n") == (done.returncode, done.stderr)
    assert "['f'] old\n" == done.stdout


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's message, in one line."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(HostError, match=r"cannot write .*/f: Permission denied"):
        output.write(str(tmp_path / "f"), ["x"])

    assert [] == os.listdir(tmp_path)


# --- files that grow ------------------------------------------------------------------------------------------------


def test_a_stream_gets_its_name_at_the_end(tmp_path: Path) -> None:
    """Until then the old file stays; an interrupt leaves what was written."""
    file = tmp_path / "f"
    file.write_text("old")

    def interrupted() -> None:
        with output.stream(str(file)) as stream:
            stream.write(b"one")
            stream.write(b"two")
            assert "old" == file.read_text()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert b"onetwo" == file.read_bytes()
    assert ["f"] == os.listdir(tmp_path)


def test_a_stream_without_a_byte_leaves_the_old_file(tmp_path: Path) -> None:
    """The command failed before it began."""
    (tmp_path / "f").write_text("old")
    with pytest.raises(ValueError, match="x"), output.stream(str(tmp_path / "f")):
        raise ValueError("x")

    assert (["f"], "old") == (os.listdir(tmp_path), (tmp_path / "f").read_text())


def test_a_stream_that_cannot_grow_keeps_whole_parts(tmp_path: Path) -> None:
    """As on a full disk: the part that does not fit is left out, and the error is one line."""
    file, limits = tmp_path / "f", resource.getrlimit(resource.RLIMIT_FSIZE)

    def write() -> None:
        with output.stream(str(file)) as stream:
            stream.write(b"x" * 1000)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
            try:
                stream.write(b"y" * 1000)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with pytest.raises(HostError, match=f"cannot write {file}: File too large"):
        write()

    assert b"x" * 1000 == file.read_bytes()


def test_a_stream_is_no_device_and_no_terminal(tmp_path: Path) -> None:
    """Before anything is written."""
    os.mkfifo(tmp_path / "fifo")
    ours, theirs = os.openpty()
    try:
        for path, message in ((str(tmp_path / "fifo"), "is a FIFO"), (f"/dev/fd/{theirs}", "is a terminal")):
            with pytest.raises(UsageError, match=message), output.stream(path):
                pytest.fail("it was opened")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.usefixtures("sudo")
def test_a_new_file_replaces_nothing_and_belongs_to_the_user_where_the_directory_does(tmp_path: Path) -> None:
    """A file or a link of that name stays as it is."""
    os.chown(tmp_path, USER, USER)
    (tmp_path / "link").symlink_to("elsewhere")

    assert output.create(str(tmp_path / "f"), ["one"])
    assert not output.create(str(tmp_path / "f"), ["two"])
    assert not output.create(str(tmp_path / "link"), ["two"])
    assert ("one", USER) == ((tmp_path / "f").read_text(), (tmp_path / "f").stat().st_uid)
    assert ["f", "link"] == sorted(os.listdir(tmp_path))


def test_a_new_file_that_cannot_be_written_whole_is_removed(tmp_path: Path) -> None:
    """Its lines raise an exception."""

    def lines() -> Iterator[str]:
        yield "one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        output.create(str(tmp_path / "f"), lines())
    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize("owner", [USER, 0], ids=["of the user", "of root"])
def test_under_sudo_a_new_directory_belongs_to_the_user_where_its_parent_does(
    tmp_path: Path, sudo: None, owner: int
) -> None:
    """It has the mode of the umask; a directory that is there already stays as it is."""
    os.chown(tmp_path, owner, owner)
    (tmp_path / "old").mkdir()

    output.make_directory(str(tmp_path / "new"))
    output.make_directory(str(tmp_path / "old"))

    assert (owner, 0) == ((tmp_path / "new").stat().st_uid, (tmp_path / "old").stat().st_uid)
    assert 0 == mode(tmp_path / "new") & 0o022


def test_a_directory_is_made_through_no_link(tmp_path: Path) -> None:
    """A link or a file in its place is an error; so is a link of another user on the way."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "file").touch()
    os.lchown(tmp_path / "link", OTHER, OTHER)

    for name in ("link", "file", "link/inside"):
        with pytest.raises(UsageError):
            output.make_directory(str(tmp_path / name))

    assert [] == os.listdir(elsewhere)


def test_a_private_file_has_mode_0600(tmp_path: Path, umask: int) -> None:
    """It holds a key; no umask opens it."""
    output.write(str(tmp_path / "f"), ["secret\n"], private=True)

    assert 0o600 & ~umask == mode(tmp_path / "f") & ~umask
    assert not mode(tmp_path / "f") & 0o077


TEXT = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"


def test_a_file_is_removed_only_with_the_text_that_was_written(tmp_path: Path) -> None:
    """A user may have changed it, or put something else in its place."""
    own, changed, link, missing = (tmp_path / name for name in ("own", "changed", "link", "missing"))
    own.write_text("text")
    changed.write_text("text and more")
    link.symlink_to(changed)
    found = [output.remove(str(path), TEXT) for path in (own, changed, link, tmp_path, missing)]

    assert ["removed", "changed", "changed", "changed", "missing"] == found
    assert ["changed", "link"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_removal_follows_no_link_of_another_user(tmp_path: Path) -> None:
    """Root would remove what the link names."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "f").write_text("text")
    link = tmp_path / "link"
    link.symlink_to(target)
    os.lchown(link, OTHER, OTHER)

    with pytest.raises(UsageError, match="symbolic link of user"):
        output.remove(str(link / "f"), TEXT)
    assert (target / "f").exists()
