"""A user namespace in which processes of user ``nobody`` are counted apart from all others of that user.

All programs of pods, scenarios and control planes of a host are user nobody, and RLIMIT_NPROC counts the processes and
threads of a user. So one program that forks without end would stop all others. Since Linux 5.14 the kernel counts in
each user namespace, and in those around it. Ids are the same inside as outside, and a program inside has no capability:
all else is as without it. Keys of a user (keyrings(7)) are its own too.

Source: Linux, kernel/ucount.c (inc_rlimit_ucounts), kernel/user_namespace.c.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from netlab.errors import NetlabError
from netlab.kernel import libc
from netlab.kernel.sudo_user import NOBODY, User, become

_EVERY_ID = "0 0 4294967295"
# Processes and threads of user nobody, those of all such namespaces included.
_PROCESSES_OF_ALL = 16384
# None makes namespaces in which it has capabilities; and each leaves others a part of what the user may have.
_LIMITS = {"max_user_namespaces": 0, "max_inotify_instances": 32}


def new() -> int:
    """Return a descriptor of such a namespace, -1 where this host refuses one. The caller has root's privilege."""
    reports, report = os.pipe()
    waits, hold = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(hold)
            _begin(report)
            os.read(waits, 1)
        finally:
            os._exit(0)
    os.close(report)
    os.close(waits)
    try:
        if not os.read(reports, 1):
            return -1
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(_EVERY_ID)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    finally:
        os.close(reports)
        os.close(hold)
        os.waitpid(pid, 0)


def _begin(report: int) -> None:
    """Make the namespace: its owner is nobody, so what is in it counts for that user outside, and not for root."""
    with contextlib.suppress(NetlabError):
        libc.end_with_parent()
        resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES_OF_ALL, _PROCESSES_OF_ALL))
        become(User(NOBODY, NOBODY))
        libc.unshare(libc.CLONE_NEWUSER)
        for name, most in _LIMITS.items():
            with contextlib.suppress(OSError):
                Path(f"/proc/sys/user/{name}").write_text(f"{most}")
        os.write(report, b"!")
