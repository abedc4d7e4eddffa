"""Settings below ``net.`` of the calling thread's network namespace (/proc/sys/net follows the reading thread)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from netlab.errors import HostError, KernelError

_ROOT = Path("/proc/sys/net")

_MODULES = {"bridge/": "br_netfilter", "netfilter/": "nf_conntrack"}


_DISABLE_IPV6 = re.compile(r"ipv6/conf/\w+/disable_ipv6")


def without_ipv6() -> bool:
    """Say whether this kernel has no IPv6: it is not built in, or was started with ``ipv6.disable=1``."""
    return not (_ROOT / "ipv6").exists()


def write(name: str, value: str) -> None:
    """Write one setting, by its path below net (``ipv4/ip_forward``).

    Raises:
      HostError: when the setting is not there because a kernel module is not loaded.
      KernelError: when the kernel refuses the value.
    """
    try:
        # A file object of Python's costs three times what the kernel does here.
        file = os.open(f"{_ROOT}/{name}", os.O_WRONLY | os.O_CLOEXEC)
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


def read(name: str) -> str | None:
    """Return a setting's value, None when this kernel does not have it."""
    try:
        return (_ROOT / name).read_text().strip().replace("\t", " ")
    except OSError:
        # Without IPv6 it is off: there is nothing to write, and nothing differs from what a lab of IPv4 wants.
        return "1" if _DISABLE_IPV6.fullmatch(name) and without_ipv6() else None
