"""``netlab mirror`` on the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from mirror.mirrors import one, policy
from mirror.watched_server import WatchedServer

from netlab.errors import UsageError
from netlab.kernel import privilege
from netlab.lab.lab import Lab
from netlab.mirror.claim import Claim
from netlab.mirror.mirror import Mirror
from netlab.sources.cluster_kinds import cluster_role

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
Call = Callable[..., Result]
REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "tasks" / "mirror.md"
TOPOLOGY = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: t}
spec: {networks: [{name: default, mode: MODE}]}
"""


def test_the_printed_role_is_that_of_the_page(netlab: Call) -> None:
    """That of -f cluster: with watches; nothing is asked for it."""
    done = netlab("mirror", "--print-clusterrole")
    role, lists = yaml.safe_load(done.stdout), yaml.safe_load(cluster_role())

    assert 0 == done.exit_code
    assert f"```yaml\n{done.stdout}```" in PAGE.read_text()
    assert {("list", "watch")} == {tuple(rule["verbs"]) for rule in role["rules"]}
    assert [rule["resources"] for rule in lists["rules"]] == [rule["resources"] for rule in role["rules"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the cluster: netlab mirror cluster:CONTEXT, or cluster: for the current context"),
        (("prod",), "name the cluster: netlab mirror cluster:CONTEXT, or cluster: for the current context"),
        (("cluster:none",), "cluster:none: no such context; there are prod, team/a@prod"),
        (("cluster:", "--once", "--rm"), "--once leaves the lab as it is, and --rm removes it: leave one out"),
        (("cluster:", "-f", "/none.yaml"), "/none.yaml: No such file or directory"),
    ],
)
def test_wrong_arguments(server: WatchedServer, netlab: Call, arguments: tuple[str, ...], message: str) -> None:
    """One line, exit code 2, and nothing is built."""
    done = netlab("mirror", *arguments)

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines())), done.stderr
    assert message in done.stderr


def test_a_server_that_is_not_there(server: WatchedServer, netlab: Call) -> None:
    """At the start that is an error of the host."""
    server.down = True
    done = netlab("mirror", "cluster:")

    assert 3 == done.exit_code
    assert "see that kubectl reaches it, as the same user" in done.stderr


def test_in_the_network_of_a_users_labs_it_says_so(
    server: WatchedServer, netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command itself makes its process before it enters them."""
    monkeypatch.setattr(privilege, "rootless", lambda: True)

    assert 3 == netlab("mirror", "cluster:").exit_code


@pytest.mark.kernel
def test_once_builds_and_ends(server: WatchedServer, unique: Callable[..., str], tmp_path: Path) -> None:
    """As `up -f cluster:` does, with a Topology of a file."""
    name, topology = unique("once"), tmp_path / "topology.yaml"
    topology.write_text(TOPOLOGY.replace("MODE", "bridge"))
    words = [sys.executable, "-m", "netlab", "mirror", "cluster:", "--lab", name, "--once", "-f", str(topology)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    try:
        with Lab.open(name) as lab:
            assert 0 == done.returncode, done.stderr
            assert {"shop/a", "shop/b"} == {pod.ref for pod in lab.cluster.pods}
            assert "bridge" == lab.cluster.networks[0].mode
    finally:
        Lab.open(name).down()


@pytest.mark.kernel
def test_a_second_mirror_of_one_lab_is_refused(server: WatchedServer, unique: Callable[..., str], netlab: Call) -> None:
    """Two would undo each other's changes. The lab stays as it is."""
    name = unique("twice")
    words = [sys.executable, "-u", "-m", "netlab", "mirror", "cluster:", "--lab", name]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY)
    assert first.stdout is not None
    guard = threading.Timer(60, first.kill)
    guard.start()
    try:
        assert any("follows" in line for line in first.stdout)
        second = netlab("mirror", "cluster:", "--lab", name, "--once")
    finally:
        first.send_signal(signal.SIGINT)
        first.wait(30)
        guard.cancel()
        first.stdout.close()
        if name in Lab.names():
            Lab.open(name).down()

    assert 2 == second.exit_code
    assert f"lab {name}: another netlab mirror has it; end that one, or name another lab with --lab" in second.stderr


@pytest.mark.kernel
def test_a_lab_is_of_its_mirror_until_it_is_removed(
    server: WatchedServer, unique: Callable[..., str], netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another mirror that took the lab before would lose it."""
    name, taken = unique("held"), []
    down = Lab.down

    def ends(lab: Lab) -> None:
        try:
            Claim().take(lab.machine, name)
        except UsageError as error:
            taken.append(str(error))
        down(lab)

    monkeypatch.setattr(Mirror, "follow", lambda self: None)
    monkeypatch.setattr(Lab, "down", ends)
    done = netlab("mirror", "cluster:", "--lab", name, "--rm")

    assert 0 == done.exit_code, done.stderr
    assert [True] == ["another netlab mirror has it" in one for one in taken]
    assert name not in Lab.names()


@pytest.mark.kernel
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("remove", [True, False])
def test_a_signal_ends_it(server: WatchedServer, unique: Callable[..., str], end: signal.Signals, remove: bool) -> None:
    """The lab stays, and a line says how to remove it; with --rm it is gone."""
    name = unique("ends")
    words = [sys.executable, "-u", "-m", "netlab", "mirror", "cluster:", "--lab", name, *(["--rm"] if remove else [])]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    lines: list[str] = []
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if "follows" in line:
                server.put(policy("new"))
            if "in force after" in line and any("/new created" in before for before in lines):
                # The command has printed the change, and waits for the next.
                time.sleep(0.3)
                process.send_signal(end)
        process.wait(30)
    finally:
        guard.cancel()
        process.stdout.close()
        left = name in Lab.names()
        if left:
            Lab.open(name).down()

    assert f"lab {name} follows cluster:prod; Ctrl-C ends this command" in lines
    assert {signal.SIGINT: 0, signal.SIGTERM: 143}[end] == process.returncode, "\n".join(lines)
    assert left is not remove
    assert (f"lab {name}: removed" if remove else f"remove it with: netlab down {name}") in lines[-1]


@pytest.mark.kernel
def test_after_a_kill_nothing_runs_on(server: WatchedServer, unique: Callable[..., str]) -> None:
    """The process that asks the server ends with the command; the lab is there for the next one."""
    name = unique("killed")
    words = [sys.executable, "-u", "-m", "netlab", "mirror", "cluster:", "--lab", name]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "follows" in line:
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                process.kill()
        process.wait(30)
        again = subprocess.run([*words, "--once"], capture_output=True, text=True, cwd=REPOSITORY, check=False)

        assert children
        assert not [child for child in children if _runs(child)]
        assert 0 == again.returncode, again.stderr
        with Lab.open(name) as lab:
            assert [] == lab.drift()
    finally:
        process.stdout.close()
        Lab.open(name).down()


def _runs(child: str) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{child}/status").read_text()
    except FileNotFoundError:
        return False


def test_what_a_cluster_says_is_escaped(server: WatchedServer, netlab: Call) -> None:
    """A name with control characters does not reach the terminal."""
    server.put(one("NetworkPolicy", "x\x1b[31m\n", "shop", "networking.k8s.io/v1", spec={"podSelector": {}}))
    server.put({**one("Pod", "bad\x1b", "shop"), "spec": {"nodeName": "n9"}, "status": {"phase": "Running"}})
    done = netlab("mirror", "cluster:", "--once", "--kernel", "none")

    assert "\x1b" not in done.output
