"""However a command ends, the host is as before, and ``up`` repairs a damaged lab."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_records import record
from iproute2 import ip
from sizes import HANGS
from waiting import eventually

from netlab.kernel import netns, privilege
from netlab.lab import removal
from netlab.lab.record import Record

REPOSITORY = Path(__file__).parents[2]
SHOP = ("-f", "examples/shop")
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """Start netlab in a process of its own and go on."""
    command = [sys.executable, "-m", "netlab", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def traces(lab: str) -> list[str]:
    """The mounts, files and processes on the host with the lab's name."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if lab in line]
    files = [str(p) for place in (netns.DIRECTORY, record.directory) if place.is_dir() for p in place.glob(f"*{lab}*")]
    return mounts + files


def own_namespace() -> tuple[str, ...]:
    """What the host's own network namespace holds: links, addresses, routes, rules and settings."""
    commands = (
        "ip -o link",
        "ip -o addr",
        "ip route show table all",
        "nft list ruleset",
        "sysctl -a -r ^net.ipv[46].conf",
    )
    run = [subprocess.run(c.split(), capture_output=True, text=True, check=False).stdout for c in commands]
    # Lifetimes of addresses count down by themselves.
    return tuple("\n".join(line for line in text.splitlines() if "valid_lft" not in line) for text in run)


@pytest.fixture
def lab(unique: Callable[[str], str], program: Program) -> Iterator[str]:
    """A name for a lab that is removed afterwards, should it be there."""
    name = unique("rec")
    yield name
    program("down", name)


def test_down_removes_what_a_command_left_that_was_killed_before_it_wrote_the_record(
    lab: str, program: Program, shared_lab: str
) -> None:
    """There is no such lab; its folder and its lock go although another lab runs."""
    record.store.folder(lab).mkdir(mode=0o700)
    record.store.files_of(lab)[1].touch(0o600)
    done = program("down", lab)

    assert (2, []) == (done.returncode, traces(lab))
    assert f"no lab '{lab}' is running (running: " in done.stderr
    assert shared_lab in done.stderr


# Python and the input take 0.25 s or more, what follows 0.05 s: most kills fall in or about it.
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("command", ["up", "apply", "down"])
def test_a_killed_command_leaves_what_down_removes(lab: str, program: Program, command: str, seed: int) -> None:
    """SIGKILL at any moment of a command leaves nothing that ``down`` does not find."""
    if command != "up":
        program("up", *SHOP, "--lab", lab)
    arguments = {
        "up": ("up", *SHOP, "--lab", lab),
        "apply": (
            "apply",
            "-f",
            "scenarios/manifests/dns-only.yaml",
            "-f",
            "scenarios/manifests/attachments.yaml",
            "--lab",
            lab,
        ),
        "down": ("down", lab),
    }
    running = start(*arguments[command])
    time.sleep(random.Random(seed).uniform(0.1, 0.45))  # noqa: S311  not for secrets
    running.send_signal(signal.SIGKILL)
    running.wait()
    program("down", lab)

    assert [] == traces(lab)


def _kill_at(step: str, name: str) -> str:
    """A program that brings the shop up and is killed when it comes to a step of the building."""
    return f"""
import os, signal
from netlab.kernel.linux import Linux
from netlab.lab.lab import Lab
from netlab.objects import load
real = Linux.{step}
def die(self, *rest):
    if "{step}" == "create":
        real(self, list(rest[0])[:3])
    os.kill(os.getpid(), signal.SIGKILL)
Linux.{step} = die
Lab.up(load(["examples/shop"])[0], name="{name}")
"""


@pytest.mark.parametrize("step", ["create", "nft", "apply", "wait_until_ready"])
def test_a_kill_between_two_steps_leaves_what_down_removes(lab: str, program: Program, step: str) -> None:
    """Each step of the building is a moment at which a lab is half there; its record names all of it."""
    died = subprocess.run([sys.executable, "-c", _kill_at(step, lab)], cwd=REPOSITORY, check=False)
    half = traces(lab)
    down = program("down", lab)

    assert -signal.SIGKILL == died.returncode
    assert half
    assert 0 == down.returncode
    assert [] == traces(lab)


def test_up_finishes_what_a_killed_up_began(lab: str, program: Program) -> None:
    """A half-built lab is not an obstacle: ``up`` brings it to its input, and packets agree."""
    subprocess.run([sys.executable, "-c", _kill_at("apply", lab)], cwd=REPOSITORY, check=False)
    up = program("up", *SHOP, "--lab", lab)
    verify = program("verify", "--lab", lab)

    assert (0, "") == (up.returncode, "".join(line for line in up.stderr.splitlines() if "Error" in line))
    assert 0 == verify.returncode, verify.stdout


def test_the_hosts_own_namespace_is_untouched_while_a_lab_runs(lab: str, program: Program) -> None:
    """No link, address, route, rule or setting of the host's own network changes, neither during nor after."""
    before = own_namespace()
    program("up", *SHOP, "--lab", lab)
    program("verify", "--lab", lab)
    during = own_namespace()
    program("down", lab)

    assert before == during == own_namespace()
    assert [] == traces(lab)


DAMAGES = {
    "a port": "ip link delete {port}",
    "a bridge": "ip link delete br-default",
    "a lowered port": "ip link set {port} down",
    "an address": "ip addr flush dev br-default",
    "all routes": "ip route flush table main",
    "a neighbour": "ip neigh flush dev br-default nud permanent",
    "a setting": "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
    "a table": "nft delete table inet netlab",
    "a rule": "nft flush chain inet netlab forward",
    "an element": "nft flush map inet netlab in4",
}


@pytest.fixture(scope="module")
def broken_lab(program: Program) -> Iterator[str]:
    """A lab that tests break; each builds it with ``up`` first."""
    name = f"cli-{os.getpid():x}-broken"
    yield name
    program("down", name)


@pytest.mark.parametrize("damage", DAMAGES)
def test_up_repairs_what_a_user_broke(broken_lab: str, program: Program, damage: str) -> None:
    """``up`` with the same input restores what is missing; a second one changes nothing."""
    lab = broken_lab
    program("up", *SHOP, "--lab", lab)
    node = f"netlab.{lab}.node.node-1"
    with netns.inside(node):
        port = next(link["ifname"] for link in ip("link") if link["ifname"].startswith("veth"))
        subprocess.run(DAMAGES[damage].format(port=port).split(), check=True)
    drift = program("get", "labs", lab, "-o", "wide").stdout.splitlines()[1].split()[4]
    repair = program("up", *SHOP, "--lab", lab)
    again = program("up", *SHOP, "--lab", lab)
    verify = program("verify", "--lab", lab)

    assert int(drift) > 0
    assert 0 == repair.returncode, repair.stderr
    assert "unchanged" not in repair.stderr
    assert f"lab {lab}: unchanged\n" == again.stderr
    assert 0 == verify.returncode, verify.stdout


def test_up_repairs_a_pods_namespace(lab: str, program: Program) -> None:
    """A namespace that was unpinned, and one whose interface and route are gone, are made again."""
    program("up", *SHOP, "--lab", lab)
    subprocess.run(["ip", "netns", "delete", f"netlab.{lab}.pod.shop.web-0"], check=True)
    with netns.inside(f"netlab.{lab}.pod.shop.api-0"):
        subprocess.run(["ip", "route", "delete", "default"], check=True)
    repair = program("up", *SHOP, "--lab", lab)
    verify = program("verify", "--lab", lab)

    assert 0 == repair.returncode, repair.stderr
    assert 0 == verify.returncode, verify.stdout


def test_down_of_one_of_two_labs_leaves_the_other(lab: str, program: Program, unique: Callable[[str], str]) -> None:
    """Two labs with the same addresses do not know of one another."""
    other = unique("two")
    try:
        program("up", *SHOP, "--lab", lab)
        program("up", *SHOP, "--lab", other)
        down = program("down", lab)
        verify = program("verify", "--lab", other)
    finally:
        program("down", other)

    assert (0, 0) == (down.returncode, verify.returncode)


def test_concurrent_commands_on_one_lab_wait_for_one_another(lab: str, program: Program) -> None:
    """Four commands that bring up the same lab at once all succeed, and the lab is whole."""
    running = [start("up", *SHOP, "--lab", lab) for _ in range(4)]
    codes = [process.wait(timeout=60) for process in running]
    verify = program("verify", "--lab", lab)

    assert [0] * 4 == codes
    assert 0 == verify.returncode, verify.stdout


def test_a_command_that_reads_drift_is_not_ended_by_a_removal(lab: str, program: Program) -> None:
    """``down`` ends programs inside the lab. A command that reads the namespaces waits for it and finds no lab."""
    program("up", *SHOP, "--lab", lab)
    with record.locked(lab):
        looking = start("get", "labs", lab, "-o", "wide")
        pause: Any = time.sleep
        waiting = any(has_open(looking.pid, record.directory / f"{lab}.lock") or pause(0.01) for _ in range(1000))
        removal.remove_everything(lab)

    assert waiting
    assert 2 == looking.wait(timeout=HANGS)


def has_open(pid: int, path: Path) -> bool:
    """Say whether a process has a file open: a lock that is held by another one is waited for with its file open."""
    with contextlib.suppress(OSError):
        return str(path) in [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return False


def test_a_lab_from_before_a_reboot_is_cleared_away_by_the_next_command(lab: str, program: Program) -> None:
    """Its record names another boot: its files are removed, and the lab can be built anew."""
    record.prepare()
    record.save(Record(lab, (), namespaces=(f"netlab.{lab}.node.node-1",)))
    for file in record.path(lab).parent.iterdir():
        file.write_text(file.read_text().replace(privilege.boot_id(), "another"))
    listed = program("get", "labs")

    assert lab not in listed.stdout
    assert [] == traces(lab)


def test_down_ends_what_runs_inside(lab: str, program: Program) -> None:
    """A server that was left running in a pod does not outlive its lab."""
    program("up", *SHOP, "--lab", lab)
    server = start("exec", "shop/web-0", "--lab", lab, "--", "sleep", "600")
    inode = netns.inode(f"netlab.{lab}.pod.shop.web-0")
    # The process enters the namespace of the pod, and is the program after that.
    eventually(lambda: Path(f"/proc/{server.pid}/comm").read_text() == "sleep\n")
    assert f"net:[{inode}]" == os.readlink(f"/proc/{server.pid}/ns/net")
    down = program("down", lab)

    assert 0 == down.returncode
    assert -signal.SIGTERM == server.wait(timeout=HANGS)


def test_a_full_disk_builds_nothing(lab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the record cannot be written, nothing is made that it would have named."""
    from netlab.errors import HostError
    from netlab.lab.lab import Lab
    from netlab.objects import load

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(HostError, match="No space left"):
        Lab.up(load([str(REPOSITORY / "examples/shop")])[0], name=lab)
    monkeypatch.undo()

    assert [] == traces(lab)
