"""Output files that a user names: reports, tables, scenarios.

Users run netlab as root, also in directories where other users may make links. So a file is written under another name
and renamed, and its path may lead through no link of another user.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Literal

from netlab.errors import HostError, UsageError
from netlab.kernel import privilege, signals
from netlab.kernel.files import aside

# Files that are open already: a pipe of the shell (`>(cat)`), or the command's own output.
_OPEN = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_PATH = os.O_PATH | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# The kernel's limit: path_resolution(7).
_MOST_LINKS = 40
_MODE = 0o644
# Bytes: a larger file is none that ``remove`` removes.
_MOST_REMOVED = 1 << 20

Removal = Literal["removed", "missing", "changed"]


def check(path: str, option: str = "") -> None:
    """Check that a path can be an output file. Call it before the work whose result goes there.

    Args:
      path: the path, as the user named it.
      option: the option that has it, for messages.

    Raises:
      UsageError: where the directory is missing, or the path is a directory, a device or a FIFO.
      HostError: where the directory cannot be entered.
    """
    if is_open(path):
        return
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"{option} {path}: no directory {folder}".lstrip())
    with _host_errors(path), _directory(path) as directory:
        _old_mode(path, directory)


def write(path: str, lines: Iterable[str], *, private: bool = False) -> None:
    """Write a file whole or not at all; a failure leaves the old file unchanged.

    A ``private`` file has mode 0600. A symbolic link under the name is replaced and not followed. Under sudo the file
    belongs to the caller of sudo if the directory does. ``/dev/null``, ``/dev/stdout``, ``/dev/stderr`` and
    ``/dev/fd/N`` are opened and written.

    Raises:
      UsageError: where the path is a directory, a device or a FIFO.
      HostError: when it cannot be written.
    """
    with _host_errors(path):
        if is_open(path):
            _write_open(path, lines)
            return
        with _draft(path, private=private) as file:
            file.writelines(line.encode(errors="replace") for line in lines)


def remove(path: str, checksum: str) -> Removal:
    """Remove a file whose content has this SHA-256; say whether it was removed, is not there, or differs.

    Whatever else has the name stays: it is "changed".

    Raises:
      UsageError: where the path leads through a link of another user.
      HostError: when it cannot be read or removed.
    """
    from hashlib import sha256

    name = os.path.basename(path)
    with _host_errors(path), contextlib.suppress(FileNotFoundError), _directory(path) as directory:
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return "changed"
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        with os.fdopen(fd, "rb") as file:
            if sha256(file.read(_MOST_REMOVED)).hexdigest() != checksum:
                return "changed"
        os.unlink(name, dir_fd=directory)
        return "removed"
    return "missing"


def create(path: str, lines: Iterable[str]) -> bool:
    """Write a new file; return whether it was written. Whatever has the name already stays, links too.

    Under sudo the file belongs to the caller of sudo if the directory does. A failure leaves no file.

    Raises:
      HostError: when it cannot be written.
    """
    name = os.path.basename(path)
    with _host_errors(path), _directory(path) as directory:
        try:
            fd = os.open(name, _NEW, _MODE, dir_fd=directory)
        except FileExistsError:
            return False
        try:
            with os.fdopen(fd, "wb") as file:
                _own(file.fileno(), directory)
                file.writelines(line.encode(errors="replace") for line in lines)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=directory)
            raise
    return True


def make_directories(path: str) -> None:
    """Make a directory and those above it that are missing, as ``make_directory`` does; one that exists stays as it is.

    Raises:
      UsageError: where a part of the path is not a directory.
      HostError: when it cannot be made.
    """
    path = path.rstrip("/") or "/"
    if os.path.isdir(path):
        return
    if above := os.path.dirname(path):
        make_directories(above)
    make_directory(path)


class Stream:
    """A file that grows. ``write`` writes all of its bytes or, to a ``regular`` file, none."""

    def __init__(self, fd: int, path: str, *, regular: bool) -> None:
        self._fd, self._path, self.regular = fd, path, regular
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write bytes at once, without a buffer.

        Raises:
          BrokenPipeError: when the reader of a pipe is gone.
          HostError: when it cannot be written.
        """
        # A pipe may have a reader that stalls, so only a regular file is written without interrupts.
        with _host_errors(self._path), signals.deferred() if self.regular else contextlib.nullcontext():
            self._write(data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            if self.regular:
                os.ftruncate(self._fd, self.size)
                os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(data)


@contextlib.contextmanager
def stream(path: str) -> Iterator[Stream]:
    """Yield a file for bytes that come over time; it gets its name when the block ends, also by an exception.

    So an interrupted command, or a full disk, leaves what was written until then. If nothing was written, an exception
    leaves the old file. Links, owners and open files are as for ``write``; the path ``-`` is standard output.

    Raises:
      UsageError: where the path is a directory, a device or a FIFO, or standard output is a terminal.
      HostError: when it cannot be written.
    """
    path = "/dev/stdout" if path == "-" else path
    with _host_errors(path):
        if is_open(path):
            with _open_stream(path) as opened:
                yield opened
            return
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_draft(path))
            opened = Stream(file.fileno(), path, regular=True)
            failure: BaseException | None = None
            try:
                yield opened
            except BaseException as error:
                failure = error
                if not opened.size:
                    raise
            with signals.deferred():
                stack.close()
            if failure is not None:
                raise failure


@contextlib.contextmanager
def _open_stream(path: str) -> Iterator[Stream]:
    fd = _opened(_number(path))
    try:
        if os.isatty(fd):
            raise UsageError(f"{path} is a terminal; write to a file or a pipe")
        yield Stream(fd, path, regular=False)
    finally:
        os.close(fd)


def make_directory(path: str) -> None:
    """Make a directory if there is none; its parent exists. Under sudo it belongs to the caller if the parent does.

    Raises:
      UsageError: where something else is there, or the path leads through a link of another user.
      HostError: when it cannot be made.
    """
    path = path.rstrip("/") or "/"
    name = os.path.basename(path)
    try:
        with _directory(path) as parent:
            made = True
            try:
                os.mkdir(name, 0o755, dir_fd=parent)
            except FileExistsError:
                made = False
            fd = os.open(name or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                # Another process may have put another directory in its place.
                if made and os.fstat(fd).st_uid == os.geteuid() and not os.listdir(fd):
                    _own(fd, parent)
            finally:
                os.close(fd)
    except NotADirectoryError as error:
        raise UsageError(f"{path} is not a directory") from error
    except OSError as error:
        # O_NOFOLLOW refuses a link in this way.
        if error.errno == errno.ELOOP:
            raise UsageError(f"{path} is a symbolic link; name the directory itself") from error
        raise HostError(f"cannot make the directory {path}: {error.strerror}") from error


def is_open(path: str) -> bool:
    """Return whether a path stands for a file that is open already, such as standard output, or for /dev/null."""
    return path == os.devnull or path in _STREAMS or _OPEN.fullmatch(path) is not None


def _number(path: str) -> int | None:
    """Return the number of the open file that a path stands for, None for /dev/null."""
    match = _OPEN.fullmatch(path)
    return int(match[1]) if match else _STREAMS.get(path)


def _opened(number: int | None) -> int:
    """Return a descriptor of an open file, or of /dev/null; the caller closes it."""
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC) if number is None else os.dup(number)


def _write_open(path: str, lines: Iterable[str]) -> None:
    number = _number(path)
    if number in (1, 2):
        stream = sys.stdout if number == 1 else sys.stderr
        stream.writelines(lines)
        stream.flush()
        return
    with os.fdopen(_opened(number), "wb") as file:
        file.writelines(line.encode(errors="replace") for line in lines)


@contextlib.contextmanager
def _host_errors(path: str) -> Iterator[None]:
    """Turn an OSError of the block into a HostError, but for a pipe whose reader is gone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error


@contextlib.contextmanager
def _draft(path: str, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Yield a new file that replaces the one at ``path`` when the block ends, and is removed if the block raises."""
    with _directory(path) as directory:
        mode = (0o600 if private else _MODE) & _old_mode(path, directory)
        with aside(os.path.basename(path), f".netlab-{os.urandom(8).hex()}", mode, directory) as file:
            _own(file.fileno(), directory)
            yield file


def _old_mode(path: str, directory: int) -> int:
    """Return the mode of the existing file, all bits where there is none. So a private file stays private.

    Raises:
      UsageError: where the path is not a file.
    """
    name = os.path.basename(path)
    if name in ("", ".", ".."):
        raise UsageError(f"{path} is a directory; name a file")
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0o777
    if stat.S_ISREG(mode):
        return stat.S_IMODE(mode)
    if stat.S_ISLNK(mode):
        return 0o777
    what = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    raise UsageError(f"{path} is {what.get(stat.S_IFMT(mode), 'a device')}; name a file")


# --- the directory --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _directory(path: str) -> Iterator[int]:
    """Yield a descriptor of the directory that a file is in; raises OSError, UsageError."""
    folder = os.path.dirname(path) or "."
    # Without root, netlab can write only what its user can write.
    fd = _walk(path, folder) if _is_root() else os.open(folder, _PATH | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def _walk(path: str, folder: str) -> int:
    """Open a directory part by part. Only links of root and of the caller of sudo are followed."""
    trusted = {0, *(_sudo() or ())[:1]}
    here = os.open("/" if folder.startswith("/") else ".", _PATH | os.O_DIRECTORY)
    left = folder.split("/")[::-1]
    links = 0
    try:
        while left:
            part = left.pop()
            if not part:
                continue
            there = os.open(part, _PATH | os.O_NOFOLLOW, dir_fd=here)
            status = os.fstat(there)
            if not stat.S_ISLNK(status.st_mode):
                os.close(here)
                here = there
                continue
            target = os.readlink("", dir_fd=there)
            os.close(there)
            if status.st_uid not in trusted:
                raise UsageError(
                    f"{path}: {part} is a symbolic link of user {status.st_uid}, which root does not follow"
                )
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", _PATH | os.O_DIRECTORY)
            left += target.split("/")[::-1]
    except BaseException:
        os.close(here)
        raise
    return here


# --- the owner ----------------------------------------------------------------------------------------------------


def _is_root() -> bool:
    """Return whether this process is the host's root, and not root of an ordinary user's user namespace."""
    return os.geteuid() == 0 and not privilege.rootless()


def _sudo() -> tuple[int, int] | None:
    """Return the user id and group id of the caller of sudo, None where the environment has none."""
    texts = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if not all(re.fullmatch("[0-9]{1,10}", text) for text in texts):
        return None
    uid, gid = map(int, texts)
    # The last number means "no change" to chown(2).
    return (uid, gid) if max(uid, gid) < 0xFFFFFFFF else None


def _own(fd: int, directory: int) -> None:
    """Give a new file or folder to the caller of sudo, if the directory is that user's."""
    user = _sudo() if _is_root() else None
    if user is not None and os.fstat(directory).st_uid == user[0]:
        # Some file systems have no owners.
        with contextlib.suppress(PermissionError):
            os.fchown(fd, *user)
