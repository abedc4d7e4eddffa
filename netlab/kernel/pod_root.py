"""The files that a program of a pod sees: those of this host, but ``/tmp``, ``/run``, ``/dev`` and ``/proc`` anew.

No image is there, so the host's programs and libraries are seen, and can be changed as far as user ``nobody`` can. The
root directory itself is a new one, with room for what a container has beside. Nothing of the host changes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.frozen import frozen
from netlab.kernel import libc, netns, pod_volumes
from netlab.kernel.pod_volumes import Mount

# Every Linux has this directory. The new root is made on it, and then moved.
_NEW = "/sys"
_OWN = ("dev", "proc", "root", "run", "sys", "tmp", "lost+found")
_TEMPORARY = "mode=1777,size=64m,nr_inodes=64k"
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108  of a program alone
# What the OCI runtime specification calls default devices, besides terminals; and the links that it names.
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_PYTHON, _LIBRARY = "/run/netlab/python", "/run/netlab/lib"


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
      mounts: what it has besides; this process is in the mount namespace of ``pod_volumes.hold``.

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
        volumes = pod_volumes.held(mounts)
        libc.mount("netlab", _NEW, "tmpfs", data="mode=755,size=64m,nr_inodes=64k")
        for entry in sorted(os.scandir("/"), key=lambda one: one.name):
            _copy(entry)
        overlays = [pod_volumes.make_room(_NEW, one.path, _OWN) for one in mounts]
        _own_folders(namespace)
        overlays.append(_etc(files))
        for program in programs:
            _give(program)
        _mount(mounts, volumes, filter(None, overlays))
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
    _devices()
    libc.mount("proc", f"{_NEW}/proc", "proc")
    libc.mount(netns.mark_of_own(namespace), f"{_NEW}/sys", "sysfs")
    libc.mount("tmpfs", _NEW + _TMP, "tmpfs", data=_TEMPORARY)
    os.makedirs(f"{_NEW}/run/lock", 0o755)


def _devices() -> None:
    """Make ``/dev`` with the devices that every program may have, without the host's disks, memory and terminals."""
    dev = f"{_NEW}/dev"
    libc.mount("tmpfs", dev, "tmpfs", data="mode=755,size=64k,nr_inodes=64")
    for name in _DEVICES:
        # A device of this host, as a new one would need a file system that has devices.
        pod_volumes.write(f"{dev}/{name}", "", 0o666)
        libc.mount(f"/dev/{name}", f"{dev}/{name}", flags=libc.MS_BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    for name in ("pts", "shm"):
        os.mkdir(f"{dev}/{name}", 0o755)
    libc.mount("devpts", f"{dev}/pts", "devpts", data="newinstance,ptmxmode=0666,mode=0620")
    libc.mount("tmpfs", _NEW + _SHM, "tmpfs", data=_TEMPORARY)


def _etc(files: Mapping[str, str]) -> str:
    """Bind files over those of ``/etc``; where it lacks one, make it an overlay of the host's, and return it."""
    overlay = ""
    if any(os.path.islink(_NEW + path) or not os.path.isfile(_NEW + path) for path in files):
        for name in ("upper", "work"):
            os.makedirs(f"{_NEW}/run/netlab/etc/{name}", 0o755)
        data = f"lowerdir=/etc,upperdir={_NEW}/run/netlab/etc/upper,workdir={_NEW}/run/netlab/etc/work"
        overlay = f"{_NEW}/etc"
        libc.mount("netlab", overlay, "overlay", data=data)
        for path in files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_NEW + path)
            pod_volumes.write(_NEW + path, "", 0o644)
    os.makedirs(f"{_NEW}/run/netlab/files", 0o755, exist_ok=True)
    for number, (path, text) in enumerate(files.items()):
        source = f"{_NEW}/run/netlab/files/{number}"
        pod_volumes.write(source, text, 0o644)
        libc.mount(source, _NEW + path, flags=libc.MS_BIND)
    return overlay


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
    pod_volumes.write(_NEW + program.path, program.script(python), 0o755)


def _is_open(path: str) -> bool:
    """Return whether every user can enter all folders of a path."""
    return all(os.stat(parent).st_mode & 0o001 for parent in Path(path).parents)


def _mount(mounts: Sequence[Mount], volumes: Mapping[str, int], overlays: Iterable[str]) -> None:
    """Mount volumes and files, and close the descriptors of the volumes."""
    files = pod_volumes.write_files(mounts, f"{_NEW}/run/netlab/volumes")
    places = (_NEW, f"{_NEW}{_TMP}", f"{_NEW}/dev", f"{_NEW}{_SHM}", *overlays)
    own = {os.stat(place).st_dev for place in places if os.path.isdir(place)}
    own |= {os.fstat(fd).st_dev for fd in volumes.values()}
    for number, one in enumerate(mounts):
        pod_volumes.attach(_NEW, one, volumes[one.volume] if one.volume else files[number], own)
    for fd in (*volumes.values(), *files.values()):
        os.close(fd)
