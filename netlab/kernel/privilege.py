"""Root or not: a process without the privilege to make namespaces enters a user namespace of its own, once.

A small keeper process per user pins that user namespace with its own network and mount namespaces; every command
enters them and then runs the same code as root does, with private /run/netns and /run/netlab. The keeper starts with
the first lab and ends with the last; with it goes everything that a user's labs ever made.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

from netlab import errors
from netlab.errors import HostError, KernelError
from netlab.kernel import libc, processes, signals
from netlab.kernel.files import make_private, write_private
from netlab.kernel.lock import Lock
from netlab.objects.names import is_lab

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
# An attempt fails only where another command of the user, the last one, removes the directory at that very moment.
_TRIES = 1000
# The keeper's program. With -I -S Python starts in 10 ms and takes 8 MB.
_PAUSE = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()", "netlab-keeper"]
_NAMESPACES = (("user", libc.CLONE_NEWUSER), ("mnt", libc.CLONE_NEWNS), ("net", libc.CLONE_NEWNET))

# What the smallest lab needs; with fewer not even a lab that could not be built can be cleared away.
_DESCRIPTORS = 32
_READY = "+"
_NO_KEEPER = (
    f"the process that keeps this user's namespaces could not run {sys.executable} in them",
    "run netlab with an interpreter that every user may run, such as /usr/bin/python3, or with sudo",
)

_SYSCTLS = Path("/proc/sys")

_users: Lock | None = None


def privileged() -> bool:
    """Say whether this process may make network namespaces on its own."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return all(effective >> bit & 1 for bit in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))
    return False


def rootless() -> bool:
    """Say whether this process runs in a keeper's namespaces."""
    return _users is not None


def directory() -> Path:
    """Make and return the directory of this user's keeper.

    Raises:
      HostError: when somebody else owns its place.
      FileNotFoundError: when another command of the user, his last, takes it away meanwhile.
    """
    uid = os.getuid()
    run = Path(f"/run/user/{uid}")
    target = Path(f"/tmp/netlab-{uid}")  # noqa: S108  its owner and mode are checked below
    with contextlib.suppress(OSError):
        if run.is_dir() and run.stat().st_uid == uid and os.access(run, os.W_OK):
            target = run / "netlab"
    refused = HostError(f"{target} is not this user's own directory", "remove it, or run netlab as root with sudo")
    with contextlib.suppress(FileNotFoundError):
        status = target.lstat()
        # What others could write may name a keeper of theirs.
        if status.st_uid != uid or status.st_mode & 0o022:
            raise refused
    try:
        make_private(target)
    except (NotADirectoryError, HostError) as error:
        raise refused from error
    return target


def enter(*, start: bool = True) -> bool:
    """Make sure that this process may make namespaces, by entering this user's keeper where it has to.

    With ``start`` off no keeper is started: False then says that this user has no lab. Relative paths stay valid.

    Raises:
      HostError: when the host allows neither; it says which setting forbids it.
    """
    global _users
    if _users is not None:
        return True
    _allow_descriptors()
    if privileged():
        return True
    for _ in range(_TRIES):
        # The user's last lab may go between any two lines, and the directory with it.
        where = None
        with contextlib.suppress(FileNotFoundError):
            try:
                with signals.deferred():
                    where = directory()
                lock = Lock(where / "lock")
                keeper = _kept(where, lock, start=start)
            except BaseException:
                if where is not None:
                    with contextlib.suppress(OSError):
                        where.rmdir()
                raise
            break
    else:
        raise HostError("this user's directory is taken away whenever it is made", "run netlab with sudo")
    if keeper is None:
        return False
    _users = lock
    atexit.register(leave)
    try:
        _join(keeper)
    except BaseException:
        leave()
        raise
    return True


def _allow_descriptors() -> None:
    """See that this process may open enough files; raises HostError where they are too few to clean up with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = len(os.listdir("/proc/self/fd")) + _DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise HostError(f"this process may open {hard} files only", errors.way_out(errno.EMFILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _join(keeper: int) -> None:
    """Enter the keeper's namespaces; raises HostError."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        # The folder was deleted: no relative path leads anywhere from it.
        here = "/"
    with contextlib.ExitStack() as stack:
        opened = []
        for name, flag in _NAMESPACES:
            try:
                fd = os.open(f"/proc/{keeper}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, ProcessLookupError) as error:
                # No other command ends it while this one holds the lock.
                raise HostError(*_NO_KEEPER) from error
            stack.callback(os.close, fd)
            opened.append((fd, flag))
        try:
            for fd, flag in opened:
                libc.setns(fd, flag)
        except KernelError as error:
            raise HostError(
                f"cannot enter this user's namespaces: {error}", "run netlab before threads start"
            ) from error
    with contextlib.suppress(OSError):
        os.chdir(here)


def check() -> None:
    """Raise HostError where this process runs in a keeper's namespaces and the keeper is gone.

    Its namespaces then go with the last process in them, and the labs with them: nothing may be called built.
    """
    if _users is not None and _running(_users.path.parent) is None:
        raise HostError(*_NO_KEEPER)


def _kept(where: Path, lock: Lock, *, start: bool) -> int | None:
    """Return the id of the user's keeper, with the lock held, shared; None where there is none and none is started."""
    try:
        while True:
            lock.acquire(shared=True)
            keeper = _running(where)
            if keeper is not None:
                return keeper
            lock.release()
            lock.acquire()
            if _running(where) is None:
                with signals.deferred():
                    _end_orphans(where)
                    if not start:
                        _remove(where, lock)
                        return None
                    _start(where)
    except BaseException:
        _let_go(where, lock)
        raise


def leave() -> None:
    """End this user's keeper when no lab and no other command needs it; called at the end of every command."""
    global _users
    if _users is not None:
        lock, _users = _users, None
        with signals.deferred():
            _let_go(lock.path.parent, lock)


def _let_go(where: Path, lock: Lock) -> None:
    """Let go of the lock; take away the keeper and its files where no lab and no other command needs them."""
    with contextlib.suppress(OSError):
        keeper = _running(where)
        if keeper is not None and _has_labs(keeper):
            lock.release()
        # The shared lock goes with the attempt, so that of several commands that end at once the last one has it.
        elif lock.acquire(wait=False):
            keeper = _running(where)
            if keeper is None or not _has_labs(keeper):
                _end(keeper) if keeper is not None else _end_orphans(where)
                _remove(where, lock)
    lock.release()
    # It is empty where the host had no room for the lock's file.
    with contextlib.suppress(OSError):
        where.rmdir()


def _has_labs(keeper: int) -> bool:
    """Say whether there is a lab in a keeper's namespaces, whether this process is in them or outside."""
    try:
        entries = list(os.scandir(f"/proc/{keeper}/root/run/netlab"))
    except FileNotFoundError:
        return False
    # Beside a record that is gone the list of a lab's namespaces tells that there is a lab.
    labs = [entry.path for entry in entries if is_lab(entry.name)]
    return any(os.path.lexists(f"{path}/{name}") for path in labs for name in ("record.json", "namespaces"))


def _end(keeper: int) -> None:
    """End a keeper, and first every program in its user namespace or in one within."""
    processes.end(processes.ProcessFilter(user=os.stat(f"/proc/{keeper}/ns/user").st_ino))
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGKILL)


def _end_orphans(where: Path) -> None:
    """End what runs on in the namespaces of a keeper that was killed: its mounts tell."""
    noted = _noted(where)
    if noted is not None:
        processes.end(processes.ProcessFilter(mounts=frozenset({_mark(*noted)})))


def _remove(where: Path, lock: Lock) -> None:
    for name in ("keeper.new", "keeper"):
        (where / name).unlink(missing_ok=True)
    lock.remove()
    with contextlib.suppress(OSError):
        where.rmdir()


def _started(pid: int) -> str:
    """Return when a process started, which tells it from a later one of the same id; "" when it is gone or dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        # A dead process is there until its parent asks for it; its namespaces are gone.
        return "" if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        return ""


def _mark(pid: int, started: str) -> str:
    """Return the source of the mount by which a keeper's mount namespace is known."""
    return f"netlab-keeper-{pid}-{started}"


def boot_id() -> str:
    """Return the identity of this run of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _noted(where: Path) -> tuple[int, str] | None:
    """Return the id and start of the keeper that the directory names, None when it names none of this boot."""
    try:
        text, started, boot = (where / "keeper").read_text().split()
        return (int(text), started) if boot == boot_id() else None
    except (OSError, ValueError):
        return None


def _running(where: Path) -> int | None:
    """Return the id of the keeper that the directory names, None when it is gone."""
    noted = _noted(where)
    return noted[0] if noted is not None and _started(noted[0]) == noted[1] else None


def _start(where: Path) -> None:
    """Start the keeper and write down who it is; raises HostError with the setting that forbids it.

    Nothing of a keeper that could not start is left but its files.
    """
    told, tell = os.pipe()
    heard, say = os.pipe()
    with os.fdopen(told) as answer, os.fdopen(say, "wb", buffering=0) as word:
        try:
            pid = os.fork()
            if pid == 0:
                os.close(told)
                os.close(say)
                _become_keeper(where, tell, heard)
        finally:
            os.close(tell)
            os.close(heard)
        try:
            first = answer.read(1)
            if first != _READY:
                error = (first + answer.read()) or "its process ended"
                raise HostError(f"this host lets ordinary users make no user namespace ({error})", way_out())
            write_private(where / "keeper", f"{pid} {_started(pid)} {boot_id()}\n".encode())
            word.write(b"!")
            # The program closes the pipe when it runs.
            if error := answer.read():
                what, way = _NO_KEEPER
                raise HostError(f"{what} ({error})", way)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise


def _become_keeper(where: Path, tell: int, heard: int) -> NoReturn:
    """In the forked child: make the namespaces, say so through ``tell`` (that, or what failed), and wait.

    It goes on only once the parent says, through ``heard``, that it has written down who the keeper is: a parent that
    is killed before leaves no keeper that is written down nowhere. Then it becomes the keeper's program.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.ENDS)
        os.setsid()
        libc.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNS | libc.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
        _private_run(_mark(os.getpid(), _started(os.getpid())))
        os.stat(where)  # every later command looks for it from in here
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.chdir("/")
        os.write(tell, _READY.encode())
        if os.read(heard, 1):
            os.closerange(3, tell)
            os.closerange(tell + 1, 1 << 16)
            os.execv(_PAUSE[0], _PAUSE)  # noqa: S606  constant arguments
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(tell, str(error).encode() or b"unknown")
    os._exit(1)


def _private_run(mark: str) -> None:
    """Give this mount namespace a /run of its own that holds the host's entries, but netlab's and ip's directories."""
    libc.mount(mark, "/mnt", "tmpfs", data="mode=755")
    try:
        for entry in sorted(os.scandir("/run"), key=lambda e: e.name):
            target = Path("/mnt") / entry.name
            if entry.name in ("netns", "netlab"):
                continue
            if entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
                continue
            if entry.is_dir():
                target.mkdir()
            else:
                target.touch()
            with contextlib.suppress(KernelError):
                libc.mount(entry.path, str(target), flags=libc.MS_BIND | libc.MS_REC)
        for name, mode in (("netns", 0o755), ("netlab", 0o700)):
            (Path("/mnt") / name).mkdir(mode=mode)
        libc.mount("/mnt", "/run", flags=libc.MS_MOVE)
    except KernelError:
        libc.umount("/mnt")
        raise


def forbidding_setting() -> tuple[str, str, str] | None:
    """Return the setting that keeps ordinary users from user namespaces: its name, its value, the value that allows."""
    settings = (
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("user/max_user_namespaces", "0", "10000"),
    )
    for name, forbids, allows in settings:
        with contextlib.suppress(OSError):
            if (_SYSCTLS / name).read_text().strip() == forbids:
                return name.replace("/", "."), forbids, allows
    return None


def way_out() -> str:
    """Say what to do where ordinary users may make no user namespace."""
    found = forbidding_setting()
    if found is None:
        return "run netlab with sudo"
    name, forbids, allows = found
    return f"{name}={forbids} forbids it: sudo sysctl -w {name}={allows}, or run netlab with sudo"
