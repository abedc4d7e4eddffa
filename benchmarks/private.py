"""Private namespaces of the benchmarks: network namespaces that end with the process, and a /run of its own.

The process leaves the host's network and mount namespaces before it measures, and mounts an empty file system on /run.
So it touches no lab of this host, no lab disturbs it, and nothing remains when the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import wire

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2
_OWN = "/proc/thread-self/ns/net"
# An index that no measured link has: a link keeps its index until the kernel has freed it.
_SENTINEL, _INDEX = "sentinel", 1 << 20
_DRAIN_SECONDS = 120

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Leave the host's network and mount namespaces for good; needs root."""
    _call(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), "unshare")
    _call(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount /")
    _call(_libc.mount(b"benchmarks", b"/run", b"tmpfs", ctypes.c_ulong(0), b"mode=0755"), "mount /run")


def new_network() -> int:
    """Give the calling thread a new network namespace and return its file descriptor."""
    _call(_libc.unshare(_CLONE_NEWNET), "unshare")
    return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)


def pin(target: str) -> None:
    """Bind the thread's network namespace to a file, which must be there."""
    _call(_libc.mount(_OWN.encode(), target.encode(), None, ctypes.c_ulong(_MS_BIND), None), f"mount {target}")


def unpin(target: str) -> None:
    """Undo ``pin`` and remove the file."""
    _call(_libc.umount2(target.encode(), _MNT_DETACH), f"umount {target}")
    os.unlink(target)


def join(fd: int) -> None:
    """Move the calling thread into the network namespace behind a descriptor."""
    _call(_libc.setns(fd, _CLONE_NEWNET), "setns")


@contextlib.contextmanager
def back_home() -> Iterator[None]:
    """Return the thread to its current network namespace after the block."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        join(home)
        os.close(home)


def setting(name: str, value: str) -> None:
    """Write a setting below net. of the thread's network namespace."""
    Path("/proc/sys/net", name).write_text(value)


def drain() -> float:
    """Wait until the kernel has freed every closed network namespace; return the seconds.

    The kernel frees them in batches, one after the other (cleanup_net, net/core/net_namespace.c). Its locks make a new
    lab ten times slower meanwhile. This closes a sentinel namespace and waits until its link is gone: namespaces that
    were closed before are then in its batch or an earlier one. The batch of a second sentinel begins when that is done.
    """
    began = time.perf_counter()
    for _ in range(2):
        with back_home():
            here = wire.Socket()
            there = new_network()
        here.send([wire.veth(_SENTINEL, _INDEX, b"\x0a\x5b\0\0\0\1", "end", 2, b"\x0a\x5b\0\0\0\2", there)])
        here.close()
        os.close(there)
        while _SENTINEL in (name for _, name in socket.if_nameindex()):
            if time.perf_counter() - began > _DRAIN_SECONDS:
                raise TimeoutError("the kernel has not freed the closed network namespaces")
            time.sleep(0.002)
    return time.perf_counter() - began


def _call(result: int, operation: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), operation)
