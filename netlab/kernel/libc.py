"""System calls that Python 3.11 lacks: unshare, setns, mount, umount2, fsmount, sethostname, and bind to any address.

Python 3.12 has ``os.unshare`` and ``os.setns``; netlab supports 3.11, so both go through the C library.
"""

from __future__ import annotations

import ctypes
import os
import select

from netlab.errors import KernelError

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 0x8

# The C library of Ubuntu 22.04 has no names for these. The numbers are the same on every architecture but alpha
# (include/uapi/asm-generic/unistd.h).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6
# The number differs between architectures; those that came since 2012 have the generic one.
_KEYCTL, _KEYCTL_GENERIC = {"x86_64": 250, "ppc64le": 271, "s390x": 280, "armv7l": 311, "i686": 288}, 219
_MOUNT_ATTR_NOSUID_NODEV_NOEXEC = 2 | 4 | 8

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


def detached_mount(kind: str) -> int:
    """Return a descriptor of a new file system without a mount point; it ends when the descriptor is closed.

    Raises:
      KernelError: also before Linux 5.2, and for a caller without the privilege.
    """
    context = _descriptor(_FSOPEN, kind.encode(), _FSOPEN_CLOEXEC)
    try:
        _descriptor(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _descriptor(_FSMOUNT, context, _FSMOUNT_CLOEXEC, _MOUNT_ATTR_NOSUID_NODEV_NOEXEC)
    finally:
        os.close(context)


def _descriptor(number: int, *arguments: int | bytes | None) -> int:
    # syscall(2) takes every integer as a long.
    found: int = _libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)))
    if found < 0:
        raise KernelError.of(f"system call {number}", ctypes.get_errno())
    return found


def sethostname(name: str) -> None:
    """Set the hostname of the calling thread's UTS namespace; raises KernelError."""
    raw = name.encode()[:64]
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def bind(fd: int, address: bytes) -> None:
    """Bind a socket to an address, a ``struct sockaddr`` of any family; raises KernelError."""
    _check(_libc.bind(fd, address, len(address)), "bind")


def end_with_parent(number: int = 9, *, pid: int = 0, pidfd: int = -1) -> None:
    """Have the kernel send this process a signal (SIGKILL) when the thread that started it ends.

    prctl(PR_SET_PDEATHSIG): a change of user clears it, and it has no effect where the parent is gone. So this process
    ends now if its parent has ended already. The parent is ``pid``; or ``pidfd``, for the first process of a process
    namespace, where getppid(2) is 0.
    """
    _check(_libc.prctl(1, number, 0, 0, 0), "prctl")
    gone = bool(pid) and os.getppid() != pid
    if pidfd >= 0:
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        gone = bool(ended.poll(0))
    if gone:
        os._exit(128 + number)


def refuse_tracing() -> None:
    """Keep other processes of this user from tracing this one, and from taking its descriptors; raises KernelError.

    prctl(PR_SET_DUMPABLE): a change of user does so where fs.suid_dumpable is not 1.
    """
    _check(_libc.prctl(4, 0, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up all capabilities for good, also for user 0 and through set-user-id programs; raises KernelError.

    prctl(2): PR_SET_SECUREBITS (SECBIT_NOROOT and its lock), where this process may, and PR_SET_NO_NEW_PRIVS.
    capset(2) with version 3 and empty sets.
    """
    # This needs CAP_SETPCAP. A process that became another user no longer has it, and does not need it.
    _libc.prctl(28, 3, 0, 0, 0)
    _check(_libc.prctl(38, 1, 0, 0, 0), "prctl")
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, data), "capset")


def leave_keyring() -> None:
    """Give this process an empty session keyring: keys of its caller, such as root's, are no longer its own.

    keyctl(2), KEYCTL_JOIN_SESSION_KEYRING. A kernel without keys has nothing to leave.
    """
    number = _KEYCTL.get(os.uname().machine, _KEYCTL_GENERIC)
    _libc.syscall(ctypes.c_long(number), ctypes.c_long(1), None)
