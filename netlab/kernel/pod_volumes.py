"""The volumes of a pod's program: mounted where its specification says, below the root that ``pod_root`` makes.

Programs of the pod have written in its volumes, and user ``nobody`` in some folders of the host, while root mounts. So
no path is used twice: each is walked once, a folder at a time, by descriptors, and what is missing is made only in file
systems that this pod alone has. A link leads to places of the new root, never to the host's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import field

from netlab.errors import HostError
from netlab.frozen import frozen
from netlab.kernel import libc

# Where the mount namespace of ``hold`` has them; each is open before the new root covers them.
_VOLUMES = "/sys"
_MOST_LINKS, _MOST_STEPS, _ALONE = 40, 1000, "file"


@frozen
class Mount:
    """What a program has at ``path``: a volume of its pod, or files by their names, which it can only read.

    A file without a name is at the path itself.
    """

    path: str
    volume: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        """Whether it is one file, and no folder."""
        return list(self.files) == [""]


def hold(names: Sequence[str]) -> None:
    """Give this process a mount namespace with volumes, for the programs of a pod that enter it; raises KernelError."""
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
    libc.mount("netlab", _VOLUMES, "tmpfs", data="mode=755,size=64m,nr_inodes=64k")
    for name in names:
        os.mkdir(f"{_VOLUMES}/{name}")
        # As a kubelet makes them, for every user of the pod. No other process sees them.
        os.chmod(f"{_VOLUMES}/{name}", 0o777)  # noqa: S103


def held(mounts: Sequence[Mount]) -> dict[str, int]:
    """Return descriptors of the volumes of mounts, by their names; the caller closes them. Raises OSError."""
    return {one.volume: os.open(f"{_VOLUMES}/{one.volume}", os.O_PATH | os.O_CLOEXEC) for one in mounts if one.volume}


def write_files(mounts: Sequence[Mount], folder: str) -> dict[int, int]:
    """Write the files of mounts in a new folder; return descriptors of them, by the mount's number. Raises OSError.

    It comes before the first volume: a volume may be anywhere, also at this folder.
    """
    found = {}
    for number, one in enumerate(mounts):
        if one.volume:
            continue
        place = f"{folder}/{number}"
        os.makedirs(place, 0o755)
        for name, text in one.files.items():
            path = f"{place}/{name or _ALONE}"
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            write(path, text, 0o644)
        found[number] = os.open(f"{place}/{_ALONE}" if one.is_file else place, os.O_PATH | os.O_CLOEXEC)
    return found


def make_room(root: str, path: str, own: Sequence[str]) -> str:
    """Let a new root have room for a mount below a folder of the host; return that folder, "" if there is room.

    The folder becomes an overlay. ``own`` are the folders that the root has for itself.
    """
    fd, missing = _walk(root, path)
    os.close(fd)
    top = missing.partition("/")[0]
    if not top or top in own or not os.path.ismount(f"{root}/{top}"):
        return ""
    place = f"{root}/.netlab/{top}"
    if os.path.isdir(place):
        return ""
    for name in ("upper", "work"):
        os.makedirs(f"{place}/{name}", 0o755)
    data = f"lowerdir=/{top},upperdir={place}/upper,workdir={place}/work"
    libc.mount("netlab", f"{root}/{top}", "overlay", data=data)
    return f"{root}/{top}"


def attach(root: str, one: Mount, source: int, own: set[int]) -> None:
    """Mount a volume or files; ``source`` is a descriptor of them.

    Args:
      root: the new root.
      one: the mount.
      source: what is mounted.
      own: the devices (``st_dev``) in which folders may be made.

    Raises:
      OSError, KernelError.
      HostError: where a folder of the host would have to change.
    """
    target, missing = _walk(root, one.path, own, file=one.is_file)
    try:
        if missing:
            raise HostError(f"a volume cannot be at {one.path}: netlab makes nothing in folders of the host")
        if os.path.samestat(os.fstat(target), os.stat(root)):
            raise OSError(errno.EINVAL, "a volume cannot be the root directory")
        libc.mount(f"/proc/self/fd/{source}", f"/proc/self/fd/{target}", flags=libc.MS_BIND)
    finally:
        os.close(target)


def _walk(root: str, path: str, own: set[int] | None = None, *, file: bool = False) -> tuple[int, str]:
    """Return a descriptor of the last part of a path that exists below a root, and the path that is missing.

    What is missing is made where the device of its folder is one of ``own``: folders, and the last part as a file with
    ``file``. The missing path begins at the root.
    """
    stack, names = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)], [""]
    left, links = path.split("/"), 0
    try:
        for _ in range(_MOST_STEPS):
            if not left:
                return stack.pop(), ""
            part = left.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                if len(stack) > 1:
                    os.close(stack.pop())
                    names.pop()
                continue
            try:
                found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=stack[-1])
            except FileNotFoundError:
                left.insert(0, part)
                if own is None or os.fstat(stack[-1]).st_dev not in own:
                    return stack.pop(), "/".join([*names[1:], *left])
                _make(stack[-1], part, file=file and not any(left[1:]))
                continue
            if not stat.S_ISLNK(os.fstat(found).st_mode):
                stack.append(found)
                names.append(part)
                continue
            links += 1
            target = os.readlink("", dir_fd=found)
            os.close(found)
            if links > _MOST_LINKS:
                break
            if target.startswith("/"):
                for fd in stack[1:]:
                    os.close(fd)
                stack, names = stack[:1], names[:1]
            left = target.split("/") + left
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    finally:
        for fd in stack:
            os.close(fd)


def _make(folder: int, name: str, *, file: bool) -> None:
    """Make a file or a folder; one that is there by now stays."""
    try:
        if file:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=folder))
        else:
            os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return


def write(path: str, text: str, mode: int) -> None:
    """Write a new file; raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(fd, mode)
        file.write(text)
