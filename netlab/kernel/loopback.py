"""Ports of the host's loopback address."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from netlab.errors import HostError

ADDRESS = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return different TCP ports of the loopback address on which nothing listens at present.

    Raises:
      HostError: when the host has none.
    """
    try:
        with ExitStack() as stack:
            # All are open at once, so that no two are the same.
            opened = [stack.enter_context(socket.socket()) for _ in range(count)]
            for one in opened:
                one.bind((ADDRESS, 0))
            return [one.getsockname()[1] for one in opened]
    except OSError as error:
        raise HostError(f"no free port on {ADDRESS}: {error.strerror}") from error
