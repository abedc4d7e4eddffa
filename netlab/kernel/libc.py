"""The system calls that Python 3.11 has no name for: unshare, setns, mount, umount2 and sethostname.

Python 3.12 has ``os.unshare`` and ``os.setns``; netlab supports 3.11, so both go through the C library.
"""

from __future__ import annotations

import ctypes
import os

from netlab.errors import KernelError

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, operation: str) -> None:
    if result != 0:
        raise KernelError.of(operation, ctypes.get_errno())


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; raises KernelError."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int = 0) -> None:
    """Move the calling thread into the namespace behind ``fd``; raises KernelError."""
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount as mount(2) does; raises KernelError."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """Unmount as umount2(2) does, lazily by default; raises KernelError."""
    _check(_libc.umount2(os.fsencode(target), flags), f"umount {target}")


def sethostname(name: str) -> None:
    """Set the hostname of the calling thread's UTS namespace; raises KernelError."""
    raw = name.encode()[:64]
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def end_with_parent() -> None:
    """Have the kernel kill the calling process when the thread that started it ends: prctl(PR_SET_PDEATHSIG)."""
    _check(_libc.prctl(1, 9, 0, 0, 0), "prctl")
