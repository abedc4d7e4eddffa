"""Programs that outlive the command that starts them: started in a namespace, found by id and start time, signalled.

A program has a folder: the files that it reads, its output, and the file ``process`` with its id, its start time and
the digest of its description. ``program_process`` says what the program sees. ``processes.end`` finds it by its network
namespace, also without the folder. Its process is the first of a process namespace: programs of other labs have the
same user, and it can neither signal them nor read their memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from netlab.errors import HostError, KernelError, way_out
from netlab.kernel import libc, netns, privilege, processes, program_process, signals
from netlab.kernel.files import aside, make_private
from netlab.kernel.program import Program
from netlab.kernel.sudo_user import NOBODY

_PROCESS, _OUTPUT = "process", "output"
# Bytes: the output that is kept when a program starts again, and the end of it that is read for messages.
_KEPT_OUTPUT = 1 << 20
_TAIL = 4096
_SHOWN = 300
# Seconds. A program that does not become ready is rare, and to import one takes half a minute where a busy processor is
# emulated.
_READY, _GRACE = 60.0, 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_STARTED = "+"
# The states of listening sockets in /proc/net (include/net/tcp_states.h); a UDP socket without a peer is "closed".
_LISTENING = {"tcp": "0A", "udp": "07"}


def write(folder: Path, name: str, data: bytes, *, secret: bool = False) -> bool:
    """Write a file of a program's folder, whole or not at all; return whether it differs from the file before.

    The program can read it, and no other user can, as the folder is within a private one. A secret file has mode 0600
    and belongs to the program's user.

    Raises:
      OSError: when it cannot be written.
    """
    _prepare(folder)
    path = folder / name
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if file.read(len(data) + 1) == data:
                return False
    draft = folder / f"{name}.new"
    draft.unlink(missing_ok=True)
    mode = 0o600 if secret else 0o644
    with aside(str(path), str(draft), mode) as file:
        os.fchmod(file.fileno(), mode)
        if secret and os.geteuid() == 0 and not privilege.rootless():
            os.fchown(file.fileno(), NOBODY, NOBODY)
        file.write(data)
    return True


def running(folder: Path) -> int | None:
    """Return the id of the program of a folder, None if it does not run."""
    found = _process(folder)
    return found[0] if found is not None else None


def runs(program: Program, folder: Path) -> bool:
    """Return whether the program of a folder runs, has this description, and is in the namespace of this name."""
    found = _process(folder)
    if found is None or found[1] != program.digest:
        return False
    if not program.namespace:
        return True
    try:
        return os.stat(f"/proc/{found[0]}/ns/net").st_ino == netns.inode(program.namespace)
    except OSError:
        return False


def send(folder: Path, number: int) -> bool:
    """Send a signal to the program of a folder; return whether it runs."""
    pid = running(folder)
    if pid is None:
        return False
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Another process may have the id by now. The descriptor stays with one process.
        if running(folder) != pid:
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def stop(folder: Path) -> None:
    """End the program of a folder: SIGTERM, and SIGKILL after two seconds. Its ports are free on return."""
    with contextlib.ExitStack() as stack:
        pid, fd = running(folder), -1
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(pid) if pid is not None else -1
        if fd >= 0:
            stack.callback(os.close, fd)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not send(folder, number):
                break
            for _ in _pauses(_GRACE):
                if running(folder) is None:
                    break
        if fd >= 0:
            # The first thread may have ended while others still hold the sockets.
            ended = select.poll()
            ended.register(fd, select.POLLIN)
            ended.poll(_GRACE * 1000)
    with contextlib.suppress(FileNotFoundError):
        (folder / _PROCESS).unlink()


def output(folder: Path) -> str:
    """Return the end of the output of a folder's program, "" if it printed nothing."""
    try:
        fd = os.open(folder / _OUTPUT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        file.seek(max(0, os.fstat(fd).st_size - _TAIL))
        return file.read(_TAIL).decode(errors="replace").strip()


def start(program: Program, folder: Path) -> None:
    """End the program of a folder and start this one; return when it listens. The caller holds the lab's lock.

    Raises:
      NotFound: when the namespace is gone.
      HostError: when the program cannot run or ends at once.
      KernelError: when the kernel refuses a namespace or a mount.
    """
    with _named(program):
        with signals.deferred():
            stop(folder)
            _prepare(folder)
            _make_files(program, folder)
            printed = _open_output(folder)
            try:
                pid = _fork(program, folder, printed)
            finally:
                os.close(printed)
        _wait_until_ready(program, folder, pid)


@contextlib.contextmanager
def _named(program: Program) -> Iterator[None]:
    """Make each error of the host a HostError that names the program."""
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        what = f"cannot run {_name(program)}{_place(program)}: {place}{error.strerror}"
        raise HostError(what, way_out(error.errno)) from error


# --- files ----------------------------------------------------------------------------------------------------------


def _prepare(folder: Path) -> None:
    """Make a program's folder in a private one. The program can search it, and netlab alone can write it."""
    make_private(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    if folder.is_symlink() or not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    folder.chmod(0o755)


def _make_files(program: Program, folder: Path) -> None:
    """Make the files and directories that a program writes."""
    for name in program.logs:
        os.close(_open_output(folder, name))
    for name in program.folders:
        path = folder / name
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        if not privilege.rootless():
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _open_output(folder: Path, name: str = _OUTPUT) -> int:
    """Open a file for a program's output. The program owns it, so that it can open /dev/stdout again."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(folder / name, flags, 0o600)
    if os.fstat(fd).st_size > _KEPT_OUTPUT:
        os.ftruncate(fd, 0)
    if not privilege.rootless():
        os.fchown(fd, NOBODY, NOBODY)
    return fd


def _process(folder: Path) -> tuple[int, str] | None:
    """Return the id and the digest of the program of a folder, None if it does not run."""
    try:
        text, started, digest = (folder / _PROCESS).read_text().split()
        pid = int(text)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return (pid, digest) if processes.started(pid) == started else None


# --- starting -------------------------------------------------------------------------------------------------------


def _fork(program: Program, folder: Path, printed: int) -> int:
    """Start a program in a process that is no child of this one, write its id to the folder, and return the id.

    The process waits for a byte, which is sent when its id is written. So a command that is killed leaves no program
    without such a file.
    """
    command = program_process.command(program)
    reports, report = os.pipe()
    permission, permit = os.pipe()
    with os.fdopen(reports, "rb") as answer, os.fdopen(permit, "wb", buffering=0) as permits:
        become = _become_privileged if program.privileged else _become
        try:
            between = os.fork()
            if between == 0:
                os.close(permit)
                become(program, command, folder, printed, report, permission)
        finally:
            os.close(report)
            os.close(permission)
        os.waitpid(between, 0)
        first = answer.readline().decode(errors="replace").strip()
        if not first.startswith(_STARTED):
            raise KernelError(f"starting {command[0]}", 0, first or "its process ended")
        pid = int(first[1:])
        line = f"{pid} {processes.started(pid)} {program.digest}\n"
        with aside(str(folder / _PROCESS), str(folder / f"{_PROCESS}.{pid}"), 0o600) as file:
            file.write(line.encode())
        permits.write(b"!")
        # exec closes the pipe. Else the process writes why it cannot run.
        if error_text := answer.read().decode(errors="replace"):
            # It says so before it ends.
            stop(folder)
            raise HostError(f"cannot run {command[0]}: {error_text}")
    return pid


def _become(program: Program, command: list[str], folder: Path, printed: int, report: int, permission: int) -> NoReturn:
    """Become the program, in a child of the forked child."""
    try:
        os.setsid()
        libc.unshare(libc.CLONE_NEWPID)
        told, tell = os.pipe()
        if pid := os.fork():
            os.write(tell, f"{pid}".encode())
            os._exit(0)
        # Its id in its own process namespace is 1.
        pid = int(os.read(told, 20))
        program_process.detach(printed, (report, permission), program.largest_file)
        path = program_process.open_path(program, command)
        if program.namespace:
            netns.enter(program.namespace)
        program_process.own_mounts(program, folder)
        # A user namespace may not be allowed to mount it.
        with contextlib.suppress(KernelError) if privilege.rootless() else contextlib.nullcontext():
            libc.mount("proc", "/proc", "proc")
        os.write(report, f"{_STARTED}{pid}\n".encode())
        if os.read(permission, 1):
            program_process.execute(program, command, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, str(error).encode() or b"unknown")
    os._exit(1)


def _become_privileged(
    program: Program, command: list[str], folder: Path, printed: int, report: int, permission: int
) -> NoReturn:
    """Become a program that changes labs, in a child of the forked child. It sees what its caller sees."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        program_process.detach(printed, (report, permission), program.largest_file)
        os.write(report, f"{_STARTED}{os.getpid()}\n".encode())
        if os.read(permission, 1):
            program_process.execute(program, command, None)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, str(error).encode() or b"unknown")
    os._exit(1)


# --- a run that ends ------------------------------------------------------------------------------------------------


def run(program: Program, folder: Path) -> tuple[int, str]:
    """Run a program to its end, as ``start`` does; return its exit status and the end of its output.

    Raises:
      HostError: when it runs for longer than 60 s.
      KernelError: when it cannot be started.
    """
    with _named(program), signals.deferred():
        _prepare(folder)
        _make_files(program, folder)
        reports, report = os.pipe()
        refusals, refusal = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                program_process.detach(report, (report, refusal))
                command = program_process.command(program)
                path = program_process.open_path(program, command)
                netns.enter(program.namespace)
                program_process.own_mounts(program, folder)
                program_process.execute(program, command, path)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.write(refusal, str(error).encode() or b"unknown")
            os._exit(127)
        os.close(report)
        os.close(refusal)
        with os.fdopen(reports, "rb") as answer, os.fdopen(refusals, "rb") as refused:
            for _ in _pauses(_READY):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    # exec closes the pipe.
                    if why := refused.read().decode(errors="replace"):
                        raise KernelError(f"starting {_name(program)}", 0, why)
                    said = answer.read()[-_TAIL:].decode(errors="replace").strip()
                    return os.waitstatus_to_exitcode(status), said
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    raise HostError(f"{_name(program)} in {program.namespace} does not end after {_READY:g} s")


# --- readiness ------------------------------------------------------------------------------------------------------


def _pauses(seconds: float) -> Iterator[None]:
    """Yield, with growing pauses, until the time is over."""
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        yield
        if time.monotonic() > until:
            return
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _wait_until_ready(program: Program, folder: Path, pid: int) -> None:
    name = _name(program)
    for _ in _pauses(_READY):
        if running(folder) is None:
            said = (output(folder).splitlines() or ["without output"])[-1][:_SHOWN]
            raise HostError(f"{name} ended at once{_place(program)}: {said}", f"its output is in {folder / _OUTPUT}")
        if _listens(pid, program.listens):
            return
    stop(folder)
    ports = ", ".join(f"{port}/{protocol}" for protocol, port in program.listens)
    raise HostError(f"{name}{_place(program)} does not listen on {ports} after {_READY:g} s")


def _name(program: Program) -> str:
    return program.module or os.path.basename(program.argv[0])


def _place(program: Program) -> str:
    return f" in {program.namespace}" if program.namespace else ""


def _listens(pid: int, wanted: Sequence[tuple[str, int]]) -> bool:
    """Return whether a process listens on all ports, with sockets of its own."""
    if not wanted:
        return True
    try:
        own = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        return all(any(f"socket:[{inode}]" in own for inode in _sockets(pid, *one)) for one in wanted)
    except OSError:
        # It ended, which the caller notices, or it closed a descriptor meanwhile.
        return False


def _sockets(pid: int, protocol: str, port: int) -> Iterator[str]:
    """Yield the inode numbers of the sockets that listen on a port of a process's network namespace (proc(5))."""
    for table in (protocol, f"{protocol}6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == _LISTENING[protocol] and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
