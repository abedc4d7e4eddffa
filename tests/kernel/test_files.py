"""Private files: written whole, closed to other users, and not read where another user could have written them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.kernel.files import Unsafe, check_private, make_private, read_private, write_private
from netlab.kernel.lock import Lock

OTHER = 4_000_001


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Every umask that a user may have, and the strangest."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    """Directories 0700, files and locks 0600."""
    directory = tmp_path / "d"
    make_private(directory)
    write_private(directory / "f", b"x")
    lock = Lock(directory / "l")
    lock.acquire()
    lock.release()

    assert (0o700, 0o600, 0o600) == (mode(directory), mode(directory / "f"), mode(directory / "l"))
    assert b"x" == read_private(directory / "f", 10)


def test_a_directory_that_was_too_open_is_closed(tmp_path: Path) -> None:
    """An older netlab made it with another mode."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o777)
    make_private(tmp_path / "d")

    assert 0o700 == mode(tmp_path / "d")


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """The message names the owner and how to remove the directory."""
    (tmp_path / "d").mkdir()
    os.chown(tmp_path / "d", OTHER, OTHER)

    with pytest.raises(HostError, match=f"d belongs to user {OTHER}; remove it: sudo rm -r"):
        make_private(tmp_path / "d")


def test_a_link_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    """Neither followed nor given another mode."""
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "d").symlink_to("real")

    with pytest.raises(NotADirectoryError):
        make_private(tmp_path / "d")
    with pytest.raises(Unsafe, match="is a symbolic link"):
        check_private(tmp_path / "d")
    assert 0o755 == mode(tmp_path / "real")


def test_a_draft_that_a_kill_left_is_replaced(tmp_path: Path) -> None:
    """Also where it is a link."""
    (tmp_path / "victim").write_text("as it was")
    (tmp_path / "f.new").symlink_to("victim")
    write_private(tmp_path / "f", b"x")

    assert "as it was" == (tmp_path / "victim").read_text()
    assert ["f", "victim"] == sorted(os.listdir(tmp_path))


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


UNSAFE: dict[str, tuple[Callable[[Path], object], str]] = {
    "another user's": (lambda path: os.chown(path, OTHER, OTHER), f"belongs to user {OTHER}"),
    "writable by its group": (lambda path: path.chmod(0o620), r"other users may write .*mode 0620"),
    "writable by others": (lambda path: path.chmod(0o666), r"other users may write .*mode 0666"),
    "a link": (linked, "is a symbolic link"),
    "a FIFO": (fifo, "is not a regular file"),
    "larger than anything that netlab writes": (lambda path: os.truncate(path, 1 << 40), "more than 10"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_what_another_user_could_have_written_is_not_read(tmp_path: Path, case: str) -> None:
    """A FIFO, for which a reader would wait, is not read either."""
    spoil, why = UNSAFE[case]
    write_private(tmp_path / "f", b"x")
    spoil(tmp_path / "f")

    with pytest.raises(Unsafe, match=why):
        read_private(tmp_path / "f", 10)
