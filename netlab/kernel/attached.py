"""The terminal of a program that has one. It is one of the program's own ``/dev``, so the program finds its name."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import termios


def make_terminal(owner: int) -> None:
    """Let this process, the first of its session, have a new terminal as input, output and errors.

    Its other end goes to the socket that the input was. ``owner`` is its user. Raises OSError.
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
    """Return the other end of a program's terminal; it is closed on the program's side if that ended without one."""
    with contextlib.suppress(OSError):
        _, fds, _, _ = socket.recv_fds(given, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if fds:
            return fds[0]
    found, closed = os.openpty()
    os.close(closed)
    return found
