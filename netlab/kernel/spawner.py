"""A process with one thread that forks others: a process with threads of its own must not fork.

It is forked before the threads start. Each process that it forks has a socket whose other end the caller gets, and ends
when that is closed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from netlab.errors import HostError, NetlabError
from netlab.kernel import signals

Target = Callable[[Mapping[str, Any], socket.socket], None]
_MOST = 1 << 16
# Seconds between two looks for processes that ended.
_REAP = 1.0


class Spawner:
    """Starts processes for the caller; make it before the process has threads.

    Args:
      targets: the functions that a process may call, by name; each gets the arguments and its socket.
      say: prints a line, such as the error with which a process ends.
    """

    def __init__(self, targets: Mapping[str, Target], say: Callable[[str], None]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _serve(other, targets, say)
        other.close()

    def start(self, target: str, **arguments: Any) -> socket.socket:
        """Start a process; return a socket to it, whose other end closes when the process ends.

        Raises:
          HostError: when the spawner is gone.
        """
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            try:
                socket.send_fds(self._socket, [json.dumps({"target": target, **arguments}).encode()], [far.fileno()])
            except OSError as error:
                near.close()
                raise HostError(f"the process that starts others is gone: {error.strerror}") from error
        return near

    def fileno(self) -> int:
        """Return a descriptor that is readable when the spawner has ended."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let the spawner end; it waits for its processes first."""
        self._socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _serve(orders: socket.socket, targets: Mapping[str, Target], say: Callable[[str], None]) -> NoReturn:
    # The terminal sends its signals to every process. The caller decides when these end: it closes their sockets.
    for number in signals.ENDS:
        signal.signal(number, signal.SIG_IGN)
    try:
        while True:
            _reap(os.WNOHANG)
            if not select.select([orders], [], [], _REAP)[0]:
                continue
            data, fds, _, _ = socket.recv_fds(orders, _MOST, 1)
            if not data:
                break
            if os.fork() == 0:
                orders.close()
                _child(json.loads(data), socket.socket(fileno=fds[0]), targets, say)
            for fd in fds:
                os.close(fd)
        orders.close()
        while _reap(0):
            pass
    finally:
        os._exit(0)


def _child(
    arguments: dict[str, Any], own: socket.socket, targets: Mapping[str, Target], say: Callable[[str], None]
) -> NoReturn:
    status = 1
    try:
        targets[arguments.pop("target")](arguments, own)
        status = 0
    except NetlabError as error:
        say(f"{error}")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _reap(options: int) -> bool:
    """Collect processes that ended; return whether there may be more."""
    while True:
        try:
            if os.waitpid(-1, options)[0] == 0:
                return True
        except ChildProcessError:
            return False
