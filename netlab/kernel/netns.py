"""Network namespaces: made, pinned under a name as ``ip netns`` does, entered and removed.

A thread enters a namespace by setns(2). A child process for it costs 8 to 10 ms in pyroute2, the system calls cost less
than 0.02 ms. A thread that cannot return must not go on, so ``inside`` ends the process then.

Before a namespace is pinned, a note with its inode number is written under its name. The note is a symbolic link, as
one system call makes a link with its text. A namespace without a note, or with another inode number than its note, is
not netlab's: it is not entered, no process in it is ended, and it stays.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import socket
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
# ioctl_ns(2).
_NS_GET_NSTYPE = 0xB703


def is_name(text: str) -> bool:
    """Return whether a text can name a namespace: it is a printable name of a file, without a path."""
    fits = 0 < len(text) <= _NAME_MAX and text.isprintable() and len(text.encode()) <= _NAME_MAX
    return fits and "/" not in text and text not in (".", "..")


def path(name: str) -> Path:
    """Return the path under which a namespace is pinned; raises UsageError for an invalid name."""
    return Path(_pin(name))


def _pin(name: str) -> str:
    # Joining a Path takes longer than a system call.
    if not is_name(name):
        raise UsageError(f"{name!r} is not the name of a network namespace")
    return f"{DIRECTORY}/{name}"


def _note(name: str) -> str:
    return f"{NOTES}/{name}"


def exists(name: str) -> bool:
    """Return whether a namespace that netlab made is pinned under the name. An empty file after a crash is none."""
    return inode(name) is not None


def inode(name: str) -> int | None:
    """Return the inode number of the namespace that netlab pinned under the name, or None."""
    found = _pinned(name)
    return found if found == _noted(name) else None


def mark(name: str, inode: int) -> str:
    """Return the source of the mount of ``/sys`` by which ``processes`` finds the programs of a namespace.

    Another user may have a lab of the same name. The inode number is the namespace's alone while it exists.
    """
    return f"{name}@{inode}"


def mark_of_own(name: str) -> str:
    """Return the mark of the namespace of a name that this thread has entered; raises OSError."""
    return mark(name, os.stat("/proc/thread-self/ns/net").st_ino)


def _pinned(name: str) -> int | None:
    """Return the inode number of any namespace that is pinned under the name, or None."""
    try:
        # Not stat: a symbolic link may lead to any namespace, such as the host's.
        status = os.lstat(_pin(name))
    except OSError:
        return None
    # A file without its mount is on the device of its directory.
    return status.st_ino if status.st_dev == _nsfs() else None


@functools.cache
def _nsfs() -> int:
    """Return the device of nsfs, the one file system of all namespaces (fs/nsfs.c)."""
    return os.stat(_SELF).st_dev


def claim(name: str, number: int, owner: str = "") -> None:
    """Note that netlab pins the namespace of that inode number under the name, and its owner if that is not netlab.

    Raises:
      OSError: when that cannot be written.
    """
    note = _note(name)
    for _ in range(_TRIES):
        try:
            os.symlink(f"{number} {owner}".rstrip(), note)
            return
        except FileExistsError:
            # A command left it that was killed before it pinned the namespace.
            _unclaim(name)
        except FileNotFoundError:
            make_private(NOTES)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), note)


def _unclaim(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_note(name))


def _noted(name: str) -> int | None:
    try:
        # The owner of a namespace that netlab did not make stands after the number.
        return int(os.readlink(_note(name)).partition(" ")[0])
    except (OSError, ValueError):
        return None


def owner(name: str) -> str:
    """Return the text with which ``attach`` pinned a namespace; "" for a namespace that netlab made, or none."""
    try:
        number, _, text = os.readlink(_note(name)).partition(" ")
    except OSError:
        return ""
    return text if number == str(_pinned(name)) else ""


def any_left() -> bool:
    """Return whether a namespace that netlab pinned still exists."""
    try:
        noted = os.listdir(NOTES)
    except FileNotFoundError:
        return False
    return any(map(exists, noted))


@contextlib.contextmanager
def returning() -> Iterator[None]:
    """Return the thread to its present network namespace after the block."""
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
            # The kernel may have no memory for a moment.
            time.sleep(0.01)
        else:
            return
    sys.stderr.write("netlab: cannot return to the first network namespace; ending\n")
    os._exit(70)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block with the calling thread in the named namespace.

    Raises:
      NotFound: when no namespace of netlab's is pinned under the name.
    """
    with returning():
        enter(name)
        yield


def enter(name: str) -> None:
    """Move the calling thread into the named namespace.

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
    """Make a namespace and pin it under the name. The calling thread stays inside (call it within ``returning``).

    Raises:
      AlreadyExists: when anything exists under the name.
      HostError: when the note or the file cannot be written.
      KernelError: when the kernel refuses the namespace or the mount.
    """
    _free(name)
    libc.unshare(libc.CLONE_NEWNET)
    _pin_own(name, "")


def attach(name: str, place: Path, owner: str) -> None:
    """Pin a namespace that another program made under the name. The calling thread moves into it.

    Args:
      name: the name.
      place: a file of the namespace, such as ``/proc/PID/ns/net``.
      owner: a text without a line break that ``owner`` returns. ``remove`` leaves the namespace to its owner.

    Raises:
      AlreadyExists: when anything exists under the name.
      UsageError: when the file is no network namespace, or that of the host or of a lab.
      HostError: when the note or the file cannot be written.
      KernelError: when the kernel refuses the mount.
    """
    _free(name)
    fd = _foreign(place)
    try:
        libc.setns(fd, libc.CLONE_NEWNET)
    finally:
        os.close(fd)
    _pin_own(name, owner)


def check_foreign(place: Path, device: str) -> None:
    """Raise UsageError where ``attach`` would refuse a file, or where its namespace has an interface ``device``."""
    fd = _foreign(place)
    try:
        with returning():
            libc.setns(fd, libc.CLONE_NEWNET)
            taken = device in (name for _, name in socket.if_nameindex())
    finally:
        os.close(fd)
    if taken:
        raise UsageError(f"{str(place)!r} has an interface {device} already")


def _foreign(place: Path) -> int:
    """Return a descriptor of a network namespace that another program made; raises UsageError."""
    shown = repr(str(place))
    try:
        # To open a device may do something, so it is looked at before.
        if os.stat(place).st_dev != _nsfs():
            raise UsageError(f"{shown} is no network namespace")
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"{shown} is no network namespace: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if status.st_dev != _nsfs() or fcntl.ioctl(fd, _NS_GET_NSTYPE) != libc.CLONE_NEWNET:
            raise UsageError(f"{shown} is no network namespace")
        if status.st_ino in _hosts():
            raise UsageError(f"{shown} is the network namespace of netlab itself")
        if taken := _name_of(status.st_ino):
            raise UsageError(f"{shown} is the network namespace {taken} of a lab")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _hosts() -> set[int]:
    """Return the inode numbers of this thread's namespace, and of that of the host's first process."""
    found = {os.stat(_SELF).st_ino}
    with contextlib.suppress(OSError):
        found.add(os.stat("/proc/1/ns/net").st_ino)
    return found


def _name_of(number: int) -> str:
    """Return the name under which netlab pinned a namespace, "" for another's."""
    try:
        noted = os.listdir(NOTES)
    except FileNotFoundError:
        return ""
    return next((name for name in noted if _noted(name) == number and _pinned(name) == number), "")


def _free(name: str) -> None:
    if os.path.lexists(_pin(name)):
        raise KernelError.of(f"network namespace {name}", errno.EEXIST)


def _pin_own(name: str, owner: str) -> None:
    """Pin the namespace of the calling thread under the name."""
    target = _pin(name)
    try:
        claim(name, os.stat(_SELF).st_ino, owner)
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except OSError as error:
        with contextlib.suppress(OSError):
            _unclaim(name)
        if isinstance(error, FileExistsError):
            raise KernelError.of(f"network namespace {name}", errno.EEXIST) from error
        raise HostError(f"cannot write {target}: {error.strerror}") from error
    try:
        libc.mount(_SELF, target, flags=libc.MS_BIND)
    except KernelError:
        # What undoes a change looks for pinned namespaces, and would not find the file.
        with contextlib.suppress(OSError):
            os.unlink(target)
            _unclaim(name)
        raise
    # If this is interrupted, the note is there for ``remove``.


def remove(name: str) -> bool:
    """Unpin a namespace that netlab made and remove its file and note; return whether the file existed.

    The kernel frees the namespace soon after.

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
    """Return what ``share_directory`` would make: ``directory``, ``mount``, both or nothing."""
    if not DIRECTORY.is_dir():
        return ["directory", "mount"]
    return [] if _is_mounted() else ["mount"]


def _is_mounted() -> bool:
    # os.path.ismount does not see a directory that is bound to itself.
    return _mount_of(DIRECTORY) != _mount_of(DIRECTORY.parent)


def _mount_of(place: Path) -> str:
    """Return the mount number of a path: proc(5), fdinfo."""
    fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/thread-self/fdinfo/{fd}").read_text().splitlines()
        return next(line for line in lines if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def share_directory() -> None:
    """Prepare the directory as ``ip netns add`` does.

    iproute2 (ip/ipnetns.c) binds the directory to itself and makes the mount shared. So a namespace that is pinned in
    one mount namespace can be used and unpinned in the others.

    Raises:
      HostError, KernelError: when the directory or the mount cannot be made.
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
        # It is not a mount yet.
        libc.mount(str(DIRECTORY), str(DIRECTORY), flags=libc.MS_BIND | libc.MS_REC)
        libc.mount("", str(DIRECTORY), flags=libc.MS_SHARED | libc.MS_REC)


def unshare_directory(made: Sequence[str]) -> None:
    """Undo what ``share_directory`` made, unless something is pinned there.

    It may be called again after an interrupt.

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
