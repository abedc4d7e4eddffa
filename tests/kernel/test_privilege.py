"""Without root the same commands work in a user namespace, which is gone with the last lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sizes import HANGS
from waiting import eventually

from netlab.errors import HostError
from netlab.kernel import privilege, processes

REPOSITORY = Path(__file__).parents[2]
# An ordinary user has one user namespace for all labs, so each process that runs tests is another user.
USER = 1_000_000 + os.getpid()
Rootless = Callable[..., "subprocess.CompletedProcess[str]"]
Python = Callable[..., "subprocess.CompletedProcess[str]"]


def _interpreter() -> str:
    """A Python of this version that an ordinary user may run: a home directory's is often closed to others."""
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return system if os.access(system, os.X_OK) else sys.executable


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of netlab that an ordinary user may read."""
    place = Path("/tmp") / f"netlab-test-{os.getpid()}"  # noqa: S108  pytest's own directories are closed to others
    packages = Path(sysconfig.get_paths()["purelib"])
    place.mkdir(mode=0o755)
    shutil.copytree(REPOSITORY / "netlab", place / "netlab")
    shutil.copytree(REPOSITORY / "examples", place / "examples")
    shutil.copytree(REPOSITORY / "topologies", place / "topologies")
    for name in ("click", "dns", "yaml"):
        shutil.copytree(packages / name, place / name)
    for compiled in packages.glob("_yaml*"):
        shutil.copytree(compiled, place / compiled.name)
    # What is not compiled yet: else each command compiles all that it imports.
    subprocess.run([_interpreter(), "-m", "compileall", "-q", str(place)], check=True)
    (place / "home").mkdir()
    os.chown(place / "home", USER, USER)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def python(place: Path) -> Python:
    """Run Python as an ordinary user."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_interpreter(), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS,
            user=USER,
            group=USER,
            extra_groups=[],
            cwd=place,
            env={"PATH": "/usr/bin:/bin", "HOME": str(place / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    return run


@pytest.fixture(scope="module")
def rootless(python: Python) -> Iterator[Rootless]:
    """Run netlab as an ordinary user."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return python("-m", "netlab", *arguments)

    yield run
    run("down", "--all")


def keepers() -> list[str]:
    """The keeper processes of the ordinary user."""
    found = subprocess.run(["pgrep", "-u", str(USER), "-f", "netlab-keeper"], capture_output=True, text=True)
    return found.stdout.split()


def test_a_lab_without_root_outlives_its_command_and_is_verified_by_the_next(rootless: Rootless) -> None:
    """up, get, verify and exec are commands of their own; a keeper holds the lab between them."""
    up = rootless("up", "-f", "examples/shop")
    during = keepers()
    pods = rootless("get", "pods", "-o", "name")
    verify = rootless("verify")
    inside = rootless("exec", "shop/web-0", "--", "cat", "/proc/net/dev")
    down = rootless("down")

    assert (0, 0, 0, 0) == (up.returncode, verify.returncode, inside.returncode, down.returncode), up.stderr
    assert 1 == len(during)
    assert "pod/shop/web-0" in pods.stdout or "pod/web-0" in pods.stdout
    assert "eth0" in inside.stdout
    assert [] == keepers()
    assert not Path(f"/tmp/netlab-{USER}").exists()  # noqa: S108


def test_names_without_root(rootless: Rootless) -> None:
    """A program finds names as in a lab of root. The DNS server has no capability, and ends with the lab."""
    up = rootless("up", "-f", "examples/shop")
    try:
        found = rootless("exec", "other/stranger", "--", "getent", "hosts", "kubernetes.default")
        again = rootless("exec", "other/stranger", "--", "cat", "/etc/resolv.conf", "/etc/nsswitch.conf")
        (server,) = subprocess.run(
            ["pgrep", "-u", str(USER), "-f", "netlab.programs.dns_server"], capture_output=True, text=True
        ).stdout.split()
        status = Path(f"/proc/{server}/status").read_text()
        machine = rootless("exec", "node:node-1", "--", "getent", "hosts", "node-1")
    finally:
        rootless("down")

    assert (0, 0, "") == (up.returncode, found.returncode, found.stderr)
    assert ["10.96.0.1", "kubernetes.default.svc.cluster.local"] == found.stdout.split()
    assert "nameserver 10.96.0.10\n" in again.stdout
    assert "hosts: files dns\n" in again.stdout
    assert 0 == machine.returncode
    assert "CapEff:\t0000000000000000\n" in status
    assert "CapPrm:\t0000000000000000\n" in status
    assert "" == processes.started(int(server))
    assert [] == keepers()


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_services_without_root(rootless: Rootless, mode: str) -> None:
    """By cluster IP, nodePort and load balancer, packets find what evaluator and tracer expect."""
    found = rootless("conformance", "random/*", "--services", "--random", "4", "--seed", "3", "--mode", mode)

    assert 0 == found.returncode, found.stdout + found.stderr
    assert "by evaluator, tracer, packets: 4 agree, 0 differ" in found.stdout


@pytest.mark.parametrize("topology", ["single-node", "dual-stack", "ipv6-only"])
def test_a_lab_of_its_own_leaves_no_keeper(rootless: Rootless, topology: str) -> None:
    """verify -f builds, checks and removes, in either IP family, and the user namespace goes with it."""
    verify = rootless("verify", "-f", f"topologies/{topology}.yaml", "-f", "examples/shop")

    assert 0 == verify.returncode, verify.stderr
    assert [] == keepers()


# Whoever enters a user namespace stays there, so each round is a process.
AT_ONCE = """
import os, sys
from netlab.kernel import privilege, processes

def child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\\n")
        finally:
            os._exit(status)
    return pid

def command():
    privilege.enter()
    privilege.leave()

def commands():
    for _ in range(15):
        assert os.waitpid(child(command), 0)[1] == 0

started = [child(commands) for _ in range(4)]
sys.exit(sum(os.waitpid(pid, 0)[1] != 0 for pid in started))
"""


def test_commands_that_begin_and_end_at_once_do_not_disturb_one_another(python: Python) -> None:
    """A directory that the last of them removed is made again; in the end no keeper is left."""
    done = python("-c", AT_ONCE)

    assert (0, "") == (done.returncode, done.stderr)
    assert [] == keepers()
    assert not Path(f"/tmp/netlab-{USER}").exists()  # noqa: S108


MODES = """
import os, sys
from pathlib import Path
from netlab.kernel import privilege, processes

os.umask(int(sys.argv[1], 8))
where = privilege.directory()
where.chmod(int(sys.argv[2], 8))
privilege.enter()
print(*(oct(path.stat().st_mode & 0o777) for path in (where, where / "keeper", where / "lock")))
"""


@pytest.mark.parametrize(("umask", "open_to"), [("000", "700"), ("022", "755"), ("077", "700"), ("777", "700")])
def test_the_keepers_directory_is_the_users_alone(python: Python, umask: str, open_to: str) -> None:
    """Under every umask; a directory that others could read is closed."""
    done = python("-c", MODES, umask, open_to)

    assert "0o700 0o600 0o600\n" == done.stdout, done.stderr
    assert [] == keepers()


def test_a_directory_that_others_could_write_is_not_used(python: Python) -> None:
    """The other users may have named a keeper of theirs."""
    done = python("-c", MODES, "022", "777")
    shutil.rmtree(f"/tmp/netlab-{USER}")  # noqa: S108

    assert f"HostError: /tmp/netlab-{USER} is not this user's own directory" in done.stderr.replace(
        "netlab.errors.", ""
    )


def test_a_keepers_file_that_is_damaged_is_none(python: Python) -> None:
    """A new keeper is started."""
    script = "from netlab.kernel import privilege as p; (p.directory() / 'keeper').write_text('x y ' + p.boot_id())"
    python("-c", script)
    done = python("-c", "from netlab.kernel import privilege; print(privilege.enter())")

    assert "True\n" == done.stdout, done.stderr
    assert [] == keepers()


def test_looking_without_a_lab_starts_nothing(rootless: Rootless) -> None:
    """Commands that only look start no keeper."""
    labs = rootless("get", "labs")

    assert 0 == labs.returncode
    assert [] == keepers()
    assert not Path(f"/tmp/netlab-{USER}").exists()  # noqa: S108


def test_a_setting_that_forbids_user_namespaces_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The way out names the very setting, and sudo."""
    setting = tmp_path / "kernel/apparmor_restrict_unprivileged_userns"
    setting.parent.mkdir()
    setting.write_text("1\n")
    monkeypatch.setattr(privilege, "_SYSCTLS", tmp_path)

    assert "kernel.apparmor_restrict_unprivileged_userns=0" in privilege.way_out()
    assert "sudo" in privilege.way_out()


def test_another_users_directory_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory in /tmp that another user made in advance is refused, with its name."""
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    place = Path("/tmp/netlab-4000000000")  # noqa: S108
    place.mkdir(mode=0o777)
    try:
        with pytest.raises(HostError, match="netlab-4000000000"):
            privilege.directory()
    finally:
        place.rmdir()


def test_no_other_user_runs_programs_without_root(rootless: Rootless) -> None:
    """A user namespace has one user, and root in it is the caller."""
    up = rootless("up", "-f", "examples/shop")
    try:
        other = rootless("exec", "shop/web-0", "--user", "54321:54321", "--", "true")
        root = rootless("exec", "shop/web-0", "--user", "root", "--", "true")
    finally:
        rootless("down")

    assert (0, 2, 0) == (up.returncode, other.returncode, root.returncode)
    assert "Error: --user needs root; without root every program runs as you\n" == other.stderr


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ("for n in (0, 1, 2): os.close(n)", [0, 0, 0]),
        ("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", [3, 3, 3]),
        ("os.dup2(os.open('/dev/full', os.O_WRONLY), 2)", [0, 0, 0]),
        ("r, w = os.pipe(); os.close(r); os.dup2(w, 1)", [141, 141, 141]),
    ],
    ids=["closed", "full", "full errors", "broken"],
)
def test_whatever_streams_there_are(python: Python, change: str, codes: list[int]) -> None:
    """A lab is built, read and removed, and the keeper ends; it holds none of the streams."""
    commands = ["up", "-f", "examples/shop"], ["get", "pods"], ["down", "--all"]
    script = f"import os, sys\n{change}\nos.execv(sys.executable, [sys.executable, '-m', 'netlab', *sys.argv[1:]])"
    done = [python("-c", script, *command) for command in commands]

    assert codes == [one.returncode for one in done]
    assert not [one.stderr for one in done if "Traceback" in one.stderr]
    assert [] == keepers()


def test_workers_of_a_killed_run_take_the_keeper_along(place: Path, python: Python) -> None:
    """Each removes its own lab; the last one ends the keeper."""
    script = (
        "import os, subprocess, sys, time\n"
        "run = subprocess.Popen([sys.executable, '-m', 'netlab', 'conformance', '--jobs', '2'])\n"
        "children = f'/proc/{run.pid}/task/{run.pid}/children'\n"
        "while len(workers := open(children).read().split()) < 2: time.sleep(0.01)\n"
        "time.sleep(2)\n"
        "run.kill()\n"
        "run.wait()\n"
        "while any(os.path.exists(f'/proc/{pid}') for pid in workers): time.sleep(0.01)\n"
    )
    done = python("-c", script)

    assert 0 == done.returncode, done.stderr
    assert [] == keepers()


def test_a_deleted_folder_is_no_obstacle(python: Python) -> None:
    """The working directory of the user's shell may be deleted."""
    gone = f"""
import os, sys
sys.path.insert(0, os.getcwd())
shop = os.path.abspath("examples/shop")
folder = "/tmp/netlab-gone-{USER}"
os.mkdir(folder)
os.chdir(folder)
os.rmdir(folder)
sys.argv = ["netlab", "verify", "-f", shop]
from netlab.cli import main
main()
"""
    done = python("-c", gone)

    assert 0 == done.returncode, done.stderr
    assert [] == keepers()


@pytest.mark.parametrize("interpreter", ["/nonexistent/python3", "/etc/passwd", "/bin/false"])
def test_a_keeper_that_does_not_run_is_an_error(python: Python, interpreter: str) -> None:
    """Its program is missing, cannot be executed, or ends at once. The lab does not count as built."""
    done = python(
        "-c",
        f"""
import sys
from netlab.kernel import privilege, processes
privilege._KEEPER[0] = {interpreter!r}
sys.argv = ["netlab", "up", "-f", "examples/shop"]
from netlab.cli import main
main()
""",
    )

    assert 3 == done.returncode, done.stderr
    assert 1 == len([line for line in done.stderr.splitlines() if "Error: " in line])
    assert "/usr/bin/python3, or with sudo" in done.stderr
    assert "in force" not in done.stderr
    assert not Path(f"/tmp/netlab-{USER}").exists()  # noqa: S108


def test_a_zombie_keeper_is_not_running() -> None:
    """Its parent may never wait for it; then /proc keeps its entry."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert "" == processes.started(pid)
        assert "" != processes.started(os.getpid())
    finally:
        os.waitpid(pid, 0)


def test_programs_of_a_killed_keeper_are_ended_by_the_next_down(rootless: Rootless) -> None:
    """They hold the namespaces of a lab that no command can reach."""
    up = rootless("up", "-f", "examples/shop")
    command = "exec 3>&- >/dev/null 2>&1 </dev/null; setsid sleep 301 & setsid unshare -Urn sleep 301 &"
    rootless("exec", "shop/web-0", "--", "sh", "-c", command)
    before = awaited(2)
    (keeper,) = keepers()
    os.kill(int(keeper), 9)
    down = rootless("down", "--all")

    assert (0, 0) == (up.returncode, down.returncode), up.stderr + down.stderr
    assert 2 == len(before)
    assert [] == sleepers()
    assert not Path(f"/tmp/netlab-{USER}").exists()  # noqa: S108


def awaited(number: int) -> list[str]:
    """Those programs when there are so many; they begin on their own."""
    found: list[str] = eventually(lambda: some if len(some := sleepers()) >= number else [])
    return found


def sleepers() -> list[str]:
    """The programs of the test that still run."""
    found = subprocess.run(["pgrep", "-u", str(USER), "-f", "^sleep 301"], capture_output=True, text=True)
    return found.stdout.split()


_RUN = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: apart}
spec:
  steps:
  - name: a program and a name
    apply:
    - {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}
    expect:
    - {from: shop/web, run: [sh, -c, "kill -9 -1; exit 3"], exit: 3}
    - {from: shop/web, lookup: kube-dns.kube-system, addresses: [10.96.0.10]}
"""


def test_a_program_of_a_scenario_is_apart_without_root_too(rootless: Rootless, place: Path) -> None:
    """It ends no process of its user, and the lab's DNS runs."""
    file = place / "apart.yaml"
    file.write_text(_RUN)
    found = rootless("test", str(file))

    assert 0 == found.returncode, found.stdout + found.stderr
