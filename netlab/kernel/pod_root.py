"""The files that a program of a pod sees: those of this host, but ``/tmp``, ``/run``, ``/dev/shm`` and ``/proc`` anew.

No image is there, so the host's programs and libraries are seen, and can be changed as far as user ``nobody`` can. The
root directory itself is a new one, with room for what a container has beside. Nothing of the host changes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.frozen import frozen
from netlab.kernel import libc, netns

# Every Linux has this directory. The new root is made on it, and then moved.
_NEW = "/sys"
_OWN = ("dev", "proc", "root", "run", "sys", "tmp", "lost+found")
_TEMPORARY = "mode=1777,size=64m"
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108  of a program alone
# Where the mount namespace of ``hold_volumes`` has them; each is open before the new root covers them.
_VOLUMES = "/sys"
_MOST_LINKS, _ALONE = 40, "file"
_PYTHON, _LIBRARY = "/run/netlab/python", "/run/netlab/lib"


@frozen
class Mount:
    """What a program has at ``path``: a volume of its pod, or files by their names, which it can only read.

    A file without a name is at the path itself.
    """

    path: str
    volume: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@frozen
class BuiltIn:
    """A program of netlab that a pod has at ``path``: the package's module ``main`` has a function ``main``."""

    path: str
    package: str
    folder: Path

    def script(self, python: str) -> str:
        """Return the text of a program that runs it."""
        return (
            f"#!{python} -IS\nimport sys\nsys.path.append({_LIBRARY!r})\n"
            f"from {self.package}.main import main\nsys.exit(main(sys.argv))\n"
        )


def enter(
    namespace: str,
    hidden: list[str],
    files: Mapping[str, str],
    programs: tuple[BuiltIn, ...],
    mounts: Sequence[Mount] = (),
) -> None:
    """Give this process, which has a mount namespace of its own, the files of a pod.

    Args:
      namespace: the pod's network namespace, which this process has entered.
      hidden: paths of Unix sockets that it must not see.
      files: its ``/etc/resolv.conf`` and ``/etc/hosts``.
      programs: programs of netlab.
      mounts: what it has besides; this process is in the mount namespace of ``hold_volumes``.

    Raises:
      HostError: the program would see files of the host that are not for it.
    """
    try:
        libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
        for path in hidden:
            # The others are hidden by folders of the program's own.
            if not path.startswith(("/run/", f"{_TMP}/", "/var/run/")):
                with contextlib.suppress(OSError, KernelError):
                    libc.mount(os.devnull, path, flags=libc.MS_BIND)
        volumes = {one.volume: os.open(f"{_VOLUMES}/{one.volume}", os.O_PATH) for one in mounts if one.volume}
        libc.mount("netlab", _NEW, "tmpfs", data="mode=755,size=64m")
        for entry in sorted(os.scandir("/"), key=lambda one: one.name):
            _copy(entry)
        for one in mounts:
            _make_room(one.path)
        _own_folders(namespace)
        _etc(files)
        for program in programs:
            _give(program)
        for number, one in enumerate(mounts):
            _mount(one, number, volumes)
        for fd in volumes.values():
            os.close(fd)
        os.chdir(_NEW)
        libc.mount(".", "/", flags=libc.MS_MOVE)
        os.chroot(".")
        os.chdir("/")
    except (OSError, KernelError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise HostError(f"cannot give the program its own files: {what}") from error


def _copy(entry: os.DirEntry[str]) -> None:
    """Let the new root have a folder of the host's root, or a link."""
    target = f"{_NEW}/{entry.name}"
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
    elif entry.is_dir():
        os.mkdir(target, 0o755)
        if entry.name not in _OWN:
            libc.mount(entry.path, target, flags=libc.MS_BIND | libc.MS_REC)


def _own_folders(namespace: str) -> None:
    for name in ("dev", "proc", "run", "sys", "tmp"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{_NEW}/{name}", 0o755)
    libc.mount("/dev", f"{_NEW}/dev", flags=libc.MS_BIND | libc.MS_REC)
    if os.path.isdir(_SHM):
        libc.mount("tmpfs", _NEW + _SHM, "tmpfs", data=_TEMPORARY)
    libc.mount("proc", f"{_NEW}/proc", "proc")
    libc.mount(netns.mark_of_own(namespace), f"{_NEW}/sys", "sysfs")
    libc.mount("tmpfs", _NEW + _TMP, "tmpfs", data=_TEMPORARY)
    os.makedirs(f"{_NEW}/run/lock", 0o755)


def _etc(files: Mapping[str, str]) -> None:
    """Bind files over those of ``/etc``; where it lacks one, ``/etc`` is an overlay of the host's."""
    if any(os.path.islink(_NEW + path) or not os.path.isfile(_NEW + path) for path in files):
        for name in ("upper", "work"):
            os.makedirs(f"{_NEW}/run/netlab/etc/{name}", 0o755)
        data = f"lowerdir=/etc,upperdir={_NEW}/run/netlab/etc/upper,workdir={_NEW}/run/netlab/etc/work"
        libc.mount("netlab", f"{_NEW}/etc", "overlay", data=data)
        for path in files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_NEW + path)
            _write(_NEW + path, "", 0o644)
    os.makedirs(f"{_NEW}/run/netlab/files", 0o755, exist_ok=True)
    for number, (path, text) in enumerate(files.items()):
        source = f"{_NEW}/run/netlab/files/{number}"
        _write(source, text, 0o644)
        libc.mount(source, _NEW + path, flags=libc.MS_BIND)


def _give(program: BuiltIn) -> None:
    """Put a program of netlab at its path, with an interpreter that user ``nobody`` can read."""
    python = os.path.realpath(sys.executable)
    home = sys.base_prefix
    if not _is_open(python) and python.startswith(f"{home}/"):
        os.makedirs(_NEW + _PYTHON, 0o755, exist_ok=True)
        libc.mount(home, _NEW + _PYTHON, flags=libc.MS_BIND)
        python = _PYTHON + python.removeprefix(home)
    place = f"{_NEW}{_LIBRARY}/{program.package.replace('.', '/')}"
    os.makedirs(place, 0o755)
    libc.mount(str(program.folder), place, flags=libc.MS_BIND)
    _write(_NEW + program.path, program.script(python), 0o755)


def _is_open(path: str) -> bool:
    """Return whether every user can enter all folders of a path."""
    return all(os.stat(parent).st_mode & 0o001 for parent in Path(path).parents)


# --- volumes ----------------------------------------------------------------------------------------------------------


def hold_volumes(names: Sequence[str]) -> None:
    """Give this process a mount namespace with volumes, for the programs of a pod that enter it; raises KernelError."""
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
    libc.mount("netlab", _VOLUMES, "tmpfs", data="mode=755,size=64m")
    for name in names:
        os.mkdir(f"{_VOLUMES}/{name}")
        # As a kubelet makes them, for every user of the pod. No other process sees them.
        os.chmod(f"{_VOLUMES}/{name}", 0o777)  # noqa: S103


def _make_room(path: str) -> None:
    """Let the new root have room for a mount below a folder of the host; such a folder becomes an overlay."""
    top = _inside(path).removeprefix(f"{_NEW}/").partition("/")[0]
    if top in _OWN or not os.path.ismount(f"{_NEW}/{top}") or os.path.isdir(_inside(path)):
        return
    place = f"{_NEW}/.netlab/{top}"
    if os.path.isdir(place):
        return
    for name in ("upper", "work"):
        os.makedirs(f"{place}/{name}", 0o755)
    data = f"lowerdir=/{top},upperdir={place}/upper,workdir={place}/work"
    libc.mount("netlab", f"{_NEW}/{top}", "overlay", data=data)


def _inside(path: str) -> str:
    """Return where a path of the program is now; links lead to places of the new root."""
    found, left, links = "", [part for part in path.split("/") if part], 0
    while left:
        part = left.pop(0)
        if part == "..":
            found = found.rpartition("/")[0]
            continue
        where = f"{_NEW}{found}/{part}"
        if os.path.islink(where):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(where)
            found = "" if target.startswith("/") else found
            left = [one for one in target.split("/") if one not in ("", ".")] + left
        elif part != ".":
            found = f"{found}/{part}"
    return _NEW + found


def _mount(one: Mount, number: int, volumes: Mapping[str, int]) -> None:
    target = _inside(one.path)
    if target == _NEW:
        raise OSError(errno.EINVAL, "a volume cannot be the root directory")
    if one.volume:
        source = f"/proc/self/fd/{volumes[one.volume]}"
    else:
        source = f"{_NEW}/run/netlab/volumes/{number}"
        os.makedirs(source, 0o755)
        for name, text in one.files.items():
            path = f"{source}/{name or _ALONE}"
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            _write(path, text, 0o644)
    if list(one.files) == [""]:
        source = f"{source}/{_ALONE}"
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        if not os.path.isfile(target):
            _write(target, "", 0o644)
    else:
        os.makedirs(target, 0o755, exist_ok=True)
    libc.mount(source, target, flags=libc.MS_BIND)


def _write(path: str, text: str, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(fd, mode)
        file.write(text)
