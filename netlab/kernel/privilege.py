"""Privilege: a process that may not make network namespaces enters a user namespace of its user.

A small process of each user, the keeper, holds that user namespace with a network and a mount namespace. Every command
enters them and runs the same code as root, with a private /run/netns and /run/netlab. The keeper starts with the user's
first lab and ends with the last one. All that the user's labs made ends with it.
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
from netlab.kernel.descriptors import close_all_but
from netlab.kernel.files import make_private, write_private
from netlab.kernel.lock import Lock

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
# An attempt fails only where another command of the user, the last one, removes the directory at that very moment.
_TRIES = 1000
# The keeper's program. With -I -S Python starts in 10 ms and takes 8 MB.
_KEEPER = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()", "netlab-keeper"]
_NAMESPACES = (("user", libc.CLONE_NEWUSER), ("mnt", libc.CLONE_NEWNS), ("net", libc.CLONE_NEWNET))

# The smallest lab needs as many. With fewer, a lab that cannot be built cannot be removed either.
_DESCRIPTORS = 32
_READY = "+"
_NO_KEEPER = (
    f"the process that keeps this user's namespaces could not run {sys.executable} in them",
    "run netlab with an interpreter that every user may run, such as /usr/bin/python3, or with sudo",
)

_SYSCTLS = Path("/proc/sys")

_users: Lock | None = None


def privileged() -> bool:
    """Return whether this process may make network namespaces itself."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return all(effective >> bit & 1 for bit in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))
    return False


def rootless() -> bool:
    """Return whether this process runs in a keeper's namespaces."""
    return _users is not None


def directory() -> Path:
    """Make and return the directory of this user's keeper.

    Raises:
      HostError: when another user owns what exists there.
      FileNotFoundError: when the user's last other command removes it meanwhile.
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
        # Another user who may write it could name another process as the keeper.
        if status.st_uid != uid or status.st_mode & 0o022:
            raise refused
    try:
        make_private(target)
    except (NotADirectoryError, HostError) as error:
        raise refused from error
    return target


def enter(*, start: bool = True) -> bool:
    """Get the privilege to make namespaces; return whether this process has it. Relative paths stay valid.

    A process without it enters the namespaces of the user's keeper. With ``start`` off no keeper is started, and False
    means that this user has no lab.

    Raises:
      HostError: when the host does not allow it; it names the setting that forbids it.
    """
    global _users
    if _users is not None:
        return True
    _allow_descriptors()
    if privileged():
        return True
    for _ in range(_TRIES):
        # Between any two lines the user's last lab may be removed, with the directory.
        where = None
        with contextlib.suppress(FileNotFoundError):
            try:
                with signals.deferred():
                    where = directory()
                lock = Lock(where / "lock")
                keeper = _find_or_start(where, lock, start=start)
            except BaseException:
                if where is not None:
                    with contextlib.suppress(OSError):
                        where.rmdir()
                raise
            break
    else:
        raise HostError("other commands remove this user's directory whenever it is made", "run netlab with sudo")
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
    """Allow this process enough open files; raises HostError where too few are allowed to remove a lab."""
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
        # The directory was deleted, so no relative path leads anywhere.
        here = "/"
    with contextlib.ExitStack() as stack:
        opened = []
        for name, flag in _NAMESPACES:
            try:
                fd = os.open(f"/proc/{keeper}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, ProcessLookupError) as error:
                # No other command ends it while this one holds the lock: it ended by itself.
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

    Its namespaces then end with the last process in them, and the labs with them. So no lab counts as built.
    """
    if _users is not None and _running(_users.path.parent) is None:
        raise HostError(*_NO_KEEPER)


def _find_or_start(where: Path, lock: Lock, *, start: bool) -> int | None:
    """Take the lock, shared, and return the id of the user's keeper; None where there is none and ``start`` is off."""
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
        _release(where, lock)
        raise


def leave() -> None:
    """End this user's keeper unless a lab or another command needs it; called at the end of every command."""
    global _users
    if _users is not None:
        lock, _users = _users, None
        with signals.deferred():
            _release(lock.path.parent, lock)


def _release(where: Path, lock: Lock) -> None:
    """Release the lock; remove the keeper and its files unless a lab or another command needs them."""
    with contextlib.suppress(OSError):
        keeper = _running(where)
        if keeper is not None and _has_labs(keeper):
            lock.release()
        # A failed attempt releases the shared lock. So when several commands end at once, the last one gets the lock.
        elif lock.acquire(wait=False):
            keeper = _running(where)
            if keeper is None or not _has_labs(keeper):
                _end(keeper) if keeper is not None else _end_orphans(where)
                _remove(where, lock)
    lock.release()
    # Where the lock's file could not be written, the directory is empty.
    with contextlib.suppress(OSError):
        where.rmdir()


def _has_labs(keeper: int) -> bool:
    """Return whether a lab exists in a keeper's namespaces; this process may be inside or outside."""
    # Programs of a lab import this module, and may not find what ``netlab.objects`` imports.
    from netlab.objects.names import is_lab

    try:
        entries = list(os.scandir(f"/proc/{keeper}/root/run/netlab"))
    except FileNotFoundError:
        return False
    # A lab without a record still has its list of namespaces.
    labs = [entry.path for entry in entries if is_lab(entry.name)]
    return any(os.path.lexists(f"{path}/{name}") for path in labs for name in ("record.json", "namespaces"))


def _end(keeper: int) -> None:
    """End the programs in a keeper's user namespace or below it, then the keeper."""
    processes.end(processes.ProcessFilter(user=os.stat(f"/proc/{keeper}/ns/user").st_ino))
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGKILL)


def _end_orphans(where: Path) -> None:
    """End the programs of a keeper that was killed; they are known by its mount."""
    written = _written(where)
    if written is not None:
        processes.end(processes.ProcessFilter(mounts=frozenset({_mount_source(*written)})))


def _remove(where: Path, lock: Lock) -> None:
    for name in ("keeper.new", "keeper"):
        (where / name).unlink(missing_ok=True)
    lock.remove()
    with contextlib.suppress(OSError):
        where.rmdir()


def _mount_source(pid: int, started: str) -> str:
    """Return the source of the mount that marks a keeper's mount namespace."""
    return f"netlab-keeper-{pid}-{started}"


def boot_id() -> str:
    """Return the identity of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _written(where: Path) -> tuple[int, str] | None:
    """Return the id and start time of the keeper that the directory names, None where it names none of this boot."""
    try:
        text, started, boot = (where / "keeper").read_text().split()
        return (int(text), started) if boot == boot_id() else None
    except (OSError, ValueError):
        return None


def _running(where: Path) -> int | None:
    """Return the id of the keeper that the directory names, None where it does not run."""
    written = _written(where)
    return written[0] if written is not None and processes.started(written[0]) == written[1] else None


def _start(where: Path) -> None:
    """Start the keeper and write its id to a file.

    A keeper that cannot start leaves nothing but its files.

    Raises:
      HostError: with the setting that forbids user namespaces.
    """
    reports, report = os.pipe()
    permission, permit = os.pipe()
    with os.fdopen(reports) as answer, os.fdopen(permit, "wb", buffering=0) as permits:
        try:
            pid = os.fork()
            if pid == 0:
                os.close(reports)
                os.close(permit)
                _become_keeper(where, report, permission)
        finally:
            os.close(report)
            os.close(permission)
        try:
            first = answer.read(1)
            if first != _READY:
                error = (first + answer.read()) or "its process ended"
                raise HostError(f"this host lets ordinary users make no user namespace ({error})", way_out())
            write_private(where / "keeper", f"{pid} {processes.started(pid)} {boot_id()}\n".encode())
            permits.write(b"!")
            # Once the keeper's program runs, the pipe is closed.
            if error := answer.read():
                what, way = _NO_KEEPER
                raise HostError(f"{what} ({error})", way)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise


def _become_keeper(where: Path, report: int, permission: int) -> NoReturn:
    """Make the namespaces in the forked child, and run the keeper's program.

    The child writes to ``report`` that the namespaces exist, or what failed. It runs the program when the parent has
    written the keeper's id to its file and a byte to ``permission``. So a parent that is killed leaves no keeper that
    no file names.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        signals.reset()
        os.setsid()
        libc.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNS | libc.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        libc.mount("", "/", flags=libc.MS_SLAVE | libc.MS_REC)
        _private_run(_mount_source(os.getpid(), processes.started(os.getpid())))
        os.stat(where)  # later commands look for it from inside
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.chdir("/")
        os.write(report, _READY.encode())
        if os.read(permission, 1):
            close_all_but([report])
            os.execv(_KEEPER[0], _KEEPER)  # noqa: S606  constant arguments
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, str(error).encode() or b"unknown")
    os._exit(1)


def _private_run(source: str) -> None:
    """Give this mount namespace its own /run with the host's entries, except /run/netns and /run/netlab."""
    libc.mount(source, "/mnt", "tmpfs", data="mode=755")
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
    """Return the setting that forbids user namespaces to ordinary users: its name, its value, the value that allows."""
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
    """Return what to do where ordinary users may make no user namespace."""
    found = forbidding_setting()
    if found is None:
        return "run netlab with sudo"
    name, forbids, allows = found
    return f"{name}={forbids} forbids it: sudo sysctl -w {name}={allows}, or run netlab with sudo"
