"""Network namespaces: made, pinned under a name as ``ip netns`` does, entered and removed.

A namespace is entered by setns(2) in the calling thread and never by a child process: a fork per namespace costs
8 to 10 ms in pyroute2, the system calls below 0.02 ms. setns is per thread, so a thread that cannot find its way back
must not go on: ``inside`` ends the process in that case.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from netlab.errors import HostError, KernelError, NotFound, UsageError
from netlab.kernel import libc

DIRECTORY = Path("/run/netns")
_SELF = "/proc/thread-self/ns/net"
_NAME_MAX = 255


def is_name(text: str) -> bool:
    """Say whether a text can name a namespace: one file's name, that leads nowhere else and can be printed."""
    fits = 0 < len(text) <= _NAME_MAX and text.isprintable() and len(text.encode()) <= _NAME_MAX
    return fits and "/" not in text and text not in (".", "..")


def path(name: str) -> Path:
    """Return where the namespace of that name is pinned; raises UsageError for what is no namespace's name."""
    if not is_name(name):
        raise UsageError(f"{name!r} is not the name of a network namespace")
    return DIRECTORY / name


def exists(name: str) -> bool:
    """Say whether a namespace is pinned under the name (an empty file that a crash left is none)."""
    return inode(name) is not None


def inode(name: str) -> int | None:
    """Return the inode number that identifies the pinned namespace, None when there is none."""
    try:
        # A link may lead to any namespace, the host's own among them.
        status = os.lstat(path(name))
        directory = os.stat(DIRECTORY)
    except OSError:
        return None
    # A pinned namespace is a file of nsfs; a file that waits for its mount is on the directory's own device.
    return status.st_ino if status.st_dev != directory.st_dev else None


@contextlib.contextmanager
def at_home() -> Iterator[None]:
    """Bring the thread back to the network namespace that it is in now, whatever the block does."""
    home = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            libc.setns(home, libc.CLONE_NEWNET)
        except KernelError:
            sys.stderr.write("netlab: cannot return to the first network namespace; ending\n")
            os._exit(70)
        os.close(home)


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block with the calling thread in the named namespace.

    Raises:
      NotFound: when no namespace is pinned under the name.
    """
    with at_home():
        enter(name)
        yield


def enter(name: str) -> None:
    """Move the calling thread into the named namespace for good; raises NotFound."""
    try:
        fd = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise NotFound(f"network namespace {name}", error.errno or 0) from error
    try:
        libc.setns(fd, libc.CLONE_NEWNET)
    except KernelError as error:
        raise NotFound(f"network namespace {name}", error.errno, "is not one any more") from error
    finally:
        os.close(fd)


def create(name: str) -> None:
    """Make a namespace, pin it under the name and leave the calling thread inside (call within ``at_home``).

    Raises:
      AlreadyExists: when something is pinned under the name.
      HostError: when the caller has no privilege for it.
    """
    target = path(name)
    try:
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except FileExistsError as error:
        raise KernelError.of(f"network namespace {name}", error.errno or 0) from error
    except OSError as error:
        raise HostError(f"cannot write {target}: {error.strerror}") from error
    try:
        libc.unshare(libc.CLONE_NEWNET)
        libc.mount(_SELF, str(target), flags=libc.MS_BIND)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise


def remove(name: str) -> bool:
    """Unpin the namespace and remove its file; say whether there was anything. The kernel frees it soon after."""
    target = path(name)
    with contextlib.suppress(KernelError):
        libc.umount(str(target), libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
    try:
        target.unlink()
    except FileNotFoundError:
        return False
    return True


def missing_directory() -> list[str]:
    """Return what ``share_directory`` would make: "directory", "mount", both or nothing."""
    if not DIRECTORY.is_dir():
        return ["directory", "mount"]
    return [] if os.path.ismount(DIRECTORY) else ["mount"]


def share_directory() -> None:
    """Prepare the directory as ``ip netns add`` does.

    iproute2 (ip/ipnetns.c) binds the directory to itself and makes it shared, so that a namespace which one mount
    namespace pins is seen, and can be unpinned, in the others.
    """
    try:
        with contextlib.suppress(FileExistsError):
            DIRECTORY.mkdir(parents=True)
    except OSError as error:
        raise HostError(f"cannot make {DIRECTORY}: {error.strerror}") from error
    try:
        libc.mount("", str(DIRECTORY), flags=libc.MS_SHARED | libc.MS_REC)
    except KernelError:
        libc.mount(str(DIRECTORY), str(DIRECTORY), flags=libc.MS_BIND | libc.MS_REC)
        libc.mount("", str(DIRECTORY), flags=libc.MS_SHARED | libc.MS_REC)


def unshare_directory(made: list[str]) -> None:
    """Undo what ``share_directory`` made, unless somebody else's namespace is pinned there by now."""
    if any(DIRECTORY.iterdir()):
        return
    with contextlib.suppress(KernelError, OSError):
        if "mount" in made:
            libc.umount(str(DIRECTORY))
        if "directory" in made:
            DIRECTORY.rmdir()
