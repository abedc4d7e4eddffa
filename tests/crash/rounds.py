"""Interrupt netlab's commands at every system call that changes something, and look for what is left.

    python tests/crash/rounds.py [--rootless] [--errors | --end SIGNAL | --shortage] [--beside]
                                 [--steps STEP,…] [--calls NAME,…] [--part K/N] [--most N]

A round is one command that strace(1) kills before its Nth system call of a kind, or asks to end there, or whose Nth
call fails; then the next ``up`` and ``verify``, and ``down --all``. In a round of ``--shortage`` the command has little
room in /run, few descriptors or few processes. The rounds run in a mount namespace with a /run of its own, so that the
first start and the last end are real, and no lab of the host's is near. Every finding is printed; the exit code is 1
then.

What commands import is imported here already, and each command is a fork: only what it does itself is traced.
"""

from __future__ import annotations

import argparse
import atexit
import concurrent.futures.thread  # noqa: F401  netlab imports it when it first loads rules
import contextlib
import ctypes
import importlib
import itertools
import os
import pkgutil
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import netlab
from netlab.errors import KernelError
from netlab.kernel import host, libc

LAB = "crash"
_SECONDS = 60
_SETTLE = 3.0
_MS_REMOUNT = 32

_FILES: tuple[str, ...] = (
    "openat",
    "open",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
)
_FILES += ("symlinkat", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "ftruncate", "flock")
_TREES = ("mount", "umount2", "fsopen", "fsconfig", "fsmount", "setns", "unshare")
_PROCESSES = ("clone", "clone3", "fork", "vfork", "execve", "kill", "pidfd_send_signal", "pidfd_open")
_BYTES = ("write", "pwrite64", "writev", "sendto", "sendmsg")
CALLS = _FILES + _TREES + _PROCESSES + _BYTES
# What each kind of call fails with where a host is short of something.
ERRORS = {
    **dict.fromkeys(("mkdir", "mkdirat", "rename", "link", "symlink"), ("ENOSPC", "EIO")),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), ("EIO",)),
    **dict.fromkeys(("openat", "open"), ("ENOSPC", "EMFILE", "ENOMEM")),
    **dict.fromkeys(("write",), ("ENOSPC", "EIO")),
    **dict.fromkeys(("mount", "unshare", "setns"), ("ENOMEM", "ENOSPC")),
    **dict.fromkeys(("clone", "clone3", "fork", "vfork"), ("EAGAIN", "ENOMEM")),
    **dict.fromkeys(("socket", "pipe2"), ("EMFILE",)),
    **dict.fromkeys(("sendto",), ("ENOBUFS",)),
    **dict.fromkeys(("execve",), ("ENOMEM",)),
}

TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: crash}
spec:
  networks: [{name: default, mode: overlay, podCIDRs: [10.244.0.0/16]}]
  nodes: [{name: a}, {name: b}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one, namespace: x}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: x, labels: {app: NAME}}
spec: {nodeName: NODE, containers: [{name: c, image: i, ports: [{containerPort: 80HOST}]}]}
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: two, namespace: x}
spec: {podSelector: {matchLabels: {app: p}}, policyTypes: [Ingress]}
"""
SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: x}
spec: {selector: {app: p}, type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}
"""
INGRESS = """
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: x}
spec:
  rules: [{http: {paths: [{path: PATH, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]
"""


def pod(name: str, node: str, host_port: str = "") -> str:
    return POD.replace("NAME", name).replace("NODE", node).replace("HOST", host_port)


INPUTS = {
    "first": TOPOLOGY + pod("p", "a", ", hostPort: 8080") + pod("q", "b"),
    # Another machine, a pod elsewhere, no published port: something is made, changed and removed.
    "other": TOPOLOGY.replace("{name: b}", "{name: c}") + pod("p", "a") + pod("r", "c"),
    "more": POLICY + pod("s", "b"),
}
INPUTS["named"] = INPUTS["first"] + SERVICE
INPUTS["web"] = INPUTS["named"] + INGRESS.replace("PATH", "/")
INPUTS["reloaded"] = INGRESS.replace("PATH", "/other")
_EXEC = ("exec", "--lab", LAB, "x/p", "--", "/bin/true")
# What ran before, the command that is cut short, and the input that ``up`` brings the lab to afterwards.
STEPS: dict[str, tuple[Sequence[Sequence[str]], Sequence[str], str]] = {
    "up": ((), ("up", "-f", "first"), "first"),
    "again": ((("up", "-f", "first"),), ("up", "-f", "other"), "other"),
    "apply": ((("up", "-f", "first"),), ("apply", "-f", "more"), "first"),
    "down": ((("up", "-f", "first"),), ("down", LAB), "first"),
    "verify": ((), ("verify", "-f", "first"), "first"),
    # The steps that start, reload and end programs: DNS, a program for each node, nginx.
    "exec": ((("up", "-f", "named"),), _EXEC, "named"),
    "web": ((), ("up", "-f", "web"), "web"),
    "reload": ((("up", "-f", "web"),), ("apply", "-f", "reloaded"), "web"),
    "end": ((("up", "-f", "web"), _EXEC), ("down", LAB), "web"),
}
# Steps after which programs of the lab may run on; after "end" if it was killed.
PROGRAMS = ("exec", "web", "reload", "end")


class Stage:
    """The place of the rounds: this process's own mounts, and the files that commands read."""

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.limits: dict[int, int] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="netlab-crash-"))
        self.folder.chmod(0o755)
        for name, text in INPUTS.items():
            (self.folder / name).write_text(text)
        self.home = Path(f"/run/user/{uid}") if uid else Path("/run")
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what a command leaves comes to this process
        libc.unshare(libc.CLONE_NEWNS)
        libc.mount("", "/", flags=libc.MS_PRIVATE | libc.MS_REC)
        self.before: list[str] = self.mounts()
        self.reset()
        self.before = self.mounts()

    def reset(self, room: str = "") -> None:
        """Begin anew: end leftover processes and give the rounds a new /run of a size."""
        for child in self.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.reap()
        added = set(self.mounts()) - set(self.before)
        for place in sorted((m.strip() for m in self.mounts()), reverse=True):
            if place == "/run" or place.startswith("/run/") or f" {place}" in added:
                with contextlib.suppress(KernelError):
                    libc.umount(place)
        libc.mount("crash", "/run", "tmpfs", data=f"mode=755{room}")
        if self.uid:
            self.home.mkdir(parents=True)
            os.chown(self.home, self.uid, self.uid)

    def close(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()

    @staticmethod
    def mounts() -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return sorted(f" {line.split()[4]}" for line in lines)

    @staticmethod
    def children() -> list[int]:
        return [int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]

    @staticmethod
    def reap() -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def left(self) -> list[str]:
        """Return what was not there at first; processes that end by themselves get a moment."""
        deadline = time.monotonic() + _SETTLE
        while True:
            self.reap()
            found = [f"process {p}: {_command(p)}" for p in self.children()]
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.005)
        found += [f"mount{m}" for m in sorted((Counter(self.mounts()) - Counter(self.before)).elements())]
        found += [f"file {p}" for p in sorted(Path("/run").rglob("*")) if p not in (self.home, self.home.parent)]
        return found

    def strays(self, step: str) -> list[str]:
        """Return the processes that a step left and that should not stay, once they had a moment to end."""
        deadline = time.monotonic() + _SETTLE
        while True:
            self.reap()
            found = [f"process {p}: {_command(p)}" for p in self.children() if not _may_stay(step, _command(p))]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.005)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _may_stay(step: str, command: str) -> bool:
    return "netlab-keeper" in command or (step in PROGRAMS and ("netlab.programs." in command or "nginx" in command))


class Command:
    """A netlab command in a fork of this process, which waits to be let go."""

    def __init__(self, stage: Stage, arguments: Sequence[str]) -> None:
        self.output = tempfile.TemporaryFile()  # noqa: SIM115  wait() reads it
        heard, self._say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._say)
            _become(stage, arguments, heard, self.output.fileno())
        os.close(heard)

    def go(self) -> None:
        os.close(self._say)

    def wait(self) -> tuple[int, str]:
        """Return the exit code (that of a signal is negative) and what was printed; one that hangs is killed."""
        deadline = time.monotonic() + _SECONDS
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
                self.output.seek(0)
                return 999, "it hangs: " + self.output.read().decode(errors="replace")
            time.sleep(0.002)
        self.output.seek(0)
        return os.waitstatus_to_exitcode(status), self.output.read().decode(errors="replace")


def _become(stage: Stage, arguments: Sequence[str], heard: int, output: int) -> None:
    """In the fork: be the user, wait for the word, run the command, and end as Python does."""
    code: object = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for fd, of in ((0, null), (1, null), (2, output)):
            os.dup2(of, fd)
        os.chdir(stage.folder)
        if stage.uid:
            os.setgroups([])
            os.setresgid(*[stage.uid] * 3)
            os.setresuid(*[stage.uid] * 3)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as a program that this user started
        sys.argv = ["netlab", *arguments]
        for limit, value in stage.limits.items():
            resource.setrlimit(limit, (value, value))
        os.read(heard, 1)
        os.close(heard)
        try:
            netlab.cli.main()
        except SystemExit as ended:
            code = ended.code
        atexit._run_exitfuncs()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else 70 if code else 0)


def run(stage: Stage, *arguments: str) -> tuple[int, str]:
    """Run a command to its end."""
    command = Command(stage, arguments)
    command.go()
    return command.wait()


def traced(stage: Stage, arguments: Sequence[str], *options: str) -> tuple[int, str]:
    """Run a command under strace with these options, and let go of the processes that go on."""
    command = Command(stage, arguments)
    strace = subprocess.Popen(["strace", "-f", "-p", str(command.pid), *options], stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    errors = strace.stderr.readline()
    if "attached" not in errors:
        command.go()
        command.wait()
        sys.exit(f"strace: {errors}")
    command.go()
    try:
        return command.wait()
    finally:
        strace.send_signal(signal.SIGTERM)
        strace.communicate()


_CALL = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)")
_READS = re.compile(r"O_RDONLY")
_WRITES = re.compile(r"O_(CREAT|TRUNC|WRONLY|RDWR)")


def points(stage: Stage, arguments: Sequence[str], calls: Sequence[str]) -> list[tuple[str, int]]:
    """Return the calls of a command that change something: name and number, counted in each process by itself."""
    with tempfile.NamedTemporaryFile("r") as log:
        code, errors = traced(stage, arguments, "-o", log.name, "-e", "trace=" + ",".join(f"?{c}" for c in calls))
        if code:
            sys.exit(f"{' '.join(arguments)} fails undisturbed: {code} {errors}")
        text = log.read()
    counted: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for line in text.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        counted[call["pid"], call["name"]] += 1
        if call["name"] in ("open", "openat") and not _WRITES.search(call["rest"]):
            continue
        if call["name"] == "write" and call["rest"].startswith(("1,", "2,")):
            continue
        found[call["name"], counted[call["pid"], call["name"]]] = None
    return list(found)


def rounds(stage: Stage, step: str, calls: Sequence[str], errors: bool, end: str) -> Iterator[tuple[str, str, str]]:
    """Yield every way to cut a step short: its name, the system call, and strace's option for it."""
    kinds = tuple(ERRORS) if errors else CALLS
    before, arguments, _ = STEPS[step]
    for one in before:
        run(stage, *one)
    found = points(stage, arguments, [c for c in kinds if not calls or c in calls])
    run(stage, "down", "--all")
    for name, number in found:
        for fault in (f"error={e}" for e in ERRORS[name]) if errors else (f"signal=SIG{end}",):
            yield f"{step} {name} {number} {fault}", name, f"{name}:{fault}:when={number}"


def play(stage: Stage, step: str, option: str, name: str, *, repair: bool) -> list[str]:
    """Interrupt a step once; return what is wrong afterwards."""
    before, arguments, after = STEPS[step]
    wrong: list[str] = []

    def expect(what: str, *command: str) -> None:
        code, errors = run(stage, *command)
        if code:
            wrong.append(f"{what}: exit {code}: {errors.strip()}")

    for one in before:
        expect("before", *one)
    code, errors = traced(stage, arguments, "-e", f"trace={name}", "-e", f"inject={option}", "-o", os.devnull)
    if "SIGKILL" not in option:
        wrong += _faults(code, errors, name)
        # A lab of the command's own is gone whenever it ends, one that could not be built as well.
        if step == "verify" or (code and errors and step == "up" and "error" in option):
            wrong += [f"a failed {step} leaves {one}" for one in stage.left()]
    wrong += [f"the command leaves {one}" for one in stage.strays(step)]
    if repair:
        expect("up", "up", "-f", after)
        if not wrong:
            expect("verify", "verify", "--lab", LAB)
    if repair and step in PROGRAMS[:-1] and not wrong:
        expect("exec", *_EXEC)
    expect("down", "down", "--all")
    wrong += [f"left: {one}" for one in stage.left()]
    return wrong


def _faults(code: int, errors: str, call: str = "") -> list[str]:
    """Return what is wrong with the end of a command whose call failed: it prints one line, or succeeds."""
    # What a program of the lab lacks is a warning.
    lines = [line for line in errors.splitlines() if line and not line.lower().startswith("warning: ")]
    if not errors and (code == 70 or (code == 3 and call == "write")):
        return []  # The call that failed was to print the outcome. It is counted in each process by itself.
    if code in (128 + signal.SIGTERM, 128 + signal.SIGHUP, 128 + signal.SIGINT) and "Traceback" not in errors:
        return []
    if code not in (0, 2, 3) or "Traceback" in errors or (code and len(lines) != 1):
        return [f"exit {code}: {errors.strip()}"]
    return []


def shortages(stage: Stage) -> Iterator[tuple[str, list[str]]]:
    """Build a lab with too little of everything, then with a little more, until it succeeds; yield what went wrong."""
    kinds: dict[str, tuple[Sequence[int], str, int]] = {
        "files in /run": (range(4, 60), ",nr_inodes={}", -1),
        "pages in /run": (range(1, 20), ",nr_blocks={}", -1),
        "descriptors": (range(6, 120), "", resource.RLIMIT_NOFILE),
    }
    if stage.uid:
        kinds["processes"] = (range(1, 30), "", resource.RLIMIT_NPROC)
    for kind, (amounts, room, limit) in kinds.items():
        code = 0
        for amount in amounts:
            stage.reset(room.format(amount))
            stage.limits = {limit: amount} if limit >= 0 else {}
            code, errors = run(stage, "up", "-f", "first")
            stage.limits = {}
            wrong = _faults(code, errors)
            wrong += [f"it leaves {one}" for one in stage.left()] if code else []
            yield f"{amount} {kind}", wrong
            if code == 0:
                break
        yield f"enough {kind}", [f"exit {code}"] if code else []
    stage.reset()


def shortages_of_programs(stage: Stage, parts: int) -> Iterator[tuple[str, list[str]]]:
    """Start the programs of a lab with too little of everything, then with a little more; yield what went wrong.

    ``exec`` runs without names then, and says so, or fails with one line.
    """
    kinds: dict[str, tuple[Sequence[int], int]] = {
        "more files in /run": (range(0, 40, 2), -1),
        "more pages in /run": (range(0, 40, 2), -1),
        "descriptors": (range(8, 60, 2), resource.RLIMIT_NOFILE),
    }
    if stage.uid:
        kinds["processes"] = (range(2, 40, 2), resource.RLIMIT_NPROC)
    for kind, (amounts, limit) in kinds.items():
        code, errors = 1, ""
        for amount in amounts[::parts]:
            stage.reset()
            code, errors = run(stage, "up", "-f", "named")
            wrong = [f"up: exit {code}: {errors}"] if code else []
            used = os.statvfs("/run")
            inodes, blocks = used.f_files - used.f_ffree + amount, used.f_blocks - used.f_bfree + amount
            room = {"more files in /run": f"nr_inodes={inodes}", "more pages in /run": f"nr_blocks={blocks}"}.get(kind)
            if room:
                libc.mount("crash", "/run", "tmpfs", _MS_REMOUNT, f"mode=755,{room}")
            stage.limits = {limit: amount} if limit >= 0 else {}
            code, errors = run(stage, *_EXEC)
            stage.limits = {}
            wrong += _faults(code, errors)
            if room:
                libc.mount("crash", "/run", "tmpfs", _MS_REMOUNT, "mode=755,nr_inodes=0,nr_blocks=0")
            again, said = run(stage, *_EXEC)
            wrong += [f"later: exit {again}: {said}"] if again or said else []
            down, said = run(stage, "down", "--all")
            wrong += [f"down: exit {down}: {said}"] if down else []
            wrong += [f"it leaves {one}" for one in stage.left()]
            yield f"exec with {amount} {kind}", wrong
            if code == 0 and not errors:
                break
        yield f"exec with enough {kind}", [f"exit {code}: {errors}"] if code or errors else []
    stage.reset()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rootless", action="store_true", help="as an ordinary user")
    parser.add_argument("--errors", action="store_true", help="let calls fail instead of killing")
    parser.add_argument("--end", default="KILL", metavar="SIGNAL", help="send this one instead of SIGKILL")
    parser.add_argument("--shortage", action="store_true", help="let the host be short of room, descriptors, processes")
    parser.add_argument("--steps", default="up,again,apply,down,exec,web,reload,end", help=",".join(STEPS))
    parser.add_argument(
        "--beside", action="store_true", help="make namespaces in a process beside, however small the lab is"
    )
    parser.add_argument("--calls", default="", help="only these system calls")
    parser.add_argument("--part", default="1/1", help="every Nth round, from the Kth on")
    parser.add_argument(
        "--most", type=int, default=0, help="rounds of a step, spread evenly; by default all of the part"
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    for module in pkgutil.walk_packages(netlab.__path__, "netlab."):
        if module.name not in ("netlab.__main__", "netlab.pytest_plugin") and "testing" not in module.name:
            importlib.import_module(module.name)
    if given.beside:
        host.MANY = 1
    stage = Stage(1_000_000 + os.getpid() if given.rootless else 0)
    played = failed = 0

    def report(title: str, wrong: Sequence[str]) -> None:
        nonlocal played, failed
        played, failed = played + 1, failed + bool(wrong)
        if given.verbose or wrong:
            print(f"{title}: {'; '.join(wrong) or 'ok'}", flush=True)

    try:
        if given.shortage:
            steps = given.steps.split(",")
            builds = shortages(stage) if "up" in steps else ()
            starts = shortages_of_programs(stage, parts) if "exec" in steps else ()
            for title, wrong in itertools.chain(builds, starts):
                report(title, wrong)
            return _summary(played, failed)
        for step in given.steps.split(","):
            cuts = list(rounds(stage, step, [c for c in given.calls.split(",") if c], given.errors, given.end))
            cuts = cuts[part - 1 :: parts]
            # A command that waits on a busy machine looks again and again, and each look has calls.
            every = -(-len(cuts) // given.most) if given.most else 1
            for number, (title, name, option) in enumerate(cuts[:: max(1, every)]):
                for repair in (True, False) if parts == 1 else (number % 2 == 0,):
                    wrong = play(stage, step, option, name, repair=repair)
                    report(f"{title}, then {'up' if repair else 'down'}", wrong)
                    if wrong:
                        stage.reset()
    finally:
        stage.reset()
        stage.close()
    return _summary(played, failed)


def _summary(played: int, failed: int) -> int:
    print(f"{played} rounds, {failed} failed")
    return 1 if failed or not played else 0


if __name__ == "__main__":
    sys.exit(main())
