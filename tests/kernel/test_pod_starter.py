"""Programs of pods, forked by one process: what they are, what they see, and how they end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import eventually

from netlab.kernel import libc, netns, processes
from netlab.kernel.pod_process import PodProgram
from netlab.kernel.pod_starter import Attached, Program, Runtime
from netlab.kernel.pod_volumes import Mount

pytestmark = pytest.mark.kernel

MAIN = "netlab.control_plane.nodes.runtime_process"
SPACE = f"netlab.runtime-{os.getpid():x}.pod.x.a"
FILES = {"/etc/resolv.conf": "nameserver 10.96.0.10\n", "/etc/hosts": "10.0.0.1 a\n"}


@pytest.fixture(scope="module")
def space() -> Iterator[str]:
    """Make a network namespace."""
    with netns.returning():
        netns.create(SPACE)
    try:
        yield SPACE
    finally:
        netns.remove(SPACE)


@pytest.fixture(scope="module")
def runtime(space: str) -> Iterator[Runtime]:
    made = Runtime(MAIN)
    try:
        yield made
    finally:
        made.close()


def program(*argv: str, mounts: tuple[Mount, ...] = (), **variables: str) -> PodProgram:
    volumes = tuple(one.volume for one in mounts if one.volume)
    return PodProgram(SPACE, argv, variables, "a-host", FILES, "/", False, "pod-1", mounts, volumes)


def read(fd: int) -> bytes:
    os.set_blocking(fd, True)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def run(runtime: Runtime, what: PodProgram, container: str = "none", *, beside: bool = True) -> tuple[int, str, str]:
    """Run a program to its end; return its exit code, its output with its errors, and why it could not run."""
    found = Attached(lambda fds: runtime.start(what, container, fds, beside=beside), terminal=False)
    os.close(found.stdin)
    printed = read(found.stdout) + read(found.stderr)
    select.select([found.ended], [], [], 20)
    code, why = found.end()
    return code, printed.decode(), why


def start(runtime: Runtime, what: PodProgram, container: str) -> Program:
    """Start the first program of a container."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return runtime.start(what, container, [null, null, null])
    finally:
        os.close(null)


def test_a_program_is_nobody_without_capabilities(runtime):
    """It can gain none, has no descriptor of netlab's, and only the variables that it is given."""
    script = "id -u; grep -E 'CapPrm|CapBnd|NoNewPrivs' /proc/self/status; ls /proc/self/fd; env | sort; hostname; pwd"
    _, printed, _ = run(runtime, program("sh", "-c", script, MINE="yes"))
    lines = printed.split()

    assert "65534" == lines[0]
    assert ["CapPrm:", "0000000000000000"] == lines[1:3]
    assert ["NoNewPrivs:", "1"] == lines[5:7]
    assert ["0", "1", "2", "3"] == lines[7:11]
    assert ["HOME=/", "LANG=C.UTF-8", "MINE=yes"] == lines[11:14]
    assert ["a-host", "/"] == lines[-2:]


def test_a_program_sees_no_process_socket_or_folder_that_is_not_its_own(runtime, tmp_path):
    """The host's /run and /tmp are not there, and no process of the host."""
    place = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        script = (
            f"ls -d /proc/[0-9]* | wc -l; echo $(ls /run) $(ls -A /tmp /root | wc -w); test -e {place} || echo gone"
        )
        _, printed, _ = run(runtime, program("sh", "-c", f"{script}; cat /etc/resolv.conf /etc/hosts"))
    count, folders, *lines = printed.splitlines()

    assert int(count) < 6
    # The names of the two folders.
    assert "lock netlab 2" == folders
    assert ["gone", "nameserver 10.96.0.10", "10.0.0.1 a"] == lines


def test_a_program_changes_nothing_of_the_host(runtime):
    """It writes in its own /tmp, and nobody else reads that."""
    code, printed, _ = run(
        runtime, program("sh", "-c", "echo x > /tmp/netlab-file && cat /tmp/netlab-file; echo x > /x")
    )

    assert (2, True) == (code, printed.startswith("x\n"))
    assert not Path("/tmp/netlab-file").exists()  # noqa: S108  of the program alone
    assert not Path("/x").exists()


def test_the_namespace_has_the_program_and_so_the_end_of_a_lab_finds_it(runtime, space):
    """It is found by its network namespace, and by the mount of /sys."""
    held = start(runtime, program("sleep", "600"), "found")
    inode = netns.inode(space)
    assert inode is not None
    eventually(lambda: processes.inside([inode]))
    _, printed, _ = run(runtime, program("cat", "/proc/self/mountinfo"))

    assert netns.mark(space, inode) in printed
    held.send(signal.SIGKILL)
    assert (137, "") == held.result()
    assert set() == processes.inside([inode])


def test_a_program_beside_another_joins_its_namespaces(runtime):
    """It sees the files and the processes of the first one, and ends with it."""
    held = start(runtime, program("sh", "-c", "echo here > /tmp/file; exec sleep 600"), "joined")
    asked = program("cat", "/tmp/file")  # noqa: S108  of the program alone
    eventually(lambda: run(runtime, asked, "joined")[1] == "here\n")
    beside = Attached(
        lambda fds: runtime.start(program("sh", "-c", "cat /proc/1/comm; exec sleep 600"), "joined", fds, beside=True),
        terminal=False,
    )
    os.set_blocking(beside.stdout, True)
    assert b"sleep\n" == os.read(beside.stdout, 100)
    held.send(signal.SIGKILL)
    held.result()

    assert [beside.ended] == select.select([beside.ended], [], [], 20)[0]
    for fd in (beside.stdin, beside.stdout, beside.stderr):
        os.close(fd)
    assert 137 == beside.end()[0]


def test_how_a_program_ends_is_its_exit_code(runtime):
    """128 and more for a signal; one that cannot run has a reason."""
    assert 3 == run(runtime, program("sh", "-c", "exit 3"))[0]
    assert 143 == run(runtime, program("sh", "-c", "kill -TERM $$"))[0]
    assert (127, "", 'exec: "none": no such program on this host') == run(runtime, program("none"))
    assert 126 == run(runtime, program("/etc/passwd"))[0]
    assert 127 == run(runtime, program("none"), "first", beside=False)[0]


def test_a_signal_that_comes_early_is_not_lost(runtime):
    """The stand-in has it blocked until it can handle it: as a first process it would not get it."""
    held = start(runtime, program("/agnhost", "netexec"), "early")
    held.send(signal.SIGTERM)

    assert (0, "") == held.result()


def test_a_program_that_goes_on_after_its_parent_ends_with_the_namespace(runtime, space):
    """Nothing is left behind."""
    run(runtime, program("sh", "-c", "setsid sleep 600 & exit 0"))
    inode = netns.inode(space)

    assert inode is not None
    assert set() == processes.inside([inode])


def test_the_stand_in_runs_from_a_shell(runtime):
    """Also where user nobody cannot read netlab or its interpreter."""
    code, printed, _ = run(runtime, program("sh", "-c", "/agnhost connect 127.0.0.1:1 --timeout=1s; agnhost"))

    assert 127 == code
    assert printed.startswith("OTHER: dial tcp 127.0.0.1:1: connect: network is unreachable\n") or "REFUSED" in printed


def test_volumes_are_one_for_a_pod_and_files_are_to_read(runtime, space):
    """At places that the host has and at others; a volume goes with its pod."""
    mounts = (Mount("/data", "v"), Mount("/etc/of/pod", "", {"a/b": "text"}), Mount("/usr/one", "", {"": "alone"}))
    write = program("sh", "-c", "cat /etc/of/pod/a/b /usr/one > /data/out; rm /etc/of/pod/a/b", mounts=mounts)
    assert 1 == run(runtime, write)[0]
    look = program("cat", "/data/out", mounts=(Mount("/data", "v"),))

    assert (0, "textalone", "") == run(runtime, look)
    runtime.forget("pod-1")
    assert 1 == run(runtime, look)[0]
    runtime.forget("pod-1")
    assert not Path("/etc/of").exists()
    assert not Path("/usr/one").exists()


@pytest.mark.parametrize("path", ["/", "/..", "/proc/self/fd", "/etc/passwd/x"])
def test_a_volume_at_a_place_that_cannot_be_is_an_error(runtime, path):
    """Or it is harmless: nothing of the host is covered."""
    before = os.stat("/etc/passwd")
    code, _, why = run(runtime, program("true", mounts=(Mount(path, "", {"a": "b"}),)))

    assert (code == 0) or "cannot give the program its own files" in why
    assert stat.S_ISREG(before.st_mode)
    assert before == os.stat("/etc/passwd")


def test_programs_end_with_the_process_that_forks_them(space):
    """Also when that is killed; the next program has a new one."""
    inode = netns.inode(space)
    assert inode is not None
    made = Runtime(MAIN)
    held = start(made, program("sleep", "600"), "c")
    assert 0 == run(made, program("true"))[0]
    os.kill(made.pid, signal.SIGKILL)

    assert 137 == held.result()[0]
    eventually(lambda: not processes.inside([inode]))
    assert 0 == run(made, program("true"))[0]
    with contextlib.suppress(OSError):
        made.close()


def test_an_order_that_is_too_long_is_refused(runtime):
    """In one line; the process goes on."""
    with pytest.raises(Exception, match="arguments and variables are too long"):
        run(runtime, program("true", LONG="x" * (600 << 10)))

    assert 0 == run(runtime, program("true", LONG="x" * (100 << 10)))[0]


def test_a_link_that_a_program_left_in_a_volume_leads_to_no_folder_of_the_host(runtime, space):
    """Root would make the folder of the mount behind it: only a volume, and what the pod has for itself, can change."""
    place = Path("/var/tmp") / f"netlab-link-{os.getpid():x}"  # noqa: S108  where every user may write
    place.mkdir()
    try:
        left = Mount("/data", "left")
        assert 0 == run(runtime, program("ln", "-s", str(place), "/data/x", mounts=(left,)))[0]
        for name in ("folder", "file"):
            files = {"": "text"} if name == "file" else {"k": "text"}
            below = Mount(f"/data/x/{name}/a", "", files)
            code, _, why = run(runtime, program("true", mounts=(left, below)))
            assert (126, True) == (code, "nothing in folders of the host" in why)
        assert [] == list(place.iterdir())
    finally:
        place.rmdir()
        runtime.forget("pod-1")


def test_a_volume_where_netlab_keeps_files_to_mount_changes_nothing_of_the_host(runtime, space):
    """The files of a ConfigMap are written before a volume can be in their place."""
    place = Path("/var/tmp") / f"netlab-keep-{os.getpid():x}"  # noqa: S108  where every user may write
    place.mkdir()
    try:
        left = Mount("/run/netlab", "keep")
        assert 0 == run(runtime, program("ln", "-s", str(place), "/run/netlab/volumes", mounts=(left,)))[0]
        mounts = (left, Mount("/config", "", {"k": "text"}))
        assert (0, "text", "") == run(runtime, program("cat", "/config/k", mounts=mounts))
        assert [] == list(place.iterdir())
    finally:
        place.rmdir()
        runtime.forget("pod-1")


BOMB = "i=0; while [ $i -lt 1040 ]; do sleep 600 & i=$((i+1)); done"


def test_a_program_that_forks_without_end_stops_no_other_pod(runtime, space):
    """Processes of user nobody are counted for each pod, and a program of a pod has no room for more."""
    held = Attached(
        lambda fds: runtime.start(program("sh", "-c", f"({BOMB}); echo no more; exec sleep 600"), "bomb", fds),
        terminal=False,
    )
    try:
        # A program that ran meanwhile would leave room when it ends.
        os.set_blocking(held.stdout, True)
        assert b"no more\n" == os.read(held.stdout, 100)
        assert "fork" in run(runtime, program("sh", "-c", "true & wait"), "bomb")[1]
        other = replace(program("sh", "-c", "(id -u; id -g) & wait"), pod="pod-2")
        assert (0, "65534\n65534\n", "") == run(runtime, other)
    finally:
        held.end()
        for fd in (held.stdin, held.stdout, held.stderr):
            os.close(fd)
        runtime.forget("pod-2")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of system calls are those of x86_64")
def test_a_program_makes_no_user_namespace_and_has_no_keys_of_root(space):
    """In a user namespace it would have capabilities; a session keyring is inherited from the command."""
    library = ctypes.CDLL(None, use_errno=True)
    libc.leave_keyring()
    assert library.syscall(248, b"user", b"netlab-root", b"secret", ctypes.c_long(6), ctypes.c_long(-3)) > 0
    assert "netlab-root" in Path("/proc/keys").read_text()
    made = Runtime(MAIN)
    try:
        script = "unshare -U true; cat /proc/keys; test -e /proc/keys && echo read"
        _, printed, _ = run(made, program("sh", "-c", script))
    finally:
        made.close()
        libc.leave_keyring()

    assert "unshare failed: No space left on device" in printed
    assert "read" in printed
    assert "netlab-root" not in printed


def test_the_process_that_forks_may_open_all_files_that_it_may_have(space):
    """Each program takes three descriptors of it, and a shell allows 1,024 as a rule."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        made = Runtime(MAIN)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert 0 == run(made, program("true"))[0]
        assert (hard, hard) == resource.prlimit(made.pid, resource.RLIMIT_NOFILE)
    finally:
        made.close()


def test_a_signal_that_comes_too_late_hides_no_exit_code():
    """``kubectl exec`` kills what may still run. The kernel answers a message that nobody read with an error."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ended = Program(near)
    far.send(b'{"code": 3, "error": "why"}')
    ended.send(signal.SIGKILL)
    far.close()

    assert (3, "why") == ended.result()


def test_no_other_program_of_the_pod_can_take_a_descriptor_of_the_stand_in(runtime):
    """It may have a raw socket, which could send any packet."""
    held = start(runtime, program("/agnhost", "netexec", "--http-port=8091"), "raw")
    asked = program("sh", "-c", "/agnhost connect 127.0.0.1:8091 --timeout=5s; ls /proc/1/fd")
    try:
        code, said, _ = eventually(lambda: not (one := run(runtime, asked, "raw"))[1].startswith("REFUSED") and one)
    finally:
        held.send(signal.SIGKILL)
        held.result()

    assert code != 0
    assert "Permission denied" in said


def test_a_program_that_joins_at_once_has_the_files_of_the_first(runtime, space):
    """The first is still making them. A join without waiting would have the files of the host."""
    for number in range(20):
        held = start(runtime, program("sleep", "600"), f"first-{number}")
        try:
            code, printed, _ = run(runtime, program("sh", "-c", "cat /etc/hosts; ls /root"), f"first-{number}")
            assert (0, FILES["/etc/hosts"]) == (code, printed)
        finally:
            held.send(signal.SIGKILL)
            held.result()


DEVICES = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"


def test_a_program_has_the_devices_that_every_program_may_have(runtime, space):
    """And none of the host's disks, memory, log and terminals; it cannot make one."""
    look = "cd /dev; ls; head -c 3 zero | wc -c; echo x > null; head -c 1 urandom | wc -c; ls pts; mknod m c 1 1"
    code, printed, _ = run(runtime, program("sh", "-c", f"exec 2>&1; {look}"))
    names, refused = printed.split("\n3\n1\n")

    assert DEVICES.split() == names.split()
    assert refused.startswith("ptmx\n")
    assert (1, True) == (code, "mknod" in refused)


def test_a_program_has_terminals_of_its_own(runtime, space):
    """Their numbers begin anew, and one that is made for it has a name that it finds."""
    ask = "import os; print([os.ttyname(os.openpty()[1])], sorted(os.listdir('/dev/pts')))"
    argv = ("sh", "-c", f'tty; python3 -c "{ask}"')
    found = Attached(
        lambda fds: runtime.start(replace(program(*argv), terminal=True), "none", fds, beside=True),
        terminal=True,
    )
    select.select([found.ended], [], [], 20)
    printed = os.read(found.stdout, 1000)
    for fd in (found.stdin, found.stdout):
        os.close(fd)

    assert (0, "") == found.end()
    assert b"/dev/pts/0\r\n['/dev/pts/1'] ['0', '1', 'ptmx']\r\n" == printed


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("known_by", ["pid", "pidfd"])
def test_a_process_ends_if_its_parent_ended_before_the_kernel_could_know(known_by):
    """prctl has no effect where the parent is gone, so a program would run for ever."""
    readable, writable = os.pipe()
    parent = os.fork()
    if parent == 0:
        me = {"pid": os.getpid(), "pidfd": os.pidfd_open(os.getpid())}
        if os.fork() == 0:
            select.select([me["pidfd"]], [], [])
            libc.end_with_parent(**{known_by: me[known_by]})
            os.write(writable, b"it runs")
        os._exit(0)
    os.close(writable)
    os.waitpid(parent, 0)

    assert b"" == read(readable)
