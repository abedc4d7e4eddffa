"""Network namespaces: made, pinned under a name as ``ip netns`` does, entered and removed.

A namespace is entered by setns(2) in the calling thread and never by a child process: a fork per namespace costs
8 to 10 ms in pyroute2, the system calls below 0.02 ms. setns is per thread, so a thread that cannot find its way back
must not go on: ``inside`` ends the process in that case.

Which namespaces are netlab's own is written down before they are pinned, name by name with their inode numbers: a
symbolic link, as it is made with its text by one system call. What is pinned under a name without a note, or is another
namespace than the note says, is not netlab's: it is not entered, nothing in it is ended, and it stays.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from netlab.errors import HostError, KernelError, NotFound, UsageError
from netlab.kernel import libc
from netlab.kernel.files import make_private

DIRECTORY = Path("/run/netns")
NOTES = Path("/run/netlab/.namespaces")
_TRIES = 50
_SELF = "/proc/thread-self/ns/net"
_NAME_MAX = 255


def is_name(text: str) -> bool:
    """Say whether a text can name a namespace: one file's name, that leads nowhere else and can be printed."""
    fits = 0 < len(text) <= _NAME_MAX and text.isprintable() and len(text.encode()) <= _NAME_MAX
    return fits and "/" not in text and text not in (".", "..")


def path(name: str) -> Path:
    """Return where the namespace of that name is pinned; raises UsageError for what is no namespace's name."""
    return Path(_pin(name))


def _pin(name: str) -> str:
    # Joining a Path takes longer than the system call that follows.
    if not is_name(name):
        raise UsageError(f"{name!r} is not the name of a network namespace")
    return f"{DIRECTORY}/{name}"


def _note(name: str) -> str:
    return f"{NOTES}/{name}"


def exists(name: str) -> bool:
    """Say whether a namespace of netlab's is pinned under the name (an empty file that a crash left is none)."""
    return inode(name) is not None


def inode(name: str) -> int | None:
    """Return the inode number of the namespace that netlab pinned under the name, None when there is none."""
    found = _pinned(name)
    return found if found == _noted(name) else None


def _pinned(name: str) -> int | None:
    """Return the inode number of whatever is mounted under the name, None when nothing is."""
    try:
        # A link may lead to any namespace, the host's own among them.
        status = os.lstat(_pin(name))
    except OSError:
        return None
    # A file that waits for its mount is on the device of its directory.
    return status.st_ino if status.st_dev == _nsfs() else None


@functools.cache
def _nsfs() -> int:
    """Return the device of nsfs, the file system of all namespaces: the kernel mounts it once (fs/nsfs.c)."""
    return os.stat(_SELF).st_dev


def claim(name: str, number: int) -> None:
    """Write down that the namespace of that inode number is netlab's own, and is or will be pinned under the name.

    Raises:
      OSError: when that cannot be written.
    """
    note = _note(name)
    for _ in range(_TRIES):
        try:
            os.symlink(str(number), note)
            return
        except FileExistsError:
            # A command that was killed before it pinned the namespace left it.
            _unclaim(name)
        except FileNotFoundError:
            make_private(NOTES)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), note)


def _unclaim(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_note(name))


def _noted(name: str) -> int | None:
    try:
        return int(os.readlink(_note(name)))
    except (OSError, ValueError):
        return None


def any_left() -> bool:
    """Say whether any namespace that netlab pinned is still there."""
    try:
        noted = os.listdir(NOTES)
    except FileNotFoundError:
        return False
    return any(map(exists, noted))


@contextlib.contextmanager
def returning() -> Iterator[None]:
    """Bring the thread back to the network namespace that it is in now, whatever the block does."""
    home = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _return(home)
        os.close(home)


def _return(home: int) -> None:
    for _ in range(_TRIES):
        try:
            libc.setns(home, libc.CLONE_NEWNET)
        except KernelError:
            # The kernel may be short of memory for a moment.
            time.sleep(0.01)
        else:
            return
    sys.stderr.write("netlab: cannot return to the first network namespace; ending\n")
    os._exit(70)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block with the calling thread in the named namespace.

    Raises:
      NotFound: when no namespace is pinned under the name.
    """
    with returning():
        enter(name)
        yield


def enter(name: str) -> None:
    """Move the calling thread into the named namespace for good.

    Raises:
      NotFound: when no namespace of netlab's is pinned under the name.
    """
    what = f"network namespace {name}"
    try:
        fd = os.open(_pin(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotFound(what, errno.ENOENT, "a link is in its place") from error
        raise KernelError.of(what, error.errno or 0) from error
    try:
        if os.fstat(fd).st_ino != _noted(name):
            raise NotFound(what, errno.ENOENT, "what is pinned there is not netlab's")
        libc.setns(fd, libc.CLONE_NEWNET)
    finally:
        os.close(fd)


def create(name: str) -> None:
    """Make a namespace, pin it under the name and leave the calling thread inside (call within ``returning``).

    Raises:
      AlreadyExists: when something is there under the name.
      HostError: when the caller has no privilege for it, or the place has no room.
      KernelError: when the kernel gives no more namespaces or mounts.
    """
    target = _pin(name)
    if os.path.lexists(target):
        raise KernelError.of(f"network namespace {name}", errno.EEXIST)
    libc.unshare(libc.CLONE_NEWNET)
    try:
        claim(name, os.stat(_SELF).st_ino)
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except OSError as error:
        with contextlib.suppress(OSError):
            _unclaim(name)
        if isinstance(error, FileExistsError):
            raise KernelError.of(f"network namespace {name}", errno.EEXIST) from error
        raise HostError(f"cannot write {target}: {error.strerror}") from error
    # What fails or is interrupted from here on is found by its note.
    libc.mount(_SELF, target, flags=libc.MS_BIND)


def remove(name: str) -> bool:
    """Unpin a namespace of netlab's and remove its file; say whether there was anything.

    The kernel frees it soon after. What is not netlab's stays.

    Raises:
      OSError: when the file cannot be removed.
    """
    target = _pin(name)
    noted, found = _noted(name), _pinned(name)
    if noted is None or (found is not None and found != noted):
        return False
    if found is not None:
        with contextlib.suppress(KernelError):
            libc.umount(target, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
    try:
        os.unlink(target)
    except FileNotFoundError:
        there = False
    else:
        there = True
    _unclaim(name)
    return there


def missing_directory() -> list[str]:
    """Return what ``share_directory`` would make: "directory", "mount", both or nothing."""
    if not DIRECTORY.is_dir():
        return ["directory", "mount"]
    return [] if _is_mounted() else ["mount"]


def _is_mounted() -> bool:
    # os.path.ismount does not see a directory that is bound to itself.
    return _mount_of(DIRECTORY) != _mount_of(DIRECTORY.parent)


def _mount_of(place: Path) -> str:
    """Return the number of the mount that a path leads to: proc(5), fdinfo."""
    fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/thread-self/fdinfo/{fd}").read_text().splitlines()
        return next(line for line in lines if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def share_directory() -> None:
    """Prepare the directory as ``ip netns add`` does.

    iproute2 (ip/ipnetns.c) binds the directory to itself and makes it shared, so that a namespace which one mount
    namespace pins is seen, and can be unpinned, in the others.

    Raises:
      HostError, KernelError: when the host has no room for it.
    """
    try:
        with contextlib.suppress(FileExistsError):
            DIRECTORY.mkdir(mode=0o755, parents=True)
    except OSError as error:
        raise HostError(f"cannot make {DIRECTORY}: {error.strerror}") from error
    try:
        libc.mount("", str(DIRECTORY), flags=libc.MS_SHARED | libc.MS_REC)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        # It is no mount yet.
        libc.mount(str(DIRECTORY), str(DIRECTORY), flags=libc.MS_BIND | libc.MS_REC)
        libc.mount("", str(DIRECTORY), flags=libc.MS_SHARED | libc.MS_REC)


def unshare_directory(made: Sequence[str]) -> None:
    """Undo what ``share_directory`` made, as far as it came, unless something else is pinned there by now.

    It may be called again where it was cut short.

    Raises:
      OSError, KernelError: when the kernel refuses.
    """
    try:
        if any(DIRECTORY.iterdir()):
            return
    except FileNotFoundError:
        return
    if "mount" in made and _is_mounted():
        libc.umount(str(DIRECTORY))
    if "directory" in made:
        DIRECTORY.rmdir()
