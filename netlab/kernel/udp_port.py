"""A free UDP port of this network namespace, kept until a device takes it."""

from __future__ import annotations

import errno
import os
import socket

from netlab.errors import HostError

FIRST_PORT = 51820
"""The first UDP port that is tried for a WireGuard device: the one of WireGuard's own documentation."""
_PORTS = 1000


class ReservedPort:
    """A UDP port of this network namespace that no other program gets until it is released.

    It is the first free one of those that are tried, from ``first`` on.

    Raises:
      HostError: if none is free.
    """

    def __init__(self, first: int = FIRST_PORT) -> None:
        for number in range(first, min(first + _PORTS, 1 << 16)):
            try:
                self._sockets = _bound(number)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise HostError(f"cannot open a UDP port: {os.strerror(error.errno or 0)}") from error
                continue
            self.number = number
            return
        raise HostError(f"no UDP port from {first} on is free", "remove an encrypted lab of this machine")

    def release(self) -> None:
        """Let the port go, for the device."""
        for one in self._sockets:
            one.close()


def _bound(number: int) -> list[socket.socket]:
    """Return sockets on a port of all addresses, as a device has them; raises OSError."""
    made: list[socket.socket] = []
    try:
        for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
            try:
                one = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and made:
                    break
                raise
            made.append(one)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address, number))
    except BaseException:
        for one in made:
            one.close()
        raise
    return made
