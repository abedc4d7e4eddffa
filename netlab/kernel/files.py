"""Files that are written whole or not at all, and private files and directories of netlab.

The files in ``/run/netlab`` and in a user's keeper directory say what netlab removes as root. So files have mode 0600
and directories 0700 under every umask, and a file that another user could have written is not read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from netlab.errors import HostError

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unsafe(Exception):
    """A path that another user could have written, or of the wrong type; the message says what is wrong."""


@contextlib.contextmanager
def aside(name: str, draft: str, mode: int, directory: int | None = None) -> Iterator[IO[bytes]]:
    """Yield a new file ``draft``, which replaces ``name`` when the block ends without an exception.

    On any exception the draft is removed and ``name`` is as it was. A symbolic link called ``name`` is replaced and
    not followed. Names are relative to the descriptor ``directory`` where one is given.

    Raises:
      OSError: when the file cannot be written.
    """
    fd = os.open(draft, _NEW, mode, dir_fd=directory)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
        os.replace(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=directory)
        raise


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600, whole or not at all; the caller keeps other processes from writing it.

    Raises:
      OSError: when it cannot be written.
    """
    draft = path.with_name(f"{path.name}.new")
    # A killed command leaves its draft.
    draft.unlink(missing_ok=True)
    with aside(str(path), str(draft), 0o600) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)


def make_private(directory: Path) -> None:
    """Make a directory of mode 0700, or give an existing directory of the caller that mode.

    Raises:
      HostError: when another user owns what exists there.
      OSError: when it cannot be made, or is no directory.
      FileNotFoundError: when another process removes it meanwhile.
    """
    # pathlib's exist_ok looks at the directory a second time, and it may be gone by then.
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700, parents=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    if not _ours(status):
        raise HostError(f"{directory} belongs to user {status.st_uid}", f"remove it: sudo rm -r {directory}")
    if stat.S_IMODE(status.st_mode) != 0o700 and status.st_uid == os.geteuid():
        directory.chmod(0o700)


def check_private(directory: Path) -> None:
    """Raise Unsafe where another user could have written into a directory, or where it is none; raises OSError."""
    status = directory.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise Unsafe(f"{directory} is a symbolic link")
    if not stat.S_ISDIR(status.st_mode):
        raise Unsafe(f"{directory} is not a directory")
    _check(status, directory)


def read_private(path: Path, most: int) -> bytes:
    """Return the content of a file of at most ``most`` bytes that no other user could have written.

    Raises:
      Unsafe: where another user could have written it, or where it is larger, a link or no regular file.
      OSError: when it cannot be read.
    """
    if path.is_symlink():
        raise Unsafe(f"{path} is a symbolic link")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Unsafe(f"{path} is not a regular file")
        _check(status, path)
        if status.st_size > most:
            raise Unsafe(f"{path} has {status.st_size} bytes, more than {most}")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(fd)


def _check(status: os.stat_result, path: Path) -> None:
    if not _ours(status):
        raise Unsafe(f"{path} belongs to user {status.st_uid}")
    if status.st_mode & 0o022:
        raise Unsafe(f"other users may write {path} (mode {stat.S_IMODE(status.st_mode):04o})")


def _ours(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid())
