"""What a forked process does to become a program of a pod.

It has the pod's network and hostname, a process namespace and a namespace of System V IPC of its own, and the files of
``pod_root``. It is user ``nobody`` without capabilities. Nothing of the process that forked it is left: no descriptor,
no variable, no terminal.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from netlab.errors import HostError, NetlabError, printable
from netlab.frozen import NamedTuple, frozen
from netlab.kernel import apart, attached, libc, netns, pod_root, pod_volumes, signals
from netlab.kernel.descriptors import close_all_but
from netlab.kernel.sudo_user import NOBODY, User, become

# Processes and threads of a pod; those of user nobody, all pods included, where they are not counted apart.
_PROCESSES, _PROCESSES_OF_ALL = 1024, 8192
# The bytes of a file, and open files.
_LARGEST_FILE, _FILES = 64 << 20, 4096
_CANNOT_RUN, _MISSING = 126, 127
_PING = "/proc/sys/net/ipv4/ping_group_range", "0 2147483647"
_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"
_FIRST_TO_END = b"1000"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULTS = {"PATH": _PATH, "HOME": "/", "LANG": "C.UTF-8"}


@frozen
class PodProgram:
    """A program to run in a pod.

    - ``namespace``: the pod's network namespace.
    - ``argv``: the program and its arguments; a program of netlab is called by its path or its name.
    - ``environment``: its variables, besides PATH, HOME and LANG.
    - ``hostname``: the pod's.
    - ``files``: its ``/etc/resolv.conf`` and ``/etc/hosts``.
    - ``folder``: where it starts.
    - ``terminal``: whether it has a terminal; then its input is a socket, to which it sends the terminal's other end.
    - ``pod``: a name of its pod, by which its programs have volumes in common.
    - ``mounts``: volumes, and files to read.
    - ``volumes``: all volumes of its pod.
    """

    namespace: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    hostname: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    terminal: bool = False
    pod: str = ""
    mounts: tuple[pod_volumes.Mount, ...] = ()
    volumes: tuple[str, ...] = ()


# A word that no shell would change.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,=@+-]+")
Main = Callable[[Sequence[str]], int]


@frozen
class Own:
    """A program of netlab that pods have: where it is, and its function.

    ``prepare`` is called with the arguments and the variables while the process still has privilege, in the pod's
    network.
    """

    built_in: pod_root.BuiltIn
    main: Main
    prepare: Callable[[Sequence[str], Mapping[str, str]], None] = lambda argv, environment: None

    def is_asked(self, argv: Sequence[str]) -> bool:
        """Say whether a command is this program, by its path or its name."""
        return argv[0] in (self.built_in.path, os.path.basename(self.built_in.path))


class OfPod(NamedTuple):
    """What the programs of a pod have in common, as descriptors; -1 where there is none.

    ``parent``: the process that forks them; they end with it. ``holder``: the process that holds the pod's volumes.
    ``counted``: a user namespace of ``counted``. ``ready``: a pipe to which a program writes when it has its own files,
    so that others may join it.
    """

    parent: int = -1
    holder: int = -1
    counted: int = -1
    ready: int = -1


def start(program: PodProgram, fds: Sequence[int], own: Sequence[Own], said: int, pod: OfPod) -> NoReturn:
    """Become the program, in a process that is the first of its process namespace.

    ``fds`` are its input, output and errors. Why it cannot run goes to the descriptor ``said``.
    """

    def become() -> None:
        _prepare(program, fds, said, pod)
        _make_root(program, own, pod)
        if pod.ready >= 0:
            os.write(pod.ready, b"!")
            os.close(pod.ready)
        if program.terminal:
            attached.make_terminal(NOBODY)
        _run(program, own, pod)

    _guarded(become, said)
    os._exit(_CANNOT_RUN)


def start_beside(program: PodProgram, fds: Sequence[int], own: Sequence[Own], said: int, pod: OfPod) -> NoReturn:
    """Do so as a child of the first process of a namespace, which this process is, and end as the program ends.

    A first process has no signals by default, which a user's commands expect.
    """

    def prepare() -> None:
        _prepare(program, fds, said, pod)
        _make_root(program, own, pod)
        if program.terminal:
            attached.make_terminal(NOBODY)
        # The program ends with this process: the kernel ends all processes of a namespace with the first one.
        os.close(pod.parent)

    _guarded(prepare, said)
    child = os.fork()
    if child == 0:
        _guarded(lambda: _run(program, own, pod._replace(parent=-1)), said)
    for fd in (0, 1, 2, said):
        os.close(fd)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def join(program: PodProgram, fds: Sequence[int], own: Sequence[Own], said: int, pod: OfPod) -> NoReturn:
    """Become the program in the namespaces of a running one; ``pod.holder`` is a descriptor of that process.

    This process is in its process namespace already.
    """

    def enter() -> None:
        _prepare(program, fds, said, pod)
        libc.setns(pod.holder, libc.CLONE_NEWNS | libc.CLONE_NEWNET | libc.CLONE_NEWUTS | libc.CLONE_NEWIPC)
        os.close(pod.holder)
        if program.terminal:
            attached.make_terminal(NOBODY)
        _run(program, own, pod)

    _guarded(enter, said)
    os._exit(_CANNOT_RUN)


def _guarded(work: Callable[[], object], said: int) -> None:
    """Do work; if it fails, say why, and end as a shell does."""
    try:
        work()
    except BaseException as error:
        missing = isinstance(error, FileNotFoundError)
        text = str(error) if isinstance(error, NetlabError | _Cannot) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            os.write(said, printable(text).encode()[:1000])
        os._exit(_MISSING if missing else _CANNOT_RUN)


class _Cannot(FileNotFoundError):
    """A program that cannot be run; its text is for users."""

    def __str__(self) -> str:
        return str(self.args[0])


def _prepare(program: PodProgram, fds: Sequence[int], said: int, pod: OfPod) -> None:
    """Keep nothing of the forking process but these descriptors; the first three get the numbers 0 to 2."""
    for number in (*signals.ENDS, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    # A first process does not get a signal before it has a handler for it. So it stays blocked until then.
    signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGTERM])
    for at, fd in enumerate(fds):
        os.dup2(fd, at)
    close_all_but((said, *pod))
    os.set_inheritable(said, False)
    os.setsid()
    os.umask(0o022)


def hold_volumes(names: Sequence[str], ready: int, parent: int) -> NoReturn:
    """Hold the volumes of a pod until this process is killed or its parent ends; say so to the descriptor ``ready``."""
    try:
        close_all_but([ready, parent])
        libc.end_with_parent(pidfd=parent)
        pod_volumes.hold(names)
        os.write(ready, b"!")
        os.close(ready)
        while True:
            signal.pause()
    finally:
        os._exit(1)


def _make_root(program: PodProgram, own: Sequence[Own], pod: OfPod) -> None:
    libc.end_with_parent(pidfd=pod.parent)
    hidden = apart.host_sockets()
    netns.enter(program.namespace)
    if pod.holder >= 0:
        libc.setns(pod.holder, libc.CLONE_NEWNS)
        os.close(pod.holder)
    for path, text in (_PING, _PORTS):
        with contextlib.suppress(OSError):
            Path(path).write_text(text)
    libc.unshare(libc.CLONE_NEWNS | libc.CLONE_NEWUTS | libc.CLONE_NEWIPC)
    if program.hostname:
        libc.sethostname(program.hostname[:63].rstrip("-."))
    pod_root.enter(program.namespace, hidden, program.files, tuple(one.built_in for one in own), program.mounts)


def _run(program: PodProgram, own: Sequence[Own], pod: OfPod) -> NoReturn:
    """Give up privilege, and become the program."""
    processes = _PROCESSES if pod.counted >= 0 else _PROCESSES_OF_ALL
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(limit, (most, most))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_FIRST_TO_END)
    argv = _direct(program.argv)
    for one in own:
        if one.is_asked(argv):
            one.prepare(argv, program.environment)
    if pod.counted >= 0:
        libc.setns(pod.counted, libc.CLONE_NEWUSER)
        os.close(pod.counted)
    libc.leave_keyring()
    become(User(NOBODY, NOBODY))
    libc.drop_capabilities()
    # The change of user has ended it.
    libc.end_with_parent(pidfd=pod.parent)
    if pod.parent >= 0:
        os.close(pod.parent)
    environment = {**_DEFAULTS, **program.environment}
    try:
        os.chdir(program.folder)
    except OSError as error:
        raise HostError(f"{program.folder}: {error.strerror}") from error
    for one in own:
        if one.is_asked(argv):
            # It may have a raw socket.
            libc.refuse_tracing()
            os.environ.clear()
            os.environ.update(environment)
            os._exit(_call(one.main, argv))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    try:
        os.execvpe(program.argv[0], list(program.argv), environment)  # noqa: S606  the user's own program
    except FileNotFoundError as error:
        raise _Cannot(f'exec: "{program.argv[0]}": no such program on this host') from error
    except (OSError, ValueError) as error:
        raise HostError(f'exec: "{program.argv[0]}": {getattr(error, "strerror", None) or error}') from error


def _direct(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command of a shell that does no more than start one, else the arguments as they are.

    Manifests write ``sh -c "/agnhost porter"``: so no shell and no new interpreter is started.
    """
    if len(argv) == 3 and os.path.basename(argv[0]) in ("sh", "bash") and argv[1] == "-c":
        words = tuple(argv[2].split())
        if words and os.path.basename(words[0]) == "agnhost" and all(map(_PLAIN.fullmatch, words)):
            return words
    return argv


def _call(main: Main, argv: Sequence[str]) -> int:
    try:
        return main(argv) & 0xFF
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
