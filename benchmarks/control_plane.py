"""A real control plane in front of a lab: its start, a policy, and a Deployment of many pods.

It needs the programs of Kubernetes, as ``netlab control-plane up`` finds them.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import manifests
from benchmarks.figures import Options, Ratio, Result, Row
from netlab.control_plane import plane, settings, starting
from netlab.control_plane.api import Client
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.kernel import kubernetes_programs
from netlab.lab.lab import Lab

ABOUT = "a real control plane with three nodes: its start, 50 policies by packets, and a Deployment of 500 pods"

_LAB, _ROUNDS, _PODS = "planes", 50, 500
_PORT, _BETWEEN, _SILENCE = 5000, 0.001, 0.1
_UP, _POLICY, _RUNNING = "control-plane up", "a policy: answer of the API server to the last packet", "500 pods ready"
_CASE = "3 nodes, Kubernetes on this host"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/bench/deployments"
_POLICIES = "/apis/networking.k8s.io/v1/namespaces/bench/networkpolicies"


def run(options: Options) -> Result:
    """Start a control plane, apply and delete a policy in turns, and scale a Deployment."""
    try:
        kubernetes_programs.find()
    except HostError as error:
        return Result("control-plane", ABOUT, (), notes=(str(error),))
    # The namespace of the benchmarks has a loopback that is down.
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607  wherever PATH has it
    with tempfile.TemporaryDirectory() as folder:
        objects = manifests.objects([manifests.topology(_LAB, 3), _namespace(), _deployment(2)])
        wishes = starting.Wishes(kubeconfig=f"{folder}/kubeconfig")
        try:
            started = plane.up(objects, _LAB, wishes)
            return _measured(started.seconds, options.rounds or _ROUNDS, _PODS)
        finally:
            plane.down(_LAB)


def _measured(up: float, rounds: int, pods: int) -> Result:
    with Lab.open(_LAB) as lab:
        found = settings.read(lab.machine, _LAB)
        assert found is not None
        client = Client(settings.folder(lab.machine, _LAB) / "pki", "admin", found.ports.apiserver)
        _until(lambda: _ready(client) == 2)
        with lab.held(shared=True):
            one, two = (pod for pod in lab.cluster.pods if pod.namespace == "bench")
            spaces = [names.pod_namespace(_LAB, pod) for pod in (one, two)]
        with _packets(lab, spaces, str(two.addresses[0])) as last:
            delays = [_policy(client, last) for _ in range(rounds)]
    began = time.perf_counter()
    client.merge(f"{_DEPLOYMENTS}/web", {"spec": {"replicas": pods}})
    _until(lambda: _ready(client) == pods)
    took = time.perf_counter() - began
    rows = (
        Row(_CASE, _UP, "s", (up,)),
        Row(_CASE, _POLICY, "ms", tuple(delay * 1000 for delay in delays)),
        Row(_CASE, _RUNNING, "s", (took,)),
    )
    ratios = (
        Ratio("s to start", up, "< 15"),
        Ratio("ms for a policy, the median", rows[1].median, "< 200"),
        Ratio("s for 500 pods", took, "< 60"),
    )
    return Result("control-plane", ABOUT, rows, ratios)


def _policy(client: Client, last: Callable[[], float]) -> float:
    """Apply a policy that denies; return how long after the server's answer a packet still arrived."""
    _until(lambda: time.perf_counter() - last() < _SILENCE)
    client.post(_POLICIES, _deny())
    answered = time.perf_counter()
    _until(lambda: time.perf_counter() - last() > _SILENCE)
    delay = max(0.0, last() - answered)
    client.delete(f"{_POLICIES}/deny")
    return delay


@contextmanager
def _packets(lab: Lab, spaces: list[str], target: str) -> Iterator[Callable[[], float]]:
    """Send a packet of a new connection each millisecond; yield a function with the time of the last that arrived."""
    ended, arrived = threading.Event(), [0.0]

    def send() -> None:
        with lab.machine.inside(spaces[0]):
            while not ended.wait(_BETWEEN):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                    one.sendto(b"x", (target, _PORT))

    def receive() -> None:
        with lab.machine.inside(spaces[1]), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((target, _PORT))
            one.settimeout(_SILENCE)
            while not ended.is_set():
                try:
                    one.recv(10)
                    arrived[0] = time.perf_counter()
                except TimeoutError:
                    continue

    threads = [threading.Thread(target=work) for work in (receive, send)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: arrived[0]
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _ready(client: Client) -> int:
    return int(client.get(f"{_DEPLOYMENTS}/web").get("status", {}).get("readyReplicas", 0))


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not true():
        assert time.monotonic() < until
        time.sleep(_BETWEEN)


def _namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}


def _deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "c", "image": "none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "bench"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _deny() -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "bench"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
