"""What a forked process does to become a program of a lab.

The program has no terminal, no descriptor and no variable of the command that starts it. In its own mount namespace,
``/run/netlab`` is the program's folder, which it can read. A program of the host also has an empty ``/tmp``. As root,
the program is user 65534 (nobody) without capabilities; without root it has no capability. It may listen on every port,
as a container's program may.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from netlab.errors import KernelError
from netlab.kernel import libc, netns, privilege, signals
from netlab.kernel.descriptors import close_all_but
from netlab.kernel.program import LARGEST_FILE, OWN_FOLDER, Program
from netlab.kernel.sudo_user import NOBODY, User, become

# containerd sets it for each pod too.
_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# What the interpreter of a module runs. The first argument has a line for "root", "user" or "privileged", the module,
# and each folder to import from.
_RUN_MODULE = (
    "import sys; owner, module, *paths = sys.argv[1].split('\\n'); sys.path += paths; del sys.argv[1];"
    "from importlib import import_module; main = import_module(module).main;"
    "from netlab.kernel import program_process; owner == 'privileged' or program_process.begin(owner == 'root'); main()"
)


def command(program: Program) -> list[str]:
    """Return the argument vector to execute."""
    if not program.module:
        return list(program.argv)
    from importlib.util import find_spec

    specs = [find_spec(name) for name in ("netlab", *program.needs)]
    paths = dict.fromkeys(str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin)
    owner = "privileged" if program.privileged else "user" if privilege.rootless() else "root"
    # With -I -S no variable, no folder of a user and no .pth file decides what is imported.
    return [sys.executable, "-I", "-S", "-c", _RUN_MODULE, "\n".join((owner, program.module, *paths)), *program.argv]


def give_up_privilege(root: bool) -> None:
    """Give up all capabilities for good; with ``root`` also become user 65534 without groups.

    Raises:
      HostError, KernelError: when that fails.
    """
    if root:
        become(User(NOBODY, NOBODY))
    libc.drop_capabilities()


def begin(root: bool) -> None:
    """Begin a program that is a module: give up privilege, and end at SIGTERM.

    The kernel gives the first process of a process namespace no signal that it does not handle.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    give_up_privilege(root)


def detach(output: int, kept: Sequence[int], largest_file: int = LARGEST_FILE) -> None:
    """Keep nothing of the command in this process: no signal handler, no descriptor but ``kept``, no directory.

    Standard output and error go to the descriptor ``output``.
    """
    signals.reset()
    null = os.open(os.devnull, os.O_RDWR)
    for at, fd in enumerate((null, output, output)):
        os.dup2(fd, at)
    close_all_but(kept)
    os.umask(0o077)
    os.chdir("/")
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, largest_file)):
        _, hard = resource.getrlimit(limit)
        fits = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (fits, fits))


def open_path(program: Program, command: list[str]) -> int | None:
    """Open a program that is a path, before the mounts and the user change: it may be in ``/root`` or ``/tmp``."""
    if program.module or not os.path.isabs(command[0]):
        return None
    return os.open(command[0], os.O_PATH | os.O_CLOEXEC)


def own_mounts(program: Program, folder: Path) -> None:
    """Give this process its own mounts and hostname, and in a namespace of a lab let it listen on every port."""
    if program.namespace:
        with contextlib.suppress(OSError):
            _UNPRIVILEGED_PORTS.write_text("0")
    libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS)
    libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
    if program.hostname:
        libc.sethostname(program.hostname[:63].rstrip("-."))
    if program.namespace:
        # A user namespace may not be allowed to mount sysfs.
        with contextlib.suppress(KernelError):
            libc.mount(netns.mark_of_own(program.namespace), "/sys", "sysfs")
    libc.mount(str(folder), OWN_FOLDER, flags=libc.MS_BIND)
    if not program.module:
        # A module of netlab writes nothing there, and netlab itself may be installed below it.
        libc.mount("tmpfs", "/tmp", "tmpfs", data="mode=1777,size=64m")  # noqa: S108  of this process alone


def execute(program: Program, command: list[str], path: int | None) -> NoReturn:
    """Replace this process by the program, without privilege; ``path`` is the descriptor of ``open_path``."""
    environment = _ENVIRONMENT | dict(program.environment)
    if not program.module:
        give_up_privilege(not privilege.rootless())
    if path is not None:
        os.execve(path, command, environment)  # noqa: S606  of netlab
    os.execvpe(command[0], command, environment)  # noqa: S606  of netlab
