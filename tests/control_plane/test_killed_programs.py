"""Any program of a control plane is killed at any moment: it recovers, or it is removed, and nothing is left."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane.lab_plane import PROGRAMS, SERVICE, WEB, Plane, gone, lacking, running
from waiting import eventually

from netlab.lab.lab import Lab

# NETLAB_ROUNDS=20 make test-control-plane
ROUNDS = int(os.environ.get("NETLAB_ROUNDS", "4"))
SEED = int(os.environ.get("NETLAB_SEED", "17"))
VICTIMS = (*PROGRAMS[:-1], "agent", "up")
# Longer than any recovery takes on a loaded machine.
LONG = 90.0
DENY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}
pytestmark = [pytest.mark.kernel(needs=["openssl"]), pytest.mark.timeout(120 * ROUNDS)]


def test_rounds_of_kill_recover_or_leave_nothing(tmp_path):
    """Each round kills one program while pods come and go; then ``up`` repairs it, or ``down`` removes it."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    draw = random.Random(SEED)  # noqa: S311
    # Each program in turn, in an order of the seed.
    victims = [one for _ in range(0, ROUNDS, len(VICTIMS)) for one in draw.sample(VICTIMS, len(VICTIMS))][:ROUNDS]
    found: Plane | None = None
    try:
        for turn, victim in enumerate(victims):
            if found is None:
                found = Plane(tmp_path, f"rounds-{os.getpid():x}")
                found.up(WEB, SERVICE)
                settled(found, 3)
            pids = {one: found.process(one) for one in VICTIMS[:-1]}
            print(f"round {turn}: {victim}", flush=True)
            with working(found, draw):
                time.sleep(draw.uniform(0.0, 1.0))
                kill(found, victim, draw)
                time.sleep(draw.uniform(0.0, 1.0))
            if draw.random() < 1 / 3 or turn == len(victims) - 1:
                pids |= {one: pid for one in VICTIMS[:-1] if (pid := pid_of(found, one))}
                removed(found, list(pids.values()))
                found = None
            else:
                repaired(found, draw)
    finally:
        if found is not None:
            found.netlab("control-plane", "down", "--lab", found.name, check=False)


@contextlib.contextmanager
def working(plane: Plane, draw: random.Random) -> Iterator[None]:
    """Scale the Deployment up and down and change a policy during a block, whatever the API server answers."""
    numbers = "; ".join(
        f"kubectl scale deployment web -n shop --replicas={draw.randint(0, 8)}; "
        f"kubectl {verb} -f policy.json; kubectl rollout restart deployment/web -n shop"
        for verb in ("apply", "delete") * 20
    )
    (plane.folder / "policy.json").write_text(json.dumps(DENY))
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
    null = subprocess.DEVNULL
    with subprocess.Popen(
        ["sh", "-c", numbers], cwd=plane.folder, env=environment, stdout=null, stderr=null, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def kill(plane: Plane, victim: str, draw: random.Random) -> None:
    """Kill a program; ``up`` is killed while it repairs what was killed before."""
    if victim != "up":
        os.kill(plane.process(victim), signal.SIGKILL)
        return
    os.kill(plane.process(draw.choice(VICTIMS[:-1])), signal.SIGKILL)
    with plane.starting() as command:
        time.sleep(draw.uniform(0.2, 4.0))
        command.kill()


def repaired(plane: Plane, draw: random.Random) -> None:
    """Repair by ``up``, and see that all works: controllers, scheduler, pods, policies and packets."""
    plane.again()
    assert eventually(plane.all_ready)
    plane.kubectl("delete", "networkpolicy", "deny", "-n", "shop", "--ignore-not-found")
    number = draw.randint(2, 6)
    plane.kubectl("scale", "deployment", "web", "-n", "shop", f"--replicas={number}")
    plane.kubectl("rollout", "status", "deployment/web", "-n", "shop", f"--timeout={LONG:g}s")
    first, second = settled(plane, number)[:2]
    assert eventually(lambda: plane.verdict(first, second) == "allow")
    plane.apply(DENY)
    assert eventually(lambda: plane.verdict(first, second) == "deny")
    plane.kubectl("delete", "networkpolicy", "deny", "-n", "shop")


def settled(plane: Plane, number: int) -> list[str]:
    """Wait until so many pods run, and the lab has these and no others; return them."""

    def same() -> list[str]:
        pods = plane.pods()
        names = {f"shop/{one['metadata']['name']}" for one in running(pods)}
        with Lab.open(plane.name) as lab, lab.held(shared=True):
            have = {pod.ref: pod for pod in lab.cluster.pods if pod.namespace == "shop"}
            addresses = {f"shop/{one['metadata']['name']}": one["status"].get("podIP") for one in pods}
            told = all(str(pod.addresses[0]) == addresses.get(ref) for ref, pod in have.items())
        return sorted(names) if len(pods) == number and names == have.keys() and told else []

    found: list[str] = eventually(same, LONG)
    with Lab.open(plane.name) as lab:
        assert [] == lab.drift()
    return found


def pid_of(plane: Plane, program: str) -> int | None:
    try:
        return plane.process(program)
    except (OSError, IndexError):
        return None


def removed(plane: Plane, pids: list[int]) -> None:
    """Remove it, and see that nothing is left: no process, no file, no namespace, and no kubeconfig."""
    plane.netlab("control-plane", "down", "--lab", plane.name)
    assert eventually(functools.partial(all_gone, pids))
    assert not Path(f"/run/netlab/{plane.name}").exists()
    assert not plane.kubeconfig.exists()
    assert plane.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert [] == of_lab(plane.name)


def all_gone(pids: list[int]) -> bool:
    return all(map(gone, pids))


def of_lab(name: str) -> list[str]:
    """Return the processes that name the lab, but for this one."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if name in words and int(place.name) != os.getpid():
                found.append(words)
    return found
