"""Ports of the host's loopback address."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

from netlab.errors import HostError

ADDRESS = "127.0.0.1"
# Ports of services begin below, and those of Kubernetes' nodePorts above.
_LOWEST, _HIGHEST = 10_000, 29_999
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1000


def free_ports(count: int) -> list[int]:
    """Return different TCP ports of the loopback address on which nothing listens at present.

    They are none that the kernel gives to connections. Otherwise a program that starts again may find that a connection
    has its port meanwhile, and one that connects to the port while nothing listens may reach itself.

    Raises:
      HostError: when the host has none.
    """
    highest = min(_HIGHEST, _first_ephemeral() - 1)
    try:
        with ExitStack() as stack:
            # All are open at once, so that no two are the same.
            opened: list[socket.socket] = []
            for _ in range(_TRIES):
                if len(opened) == count:
                    break
                one = stack.enter_context(socket.socket())
                port = random.randint(_LOWEST, highest) if highest > _LOWEST else 0  # noqa: S311  no secret
                with suppress(OSError):
                    one.bind((ADDRESS, port))
                    opened.append(one)
            found = [one.getsockname()[1] for one in opened]
    except OSError as error:
        raise HostError(f"no free port on {ADDRESS}: {error.strerror}") from error
    if len(found) < count:
        raise HostError(f"no free port on {ADDRESS}")
    return found


def is_free(port: int) -> bool:
    """Return whether a program could listen on a TCP port of the loopback address now."""
    with socket.socket() as one:
        # Connections that have ended do not count.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((ADDRESS, port))
        except OSError:
            return False
        return True


def _first_ephemeral() -> int:
    """Return the first port that the kernel gives to connections (ip(7))."""
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 1 << 15
