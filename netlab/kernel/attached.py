"""A program whose input and output this process holds, by pipes or by a terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

from netlab.errors import HostError


class Attached:
    """A running program, the leader of a session of its own.

    ``stdin``, ``stdout`` and ``stderr`` are descriptors that do not block and that the caller closes; -1 for one that
    was closed, and for ``stderr`` with a terminal. ``ended`` is a descriptor that is readable when the program ended.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool) -> None:
        """Start the program; raises HostError."""
        self._terminal = -1
        try:
            self._process = self._on_terminal(argv, environment) if terminal else self._on_pipes(argv, environment)
        except OSError as error:
            raise HostError(f"cannot run {argv[0]}: {error.strerror}") from error
        self.ended = os.pidfd_open(self._process.pid)
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                os.set_blocking(fd, False)

    def _on_pipes(self, argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            argv, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, bufsize=0
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        # Its files close their descriptors when they are collected.
        self.stdin, self.stdout, self.stderr = (
            os.dup(f.fileno()) for f in (process.stdin, process.stdout, process.stderr)
        )
        for file in (process.stdin, process.stdout, process.stderr):
            file.close()
        return process

    def _on_terminal(self, argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        own, other = os.openpty()
        try:
            process = subprocess.Popen(
                argv, env=environment, stdin=other, stdout=other, stderr=other, start_new_session=True
            )
        except OSError:
            os.close(own)
            raise
        finally:
            os.close(other)
        self._terminal = own
        self.stdin, self.stdout, self.stderr = os.dup(own), os.dup(own), -1
        return process

    def resize(self, width: int, height: int) -> None:
        """Set the size of the terminal."""
        if self._terminal >= 0:
            size = struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def end(self) -> int:
        """Kill what still runs of the program's session; return its exit status, 128 and more for a signal."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        for fd in (self.ended, self._terminal):
            if fd >= 0:
                os.close(fd)
        self._terminal = -1
        return 128 - status if status < 0 else status


def take_terminal() -> None:
    """Make the terminal of this process's input that of its session; nothing where it is none."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
