"""The process that runs the programs of pods: it has one thread and little memory, and forks each program.

A fork costs a few milliseconds, where a new interpreter costs a fifth of a second. Each program has a socket, its
control: over it come signals to send, and back goes how it ended. When the other end of the control is closed, the
program is killed. When the orders end, all programs are.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from netlab.errors import HostError, KernelError, NetlabError
from netlab.kernel import counted, libc, pod_process, signals
from netlab.kernel.pod_process import OfPod, Own, PodProgram
from netlab.kernel.pod_volumes import Mount

MOST = 512 << 10
"""Bytes: the longest order."""
_SIGNAL_BYTES = 1


def order(program: PodProgram, container: str, *, beside: bool) -> bytes:
    """Return the text of an order.

    Args:
      program: the program.
      container: a name for all programs of a container.
      beside: the program runs beside that of the container, if it has one.
    """
    data = {
        "namespace": program.namespace,
        "argv": program.argv,
        "environment": dict(program.environment),
        "hostname": program.hostname,
        "files": dict(program.files),
        "folder": program.folder,
        "terminal": program.terminal,
        "pod": program.pod,
        "volumes": program.volumes,
        "mounts": [{"path": one.path, "volume": one.volume, "files": dict(one.files)} for one in program.mounts],
        "container": container,
        "beside": beside,
    }
    return json.dumps(data).encode()


def forgets(pod: str) -> bytes:
    """Return the text of an order to drop the volumes of a pod."""
    return json.dumps({"forget": pod}).encode()


def _program(data: dict[str, Any]) -> PodProgram:
    mounts = tuple(Mount(**one) for one in data["mounts"])
    return PodProgram(**{**data, "argv": tuple(data["argv"]), "mounts": mounts, "volumes": tuple(data["volumes"])})


class _Running:
    def __init__(self, pid: int, control: socket.socket, container: str, ready: int) -> None:
        self.pid, self.control, self.container, self._ready = pid, control, container, ready
        self.pidfd = os.pidfd_open(pid)
        self._broken = False

    def wait(self) -> None:
        """Wait until it has its own files, so that others may join it. Before that its namespaces are this process's.

        Raises:
          HostError: when it ends before.
        """
        if self._ready >= 0:
            ready, self._ready = self._ready, -1
            said = os.read(ready, 1)
            os.close(ready)
            if not said:
                self._broken = True
        if self._broken:
            raise HostError("the program of the container has ended")

    def close(self) -> None:
        """Close its descriptors."""
        os.close(self.pidfd)
        if self._ready >= 0:
            os.close(self._ready)
        self.control.close()

    def kill(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)
        if number == signal.SIGKILL:
            # A program beside another has started more in its session. It is not waited for yet, so the id is its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


class Runtime:
    """Runs programs for the process at the other end of ``orders``, until that end is closed."""

    def __init__(self, orders: socket.socket, own: Sequence[Own]) -> None:
        self._orders, self._own = orders, own
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders, selectors.EVENT_READ, self._take)
        self._me = os.pidfd_open(os.getpid())
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._first: dict[str, _Running] = {}
        self._all: set[_Running] = set()
        # By pod: a descriptor of the process that holds its volumes, and its id.
        self._holders: dict[str, int] = {}
        self._holder_ids: dict[str, int] = {}
        self._counted: dict[str, int] = {}
        self._done = False

    def run(self) -> None:
        """Take orders, and say how programs end."""
        # The collector would write to pages that all programs share.
        gc.collect()
        gc.freeze()
        # A forked process has them blocked until it is ready for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signals.ENDS)
        while not self._done:
            for key, _ in self._selector.select():
                key.data()

    def _take(self) -> None:
        data, fds, _, _ = socket.recv_fds(self._orders, MOST, 4)
        if not data:
            self._done = True
            for one in self._all:
                one.kill(signal.SIGKILL)
            return
        found = json.loads(data)
        if "forget" in found:
            self._drop(found["forget"])
            return
        control = socket.socket(fileno=fds[0])
        try:
            container, beside = found.pop("container"), found.pop("beside")
            self._start(_program(found), container, beside, control, fds[1:])
        except (NetlabError, OSError, ValueError, TypeError, KeyError) as error:
            _tell(control, error=str(error))
            control.close()
        finally:
            for fd in fds[1:]:
                os.close(fd)

    def _start(
        self, program: PodProgram, container: str, beside: bool, control: socket.socket, fds: Sequence[int]
    ) -> None:
        first = self._first.get(container) if beside else None
        if first is not None:
            first.wait()
        said, say = os.pipe()
        readable, ready = (-1, -1) if beside else os.pipe()
        try:
            space = self._counted_of(program)
            if first is not None:
                become, of, beside_of = pod_process.join, OfPod(self._me, first.pidfd, space), first.pidfd
            else:
                become = pod_process.start_beside if beside else pod_process.start
                of, beside_of = OfPod(self._me, self._holder(program) if program.volumes else -1, space, ready), -1
            pid = self._in_namespace(beside_of, lambda: become(program, fds, self._own, say, of))
        except BaseException:
            os.close(said)
            if readable >= 0:
                os.close(readable)
            raise
        finally:
            os.close(say)
            if ready >= 0:
                os.close(ready)
        one = _Running(pid, control, container, readable)
        self._all.add(one)
        if not beside:
            self._first[container] = one
        self._selector.register(control, selectors.EVENT_READ, lambda: self._signal(one))
        self._selector.register(one.pidfd, selectors.EVENT_READ, lambda: self._ended(one, said))

    def _holder(self, program: PodProgram) -> int:
        """Return a descriptor of the process that holds the volumes of a program's pod; start it if there is none."""
        found = self._holders.get(program.pod)
        if found is not None:
            # select(2) has no descriptors above 1023.
            ended = select.poll()
            ended.register(found, select.POLLIN)
            if not ended.poll(0):
                return found
        self._drop_volumes(program.pod)
        readable, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            pod_process.hold_volumes(program.volumes, ready, self._me)
        os.close(ready)
        holds = os.read(readable, 1)
        os.close(readable)
        if not holds:
            os.waitpid(pid, 0)
            raise HostError("cannot mount volumes")
        self._holders[program.pod] = os.pidfd_open(pid)
        self._holder_ids[program.pod] = pid
        return self._holders[program.pod]

    def _counted_of(self, program: PodProgram) -> int:
        """Return the user namespace in which a pod's processes are counted, -1 where this host has none."""
        if program.pod not in self._counted:
            self._counted[program.pod] = counted.new()
        return self._counted[program.pod]

    def _drop(self, pod: str) -> None:
        """Keep nothing of a pod. What its programs have goes with the last of them."""
        self._drop_volumes(pod)
        fd = self._counted.pop(pod, -1)
        if fd >= 0:
            os.close(fd)

    def _drop_volumes(self, pod: str) -> None:
        """End the process that holds a pod's volumes. They go with the last program that has them."""
        fd = self._holders.pop(pod, None)
        if fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.waitpid(self._holder_ids.pop(pod), 0)
            os.close(fd)

    def _in_namespace(self, beside: int, work: Callable[[], NoReturn]) -> int:
        """Fork a process as the first of a new process namespace, or into that of another process; return its id."""
        if beside >= 0:
            libc.setns(beside, libc.CLONE_NEWPID)
        else:
            libc.unshare(libc.CLONE_NEWPID)
        try:
            pid = os.fork()
            if pid == 0:
                work()
        finally:
            libc.setns(self._home, libc.CLONE_NEWPID)
        return pid

    def _signal(self, one: _Running) -> None:
        if one not in self._all:
            # It ended in the same turn.
            return
        try:
            data = one.control.recv(_SIGNAL_BYTES)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(one.control)
        one.kill(data[0] if data else signal.SIGKILL)

    def _ended(self, one: _Running, said: int) -> None:
        if self._first.get(one.container) is one:
            del self._first[one.container]
        # What it left in its session ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(one.pid, signal.SIGKILL)
        _, status = os.waitpid(one.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        os.set_blocking(said, False)
        why = b""
        with contextlib.suppress(BlockingIOError):
            why = os.read(said, 1000)
        os.close(said)
        _tell(one.control, code=code if code >= 0 else 128 - code, error=why.decode(errors="replace"))
        self._selector.unregister(one.pidfd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(one.control)
        one.close()
        self._all.discard(one)


def _tell(control: socket.socket, **what: Any) -> None:
    with contextlib.suppress(OSError):
        control.send(json.dumps(what).encode())


def allow_descriptors() -> None:
    """Let this process have all open files that it may have: each program of a pod takes several."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(orders: int, own: Sequence[Own]) -> None:
    """Be the runtime until the orders end."""
    allow_descriptors()
    try:
        Runtime(socket.socket(fileno=orders), own).run()
    except KernelError as error:
        os.write(2, f"{error}\n".encode())
        raise
