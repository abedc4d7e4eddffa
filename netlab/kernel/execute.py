"""Running a program inside a network namespace, in place of the calling process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from netlab.errors import HostError, KernelError, UsageError
from netlab.kernel import libc, netns, privilege
from netlab.kernel.sudo_user import User, become

# Container runtimes allow every group of a pod to send echo requests; a new namespace allows none.
_PING = Path("/proc/sys/net/ipv4/ping_group_range")
_EVERY_GROUP = "0 2147483647"
# They also allow every program to listen on every port, where a new namespace keeps those below 1024 for root.
_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_EVERY_PORT = "0"
# The variables of a confined program. All others are the caller's, and may be secrets.
_CONFINED = frozenset({"HOME", "LANG", "LC_ALL", "PATH", "TERM", "TZ"})


def execute(
    namespace: str,
    argv: Sequence[str] | Callable[[], object],
    *,
    hostname: str = "",
    extra: Mapping[str, str] | None = None,
    user: User | None = None,
    files: Mapping[str, str] | None = None,
) -> NoReturn:
    """Replace this process by the program ``argv`` inside the namespace.

    As with ``ip netns exec``, /sys shows the namespace's devices. The source of that mount marks the program and its
    descendants for ``processes``. The hostname is the pod's name. With ``user`` the program runs as that user without
    privilege, and ``ping`` works; if the user is confined, it is kept apart from the host's programs (``apart``).
    ``files`` are the program's ``/etc/resolv.conf`` and ``/etc/hosts`` (``etc_files``). If ``argv`` is a function, it
    is called in the namespace, and then the process ends with status 0.

    Raises:
      NotFound: when the namespace is gone.
      UsageError: when the program does not exist or cannot be run, or when only root could run it as that user.
      HostError: when this process may not become that user, or when the program would not see the files or would see
        the host's programs.
    """
    dropped = user is not None and (user.uid, user.gid) != (0, 0)
    if dropped and privilege.rootless():
        raise UsageError("--user needs root; without root every program runs as you")
    strange = user is not None and user.confined and not callable(argv)
    hidden: list[str] = []
    space = -1
    if strange:
        from netlab.kernel import apart, counted

        if not privilege.rootless():
            hidden, space = apart.host_sockets(), counted.new()
    netns.enter(namespace)
    environment = dict(os.environ) | dict(extra or {})
    try:
        _own_mounts(hostname)
    except KernelError as error:
        # In the mount namespace of the host, the files and what hides sockets would be for all. Else it may run.
        if files is not None or strange:
            raise HostError(f"cannot give the program its own mounts: {error}") from error
    else:
        if files is not None:
            from netlab.kernel import etc_files

            etc_files.give(files)
            environment = {key: value for key, value in environment.items() if key not in etc_files.VARIABLES}
        # A user namespace may not be allowed to mount sysfs.
        with contextlib.suppress(KernelError):
            libc.mount(netns.mark_of_own(namespace), "/sys", "sysfs")
    if strange:
        libc.leave_keyring()
        apart.enter(hidden, root=not privilege.rootless())
    if user is not None and dropped:
        _become(user, space, every_port=strange)
        environment |= user.environment
    if user is not None and user.confined:
        libc.drop_capabilities()
        environment = {key: value for key, value in environment.items() if key in _CONFINED}
    if callable(argv):
        os.environ.clear()
        os.environ.update(environment)
        argv()
        os._exit(0)
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606  the user's own program
    except FileNotFoundError as error:
        raise UsageError(f"{argv[0]}: no such program") from error
    except ValueError as error:
        # An empty name.
        raise UsageError(f"{argv[0]!r} is no program") from error
    except OSError as error:
        why = error.strerror
        folders = os.get_exec_path(environment) if "/" not in argv[0] else []
        # execvp fails so too if the program is nowhere, and one folder of PATH may not be entered.
        if folders and isinstance(error, PermissionError) and not any(map(_has(argv[0]), folders)):
            why = "no such program in the folders of PATH that its user may enter"
        raise UsageError(f"{argv[0]}: {why}") from error


def _become(user: User, space: int, *, every_port: bool) -> None:
    """Become a user for which ``ping`` works; ``space`` is a user namespace that it is counted in, or -1."""
    for path, text in ((_PING, _EVERY_GROUP), *([(_PORTS, _EVERY_PORT)] if every_port else [])):
        with contextlib.suppress(OSError):
            path.write_text(text)
    if space >= 0:
        libc.setns(space, libc.CLONE_NEWUSER)
        os.close(space)
    become(user)


def _own_mounts(hostname: str) -> None:
    """Give this process its own mounts, of which the host sees nothing, and its own hostname; raises KernelError."""
    libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS)
    libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
    if hostname:
        # Cut as the kubelet cuts it: a pod's name may be longer than a hostname may be.
        with contextlib.suppress(KernelError):
            libc.sethostname(hostname[:63].rstrip("-."))


def _has(name: str) -> Callable[[str], bool]:
    return lambda folder: os.path.lexists(os.path.join(folder, name))
