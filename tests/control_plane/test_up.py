"""The programs that ``netlab control-plane`` starts: their user, and that they start again and end."""

from __future__ import annotations

import functools
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from control_plane.lab_plane import PROGRAMS, WEB, Plane, gone, lacking, running
from waiting import eventually

# How many commands are killed: NETLAB_ROUNDS=20 make test-control-plane
ROUNDS = int(os.environ.get("NETLAB_ROUNDS", "4"))
pytestmark = pytest.mark.kernel(needs=["openssl"])


def test_every_program_runs_and_says_that_it_is_ready(of_lab):
    """`status` has a line for each, with the file of its output."""
    lines = of_lab.netlab("control-plane", "status", "--lab", of_lab.name).stdout.splitlines()

    assert ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "nodes"] == [
        line.split()[0] for line in lines[1:]
    ]
    assert {"Ready"} == {line.split()[1] for line in lines[1:]}
    assert all(Path(line.split()[3]).exists() for line in lines[1:])


def test_the_programs_are_nobody_and_hold_no_capability(of_lab):
    """netlab as the nodes alone has privilege, as it changes the lab."""
    for program in PROGRAMS[:-1]:
        status = Path(f"/proc/{of_lab.process(program)}/status").read_text()

        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "CapEff:\t0000000000000000" in status


def test_they_listen_on_the_loopback_address_only(of_lab):
    """Other machines cannot reach them."""
    shown = subprocess.run(["ss", "-Htlnp"], capture_output=True, text=True, check=True).stdout
    own = [
        line
        for line in shown.splitlines()
        if any(f"pid={of_lab.process(p)}," in line for p in (*PROGRAMS[:-1], "agent"))
    ]

    assert len(own) == 6
    assert all(line.split()[3].startswith("127.0.0.1:") for line in own)


def test_the_kubeconfig_is_private(of_lab):
    """It makes its reader the administrator."""
    assert 0o600 == stat.S_IMODE(of_lab.kubeconfig.stat().st_mode)


def test_up_starts_again_what_was_killed_and_pods_keep_their_addresses(of_lab):
    """Each program of the control plane is killed once, and netlab as the nodes too."""
    before = {one["metadata"]["name"]: one["status"]["podIP"] for one in running(of_lab.pods())}
    for program in (*PROGRAMS[:-1], "agent"):
        os.kill(of_lab.process(program), signal.SIGKILL)
    assert 1 == of_lab.netlab("control-plane", "status", "--lab", of_lab.name, check=False).returncode
    of_lab.up()
    of_lab.kubectl("delete", "pod", next(iter(before)), "-n", "shop", "--timeout=90s")

    after = eventually(lambda: (now := running(of_lab.pods())) and len(now) == 3 and now)
    kept = {one["metadata"]["name"]: one["status"]["podIP"] for one in after if one["metadata"]["name"] in before}
    assert len(kept) == 2
    assert kept.items() <= before.items()


def test_a_command_that_is_killed_can_be_repeated_or_undone(tmp_path):
    """At any moment: the next `up` completes it, and `down` leaves nothing, also of a half-started one."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    draw = random.Random(17)  # noqa: S311
    found = Plane(tmp_path, f"killed-{os.getpid():x}")
    for turn in range(ROUNDS):
        pids = []
        try:
            with found.starting() as command:
                time.sleep(draw.uniform(0.2, 5.0))
                command.kill()
            if turn % 2:
                found.up()
                assert eventually(found.all_ready)
            pids = [found.process(p) for p in (*PROGRAMS[:-1], "agent") if (found.log(p) / "process").exists()]
        finally:
            found.netlab("control-plane", "down", "--lab", found.name, check=False)

        assert eventually(functools.partial(_all_gone, pids))
        assert not Path(f"/run/netlab/{found.name}").exists()
        assert not found.kubeconfig.exists()
        assert found.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


def _all_gone(pids: list[int]) -> bool:
    return all(map(gone, pids))


@pytest.mark.parametrize("words", [("control-plane", "down", "--lab"), ("down",)], ids=" ".join)
def test_down_leaves_nothing(tmp_path, words):
    """No process, no file, no namespace, and no kubeconfig; whichever command it is."""
    found = Plane(tmp_path, f"gone-{os.getpid():x}")
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    try:
        found.up(WEB)
        pids = [found.process(program) for program in (*PROGRAMS[:-1], "agent")]
        eventually(lambda: len(running(found.pods())) == 3)
    except BaseException:
        found.netlab("down", found.name, check=False)
        raise
    assert f"lab/{found.name} deleted\n" == found.netlab(*words, found.name).stdout

    assert eventually(lambda: all(map(gone, pids)))
    assert not Path(f"/run/netlab/{found.name}").exists()
    assert not found.kubeconfig.exists()
    assert found.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
