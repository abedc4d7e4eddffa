"""Programs that make links of pods: plugins of the Container Network Interface, found safely and run apart.

A plugin runs as root in a node's network namespace, with a configuration that may be untrusted. So only a program
that no other user can write is run, with a small environment, and with mounts of its own: all of the host's files are
read-only to it, ``/run``, ``/tmp`` and ``/var/lib`` are empty but for the lab's own state, the namespaces and the
plugins, and it finds no socket of the host's daemons. Of ``/proc/sys`` it may write ``net`` only, which is its network
namespace's. It has a process namespace of its own: it sees no process of the host, and what it starts ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.kernel import apart, libc, netns, privilege
from netlab.kernel.captured import ProcessResult, captured
from netlab.kernel.files import make_private
from netlab.objects.types import Address

DEFAULT_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
STATE = "/var/lib/cni"
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_INSTALL = "install it (the reference plugins: sudo apt-get install containernetworking-plugins), or set CNI_PATH"
_LARGEST_FILE = 64 << 20
_MOST_FOLDERS = 16
# In order. What is mounted here is empty, and is the plugin's own.
_EMPTY = ("/run", "/tmp", "/var/tmp", "/var/lib", "/dev/shm")  # noqa: S108  mount points
_SYSCTLS = "/proc/sys/net"
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_ATTR_RDONLY = 1
# include/uapi/asm-generic/unistd.h; Linux 5.12.
_MOUNT_SETATTR = 442


def folders() -> tuple[list[str], list[str]]:
    """Return the folders to look for plugins in: those of CNI_PATH, then the usual ones; and why others are not used.

    A folder counts if it is there and only root and the caller can write it and all folders above it.
    """
    named = [one for one in os.environ.get("CNI_PATH", "").split(":") if one][:_MOST_FOLDERS]
    found: dict[str, None] = {}
    refused: list[str] = []
    for one in (*named, *DEFAULT_FOLDERS):
        if not os.path.isabs(one):
            refused.append(f"{one} of CNI_PATH is no absolute path")
            continue
        real = os.path.realpath(one)
        why = _writable(real) if os.path.isdir(real) else "is not there"
        if why and one in named:
            refused.append(f"{one} of CNI_PATH {why}")
        elif not why:
            found[real] = None
    return [*found], refused


def find(kind: str) -> str:
    """Return the path of a plugin.

    Raises:
      HostError: when there is none, or another user could have written it.
    """
    looked, refused = folders()
    for folder in looked:
        path = os.path.realpath(f"{folder}/{kind}")
        if not os.path.isfile(path):
            continue
        why = _writable(path)
        if not why and not os.access(path, os.X_OK):
            why = "cannot be executed"
        if why:
            raise HostError(f"CNI plugin {path} {why}", "netlab runs it only if no other user can write it")
        return path
    what = f" ({'; '.join(refused)})" if refused else ""
    raise HostError(f"no CNI plugin {kind!r} in {', '.join(looked) or 'any folder'}{what}", _INSTALL)


def _writable(path: str) -> str:
    """Return why a file is not safe to run: another user could write it or replace it; "" where none can."""
    trusted = {0, os.geteuid()}
    part = path
    while True:
        status = os.lstat(part)
        sticky = bool(status.st_mode & stat.S_ISVTX) and part != path
        if status.st_uid not in trusted or (status.st_mode & 0o022 and not sticky):
            return (
                "can be written by another user" if part == path else f"is below {part}, which another user can write"
            )
        if part == "/":
            return ""
        part = os.path.dirname(part)


def run(
    namespace: str, kind: str, variables: Mapping[str, str], config: bytes, state: Path | None, seconds: float
) -> ProcessResult:
    """Run a plugin in a namespace, and return how it ended; kill it and what it started after ``seconds``.

    Args:
      namespace: the name of the namespace; "" for a new one, for a question about the plugin itself.
      kind: the plugin's name.
      variables: its environment beside PATH and CNI_PATH.
      config: its input.
      state: the folder that it finds at ``STATE``, which is made with the two above it.
      seconds: how long it may take.

    Raises:
      HostError: when it is not found, or this host cannot run it apart.
    """
    path = find(kind)
    looked, _ = folders()
    if state is not None:
        for folder in (state.parent.parent, state.parent, state):
            make_private(folder)
    environment = {**_ENVIRONMENT, **variables, "CNI_PATH": ":".join(looked)}
    given = os.memfd_create("config")
    try:
        os.write(given, config)

        def become() -> None:
            os.lseek(given, 0, os.SEEK_SET)
            os.dup2(given, 0)
            if namespace:
                netns.enter(namespace)
            else:
                libc.unshare(libc.CLONE_NEWNET)
            _enclose(looked, state)
            for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
                resource.setrlimit(limit, (most, most))
            os.umask(0o022)
            os.chdir("/")
            os.execve(path, [path], environment)  # noqa: S606

        found = captured(become, seconds)
    finally:
        os.close(given)
    if found.refused:
        raise HostError(f"cannot run CNI plugin {kind}: {found.refused}")
    return found


def _enclose(looked: Sequence[str], state: Path | None) -> None:
    """Return in a new process with its own mounts and process namespace; raises HostError, KernelError, OSError."""
    libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS)
    libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
    # Before the mounts get read-only: it mounts /proc, which shows no process of the host.
    apart.enter((), root=not privilege.rootless())
    # /sys shows the network namespace in which it was mounted; the bridge plugin reads links there.
    with contextlib.suppress(KernelError):
        libc.mount("sysfs", "/sys", "sysfs")
    # Descriptors reach what the empty folders hide.
    kept = {one: _opened(one) for one in (str(netns.DIRECTORY), *looked) if os.path.isdir(one)}
    if state is not None:
        kept[STATE] = _opened(str(state))
    _set_read_only("/", on=True)
    libc.mount(_SYSCTLS, _SYSCTLS, flags=libc.MS_BIND | libc.MS_REC)
    _set_read_only(_SYSCTLS, on=False)
    for folder in dict.fromkeys(map(os.path.realpath, _EMPTY)):
        if os.path.isdir(folder):
            libc.mount("netlab", folder, "tmpfs", data="mode=755,size=16m")
    for target, fd in kept.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        libc.mount(f"/proc/self/fd/{fd}", target, flags=libc.MS_BIND | libc.MS_REC)
        os.close(fd)
    if state is not None:
        _set_read_only(STATE, on=False)


def _opened(folder: str) -> int:
    return os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _set_read_only(path: str, *, on: bool) -> None:
    """Make the mounts at and below a path read-only, or writable again: mount_setattr(2); raises KernelError."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY if on else 0, 0 if on else _MOUNT_ATTR_RDONLY, 0, 0)
    library = ctypes.CDLL(None, use_errno=True)
    result = library.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        os.fsencode(path),
        ctypes.c_long(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_long(ctypes.sizeof(attributes)),
    )
    if result:
        raise KernelError.of(f"mount_setattr {path}", ctypes.get_errno())


def has_address(address: Address) -> bool:
    """Return whether the calling thread's network namespace has an address, in whatever way a plugin set it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.bind((str(address), 0))
        except OSError:
            return False
    return True
