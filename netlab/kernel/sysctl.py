"""Settings below ``net.`` of the calling thread's network namespace (/proc/sys/net follows the reading thread)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from netlab.errors import HostError, KernelError
from netlab.kernel import libc

_ROOT = Path("/proc/sys/net")

_MODULES = {"bridge/": "br_netfilter", "netfilter/": "nf_conntrack"}


_DISABLE_IPV6 = re.compile(r"ipv6/conf/\w+/disable_ipv6")

# A namespace's setting, and the one of each link that it stands for when it is wanted: the kernel copies it to all
# links when it changes, and each may be changed by itself afterwards.
COPIED = {
    "ipv4/ip_forward": "ipv4/conf/{}/forwarding",
    "ipv6/conf/all/forwarding": "ipv6/conf/{}/forwarding",
    "ipv6/conf/all/disable_ipv6": "ipv6/conf/{}/disable_ipv6",
}


def overrides(own: Mapping[str, str | None], values: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the paths of a link's own settings that differ from its namespace's, where those are wanted."""
    return tuple(path for name, path in COPIED.items() if name in values and own.get(path) not in (None, values[name]))


# Look-ups after which a tree is made anew: those of some fifty to a hundred namespaces.
_FRESH = 200


def without_ipv6() -> bool:
    """Say whether this kernel has no IPv6: it is not built in, or was started with ``ipv6.disable=1``."""
    return not (_ROOT / "ipv6").exists()


class Tree:
    """The settings of whatever namespace the calling thread is in, through an instance of procfs of one's own.

    The kernel keeps what it looked up below /proc/sys by name, all network namespaces in one chain
    (fs/proc/proc_sysctl.c, proc_sys_compare), and a new namespace's look-up walks past those of all others: two
    settings of each of 1,000 namespaces took 0.24 ms, with an instance for every hundred namespaces 0.05 ms. One
    that is mounted nowhere takes 0.05 ms to make and is gone when it is closed. Where the host has none to give
    (without root's privilege, before Linux 5.2), /proc serves.
    """

    def __init__(self) -> None:
        self._root: int | None = None
        self._left = 0

    def close(self) -> None:
        if self._root is not None:
            os.close(self._root)
            self._root = None
        self._left = 0

    def write(self, name: str, value: str) -> None:
        """Write one setting, by its path below net (``ipv4/ip_forward``).

        Raises:
          HostError: when the setting is not there because a kernel module is not loaded.
          KernelError: when the kernel refuses the value.
        """
        try:
            # A file object of Python's costs three times what the kernel does here.
            file = self._open(name, os.O_WRONLY)
            try:
                os.write(file, f"{value}\n".encode())  # an empty list is written as an empty line
            finally:
                os.close(file)
        except FileNotFoundError as error:
            if without_ipv6() and name.startswith("ipv6/"):
                if _DISABLE_IPV6.fullmatch(name) and value == "1":
                    return
                raise HostError("this kernel has no IPv6", "start it without ipv6.disable=1") from error
            for prefix, module in _MODULES.items():
                if name.startswith(prefix):
                    raise HostError(
                        f"net.{name.replace('/', '.')} is not there: kernel module {module} is not loaded",
                        f"load it: sudo modprobe {module}",
                    ) from error
            raise KernelError.of(f"sysctl net.{name.replace('/', '.')}", error.errno or 0) from error
        except OSError as error:
            raise KernelError.of(f"sysctl net.{name.replace('/', '.')}={value}", error.errno or 0) from error

    def read(self, name: str) -> str | None:
        """Return a setting's value, None when this kernel does not have it."""
        try:
            with open(self._open(name, os.O_RDONLY)) as file:
                return file.read().strip().replace("\t", " ")
        except OSError:
            # Without IPv6 it is off: there is nothing to write, and nothing differs from what a lab of IPv4 wants.
            return "1" if _DISABLE_IPV6.fullmatch(name) and without_ipv6() else None

    def _open(self, name: str, flags: int) -> int:
        if not self._left:
            self.close()
            self._root, self._left = _procfs(), _FRESH
        self._left -= 1
        if self._root is None:
            return os.open(f"{_ROOT}/{name}", flags | os.O_CLOEXEC)
        return os.open(f"sys/net/{name}", flags | os.O_CLOEXEC, dir_fd=self._root)


def _procfs() -> int | None:
    """Return a new instance of procfs, None where the host has none to give."""
    try:
        return libc.detached_mount("proc")
    except KernelError:
        return None
