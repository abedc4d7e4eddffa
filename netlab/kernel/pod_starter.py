"""Starts programs in pods, by a process of its own that forks each of them (``kernel/pod_runtime.py``)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import netlab
from netlab.errors import HostError
from netlab.kernel import attached, pod_runtime
from netlab.kernel.pod_process import PodProgram

_RUN = (
    "import sys; sys.path.append(sys.argv[1]); from importlib import import_module; import_module(sys.argv[2]).main(%d)"
)
_KILLED = 128 + signal.SIGKILL
# setsockopt(2), include/uapi/asm-generic/socket.h; Python has no name for it.
_SNDBUFFORCE = 32


class Program:
    """A program that was started; ``fileno`` is readable when it has ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def fileno(self) -> int:
        return self._control.fileno()

    def send(self, number: int) -> None:
        """Send the program a signal, unless it has ended."""
        with contextlib.suppress(OSError):
            self._control.send(bytes((number,)))

    def ends_within(self, seconds: float) -> bool:
        """Return whether the program ends in this time, or has ended."""
        # select(2) has no descriptors above 1023.
        ended = select.poll()
        ended.register(self._control, select.POLLIN)
        return bool(ended.poll(seconds * 1000))

    def result(self) -> tuple[int, str]:
        """Wait for the end; return the exit code, 128 and more for a signal, and why the program could not run."""
        data = b""
        # The first answer is ECONNRESET if the process closed its end before it read a signal (unix_release_sock in
        # net/unix/af_unix.c). Its message comes after that.
        for _ in range(2):
            with contextlib.suppress(OSError):
                data = self._control.recv(pod_runtime.MOST)
                break
        self._control.close()
        found = json.loads(data) if data else {}
        return int(found.get("code", _KILLED)), str(found.get("error", ""))


class Runtime:
    """The process that forks programs; make it once.

    ``module`` has a function ``main`` that is this process: it takes the descriptor of its orders.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._begin()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def _begin(self) -> None:
        self._orders, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, 2 * pod_runtime.MOST)
        folder = str(Path(netlab.__file__).parents[1])
        with other:
            # With -I -S no variable, no folder of a user and no .pth file decides what is imported.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _RUN % other.fileno(), folder, self._module],
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                start_new_session=True,
            )

    def start(self, program: PodProgram, container: str, fds: Sequence[int], *, beside: bool = False) -> Program:
        """Start a program whose input, output and errors are these descriptors.

        Args:
          program: what to run.
          container: a name for the programs of one container.
          fds: its three descriptors.
          beside: it runs beside the container's own program, if that runs.

        Raises:
          HostError: for arguments and variables that are too long, or when the process is gone.
        """
        data = pod_runtime.order(program, container, beside=beside)
        if len(data) > pod_runtime.MOST:
            raise HostError("arguments and variables are too long")
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far, self._lock:
            try:
                try:
                    socket.send_fds(self._orders, [data], [far.fileno(), *fds])
                except (BrokenPipeError, ConnectionError):
                    # It was killed, and all programs with it.
                    self.close()
                    self._begin()
                    socket.send_fds(self._orders, [data], [far.fileno(), *fds])
            except OSError as error:
                near.close()
                raise HostError(f"cannot start a program: {error.strerror}") from error
        return Program(near)

    def forget(self, pod: str) -> None:
        """Drop the volumes of a pod that is gone."""
        with contextlib.suppress(OSError):
            self._orders.send(pod_runtime.forgets(pod))

    def close(self) -> None:
        """Kill all programs."""
        self._orders.close()
        self._process.wait()


class Started(Protocol):
    """A program that was started, as ``Program`` is one."""

    def fileno(self) -> int: ...

    def send(self, number: int) -> None: ...

    def result(self) -> tuple[int, str]: ...


class Attached:
    """A program whose input and output this process holds, by pipes or by a terminal of its own.

    ``stdin``, ``stdout`` and ``stderr`` are descriptors that do not block and that the caller closes; ``stderr`` is -1
    with a terminal. ``ended`` is a descriptor that is readable when the program ended.
    """

    def __init__(self, start: Callable[[Sequence[int]], Started], *, terminal: bool) -> None:
        """Start the program with three descriptors; raises what ``start`` does."""
        self._terminal = self.stdin = self.stdout = self.stderr = -1
        if terminal:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with near:
                with far:
                    self._program = start([far.fileno()] * 3)
                # It makes the terminal, so that its /dev has it.
                self._terminal = attached.take_terminal(near)
            self.stdin, self.stdout = os.dup(self._terminal), os.dup(self._terminal)
        else:
            self._start_with_pipes(start)
        self.ended = self._program.fileno()
        for fd in (self.stdin, self.stdout, self.stderr, self._terminal):
            if fd >= 0:
                os.set_blocking(fd, False)

    def _start_with_pipes(self, start: Callable[[Sequence[int]], Started]) -> None:
        (stdin, self.stdin), (self.stdout, stdout), (self.stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
        try:
            self._program = start([stdin, stdout, stderr])
        except BaseException:
            for fd in (self.stdin, self.stdout, self.stderr):
                os.close(fd)
            raise
        finally:
            for fd in (stdin, stdout, stderr):
                os.close(fd)

    def resize(self, width: int, height: int) -> None:
        """Set the size of the terminal."""
        if self._terminal >= 0:
            size = struct.pack("HHHH", height & 0xFFFF, width & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def end(self) -> tuple[int, str]:
        """Kill the program if it runs; return its exit status, and why it could not run."""
        self._program.send(signal.SIGKILL)
        found = self._program.result()
        if self._terminal >= 0:
            os.close(self._terminal)
        self._terminal = -1
        return found
