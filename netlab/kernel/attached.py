"""The terminal of a program. It is in the program's own ``/dev``, so the program finds its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import termios


def make_terminal(owner: int) -> None:
    """Give this process, the first of its session, a new terminal as input, output and errors.

    The input is a socket before that: the other end of the terminal is sent there. ``owner`` is the terminal's user.
    Raises OSError.
    """
    with socket.socket(fileno=os.dup(0)) as to:
        other, terminal = os.openpty()
        os.fchown(terminal, owner, -1)
        socket.send_fds(to, [b"!"], [other])
    os.close(other)
    for fd in range(3):
        os.dup2(terminal, fd)
    os.close(terminal)
    with contextlib.suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def take_terminal(given: socket.socket) -> int:
    """Return the other end of a program's terminal; if the program ended without one, that of a closed terminal."""
    with contextlib.suppress(OSError):
        _, fds, _, _ = socket.recv_fds(given, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if fds:
            return fds[0]
    found, closed = os.openpty()
    os.close(closed)
    return found
