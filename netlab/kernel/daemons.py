"""Programs that a lab runs: started inside a namespace without privilege, found by id and start time, ended by signals.

A program outlives the command that starts it. It has no terminal, no descriptor and no variable of the command. It has
a mount namespace of its own: ``/run/netlab`` is the program's own folder, which it can read, and a program of the host
has an empty ``/tmp``. It is root in no case: a lab of root runs it as user 65534 (nobody); without root it has no
capability. It may listen on every port, as a container's program may. ``processes.end`` finds it by its network
namespace.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from netlab.errors import HostError, KernelError, way_out
from netlab.kernel import libc, netns, privilege, processes, signals
from netlab.kernel.files import aside, make_private
from netlab.kernel.machine import OWN_FOLDER, Program

_PROCESS, _OUTPUT = "process", "output"
# Bytes: the largest file that a program may write, and the output that is kept when it starts again.
_LARGEST_FILE = 64 << 20
_KEPT_OUTPUT = 1 << 20
_TAIL = 4096
# Seconds.
_READY, _GRACE = 20.0, 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_STARTED = "+"
# containerd sets it for each pod too.
_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_UNPACK = (
    "import sys; root, module, *paths = sys.argv[1].split('\\n'); sys.path += paths; del sys.argv[1];"
    "from importlib import import_module; main = import_module(module).main;"
    "from netlab.kernel import libc; libc.give_up_privilege(root == 'root'); main()"
)
# The states of listening sockets in /proc/net (include/net/tcp_states.h); a UDP socket without a peer is "closed".
_LISTENING = {"tcp": "0A", "udp": "07"}


def command_of(program: Program) -> list[str]:
    """Return the argument vector to execute."""
    if not program.module:
        return list(program.argv)
    from importlib.util import find_spec

    specs = [find_spec(name) for name in ("netlab", *program.needs)]
    paths = dict.fromkeys(str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin)
    root = "user" if privilege.rootless() else "root"
    # With -I -S no variable, no folder of a user and no .pth file decides what is imported.
    return [sys.executable, "-I", "-S", "-c", _UNPACK, "\n".join((root, program.module, *paths)), *program.argv]


def write_file(folder: Path, name: str, data: bytes, *, secret: bool = False) -> bool:
    """Write a file of a program's folder, whole or not at all; return whether it differs from what was there.

    The program can read it, and no other user can: the folder is within private ones. The program owns a secret file,
    which has mode 0600.

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
            os.fchown(file.fileno(), libc.NOBODY, libc.NOBODY)
        file.write(data)
    return True


def running(folder: Path) -> int | None:
    """Return the id of the program of a folder, None where it does not run."""
    found = _process(folder)
    return found[0] if found is not None else None


def runs(program: Program, folder: Path) -> bool:
    """Return whether a program was started as it is described, in the namespace that the name now has, and runs."""
    found = _process(folder)
    if found is None or found[1] != program.digest:
        return False
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
        # Another process may have the id by now; a descriptor keeps to one process.
        if running(folder) != pid:
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def stop(folder: Path) -> None:
    """End the program of a folder: SIGTERM, and SIGKILL two seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not send(folder, number):
            break
        for _ in _pauses(_GRACE):
            if running(folder) is None:
                break
    with contextlib.suppress(FileNotFoundError):
        (folder / _PROCESS).unlink()


def output(folder: Path) -> str:
    """Return the end of what the program of a folder printed, "" where it printed nothing."""
    try:
        fd = os.open(folder / _OUTPUT, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        file.seek(max(0, os.fstat(fd).st_size - _TAIL))
        return file.read(_TAIL).decode(errors="replace").strip()


def start(program: Program, folder: Path) -> None:
    """Start a program, in place of the one of the folder; return when it listens. The caller holds the lab's lock.

    Raises:
      NotFound: when the namespace is gone.
      HostError: when the program cannot run or ends at once.
      KernelError: when the kernel refuses a namespace or a mount.
    """
    with _named(program):
        with signals.deferred():
            stop(folder)
            _prepare(folder)
            _make_logs(program, folder)
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
        what = f"cannot run {_name(program)} in {program.namespace}: {place}{error.strerror}"
        raise HostError(what, way_out(error.errno)) from error


def _name(program: Program) -> str:
    return program.module or os.path.basename(program.argv[0])


# --- files ----------------------------------------------------------------------------------------------------------


def _prepare(folder: Path) -> None:
    """Make a program's folder, which the program can search and netlab alone can write, in a private one."""
    make_private(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    if folder.is_symlink() or not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    folder.chmod(0o755)


def _make_logs(program: Program, folder: Path) -> None:
    for name in program.logs:
        os.close(_open_output(folder, name))


def _open_output(folder: Path, name: str = _OUTPUT) -> int:
    """Open a file that takes a program's output. The program owns it, so that it can open /dev/stdout again."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(folder / name, flags, 0o600)
    if os.fstat(fd).st_size > _KEPT_OUTPUT:
        os.ftruncate(fd, 0)
    if not privilege.rootless():
        os.fchown(fd, libc.NOBODY, libc.NOBODY)
    return fd


def _process(folder: Path) -> tuple[int, str] | None:
    """Return the id and the digest of the program of a folder, None where it does not run."""
    try:
        text, started, digest = (folder / _PROCESS).read_text().split()
        pid = int(text)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return (pid, digest) if processes.started(pid) == started else None


# --- starting -------------------------------------------------------------------------------------------------------


def _fork(program: Program, folder: Path, printed: int) -> int:
    """Start a program in a process that is not this one's child, note its id in the folder, and return the id.

    The process waits for a byte that says that its id is noted. So a command that is killed leaves no program that no
    file names.
    """
    command = command_of(program)
    reports, report = os.pipe()
    permission, permit = os.pipe()
    with os.fdopen(reports, "rb") as answer, os.fdopen(permit, "wb", buffering=0) as permits:
        try:
            between = os.fork()
            if between == 0:
                os.close(permit)
                _become(program, command, folder, printed, report, permission)
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
        # The pipe is closed when the program runs.
        if error_text := answer.read().decode(errors="replace"):
            # It says so before it ends.
            stop(folder)
            raise HostError(f"cannot run {command[0]}: {error_text}")
    return pid


def _become(program: Program, command: list[str], folder: Path, printed: int, report: int, permission: int) -> NoReturn:
    """Become the program, in the forked child's own child."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _detach(printed, (report, permission))
        path = _opened(program, command)
        netns.enter(program.namespace)
        _own_places(program, folder)
        os.write(report, f"{_STARTED}{os.getpid()}\n".encode())
        if os.read(permission, 1):
            _execute(program, command, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, str(error).encode() or b"unknown")
    os._exit(1)


def _detach(printed: int, kept: Sequence[int]) -> None:
    """Keep nothing of the command in this process: no signal, no descriptor but ``kept``, no directory."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.ENDS)
    for number in (*signals.ENDS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for at, fd in enumerate((null, printed, printed)):
        os.dup2(fd, at)
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 1 << 16)
    os.umask(0o077)
    os.chdir("/")
    for limit, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
        _, hard = resource.getrlimit(limit)
        fits = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (fits, fits))


def _opened(program: Program, command: list[str]) -> int | None:
    """Open a program that has a path: it may be in root's home directory, or in the host's ``/tmp``."""
    if program.module or not os.path.isabs(command[0]):
        return None
    return os.open(command[0], os.O_PATH | os.O_CLOEXEC)


def _execute(program: Program, command: list[str], path: int | None) -> NoReturn:
    """Replace this process by the program, without privilege."""
    environment = _ENVIRONMENT | dict(program.environment)
    if not program.module:
        libc.give_up_privilege(not privilege.rootless())
    if path is not None:
        os.execve(path, command, environment)  # noqa: S606  of netlab
    os.execvpe(command[0], command, environment)  # noqa: S606  of netlab


def _own_places(program: Program, folder: Path) -> None:
    """Give this process its own mounts, hostname and setting of ports."""
    with contextlib.suppress(OSError):
        _UNPRIVILEGED_PORTS.write_text("0")
    libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS)
    libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
    if program.hostname:
        libc.sethostname(program.hostname[:63].rstrip("-."))
    # A user namespace may not be allowed to mount sysfs.
    with contextlib.suppress(KernelError):
        libc.mount(netns.mark_of_own(program.namespace), "/sys", "sysfs")
    libc.mount(str(folder), OWN_FOLDER, flags=libc.MS_BIND)
    if not program.module:
        # A module of netlab needs none, and netlab itself may be installed there.
        libc.mount("tmpfs", "/tmp", "tmpfs", data="mode=1777,size=64m")  # noqa: S108  a new one, of this process


# --- a run that ends ------------------------------------------------------------------------------------------------


def run(program: Program, folder: Path) -> tuple[int, str]:
    """Run a program until it ends, as ``start`` starts it; return its exit status and the end of what it printed.

    Raises:
      HostError: when it runs for longer than 20 s.
      KernelError: when it cannot be started.
    """
    with _named(program), signals.deferred():
        _prepare(folder)
        _make_logs(program, folder)
        reports, report = os.pipe()
        refusals, refusal = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _detach(report, sorted((report, refusal)))
                command = command_of(program)
                path = _opened(program, command)
                netns.enter(program.namespace)
                _own_places(program, folder)
                _execute(program, command, path)
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
                    # The pipe is closed when the program runs.
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
            said = output(folder).splitlines()[-1:]
            raise HostError(f"{name} ended at once in {program.namespace}: {said[0] if said else 'it said nothing'}")
        if _listens(pid, program.listens):
            return
    stop(folder)
    ports = ", ".join(f"{port}/{protocol}" for protocol, port in program.listens)
    raise HostError(f"{name} in {program.namespace} does not listen on {ports} after {_READY:g} s")


def _listens(pid: int, wanted: Sequence[tuple[str, int]]) -> bool:
    """Return whether a process itself listens on ports."""
    if not wanted:
        return True
    try:
        own = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
        return all(any(f"socket:[{inode}]" in own for inode in _sockets(pid, *one)) for one in wanted)
    except OSError:
        # It ended, which the caller sees; or a descriptor was closed meanwhile.
        return False


def _sockets(pid: int, protocol: str, port: int) -> Iterator[str]:
    """Yield the inode numbers of listening sockets in a process's network namespace: proc(5), net/tcp."""
    for table in (protocol, f"{protocol}6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == _LISTENING[protocol] and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
