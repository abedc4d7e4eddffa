"""Nodes and pods fail in a lab with a real control plane: its controllers notice, and replace pods."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from control_plane.lab_plane import SERVICE, WEB, Plane, lacking, running
from waiting import eventually

from netlab.cluster import Pod
from netlab.lab.lab import Lab

# Seconds: a node without heartbeat is NotReady after the first, and its pods are replaced after the second.
GRACE, TOLERATED = 4, 2
# The controller looks every GRACE / 4, and a loaded machine needs its time.
SOON = 30.0
TIMES = (
    f"--node-monitor-grace-period={GRACE}",
    f"--default-not-ready-toleration-seconds={TOLERATED}",
    f"--default-unreachable-toleration-seconds={TOLERATED}",
)
ONE_EACH = [
    {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
]
CLIENT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "client", "namespace": "shop", "labels": {"app": "client"}},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x"}]},
}
# Nothing evicts it, however long its node is stopped.
STAYS = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stays", "namespace": "shop", "labels": {"app": "stays"}},
    "spec": {"nodeName": "n3", "tolerations": [{"operator": "Exists"}], "containers": [{"name": "c", "image": "x"}]},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": 80}]}],
    },
}
pytestmark = pytest.mark.kernel(needs=["openssl"])


def spread(one: dict[str, Any]) -> dict[str, Any]:
    """Return a workload whose pods are on different nodes."""
    template = one["spec"]["template"]
    spec = {**template["spec"], "topologySpreadConstraints": ONE_EACH}
    return {**one, "spec": {**one["spec"], "template": {**template, "spec": spec}}}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane whose controllers wait for seconds, and not for minutes."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path_factory.mktemp("failing"), f"fail-{os.getpid():x}", TIMES)
    try:
        found.up(spread(WEB), SERVICE, CLIENT, STAYS, POLICY)
        yield found
    finally:
        found.netlab("down", found.name, check=False)


@pytest.fixture
def failing(quick: Plane) -> Iterator[Plane]:
    """That control plane, with three pods on three nodes; its nodes run again afterwards."""
    eventually(lambda: settled(quick))
    yield quick
    for name in ("n1", "n2", "n3"):
        quick.netlab("node", "start", name, "--lab", quick.name)
        quick.kubectl("uncordon", name)


def settled(plane: Plane) -> bool:
    """Return whether all nodes are ready and have a pod each. The controllers remove the taint some time later."""
    nodes = plane.get("nodes")["items"]
    well = all(condition(one, "Ready") == "True" and not one["spec"].get("taints") for one in nodes)
    return well and (places(plane).keys() == {"n1", "n2", "n3"} or again(plane))


def again(plane: Plane) -> bool:
    """Let the scheduler place a pod anew that is on a node with another one."""
    found = web(plane)
    kept = {one["spec"]["nodeName"]: one["metadata"]["name"] for one in found}
    more = [name for one in found if (name := one["metadata"]["name"]) not in kept.values()]
    if len(found) == 3 and more:
        plane.kubectl("delete", "pod", more[0], "-n", "shop")
    return False


def web(plane: Plane) -> list[dict[str, Any]]:
    """Return the pods of the Deployment that run."""
    return [one for one in running(plane.pods()) if one["metadata"]["labels"].get("app") == "web"]


def places(plane: Plane) -> dict[str, str]:
    """Return the name of the Deployment's pod on each node."""
    return {one["spec"]["nodeName"]: one["metadata"]["name"] for one in web(plane)}


def ready(plane: Plane) -> dict[str, bool]:
    """Return whether each node is ready."""
    found = plane.get("nodes")["items"]
    return {one["metadata"]["name"]: condition(one, "Ready") == "True" for one in found}


def condition(one: dict[str, Any], kind: str) -> str:
    return next((c["status"] for c in one["status"].get("conditions") or () if c["type"] == kind), "")


def endpoints(plane: Plane) -> set[str]:
    """Return the pods that are ready endpoints of the Service."""
    slices = plane.get("endpointslices", "-n", "shop")["items"]
    return {e["targetRef"]["name"] for s in slices for e in s["endpoints"] or () if e["conditions"]["ready"]}


class Asked:
    """What became of connections to the Service, one after the other.

    ``made``: a program accepted it. ``refused``: nothing listens yet in a pod that has begun. ``lost``: no answer.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[float, str]] = []

    def count(self, what: str, first: float, last: float) -> int:
        """Return how many were asked between two times, and became this."""
        return sum(one == what and first <= when <= last for when, one in self.answers)


_ASK = """
import socket, sys, time
until = time.monotonic() + 120
while time.monotonic() < until:
    began = time.monotonic()
    try:
        socket.create_connection((sys.argv[1], 80), timeout=0.5).close()
        made = "made"
    except ConnectionRefusedError:
        made = "refused"
    except OSError:
        made = "lost"
    print(began, made, flush=True)
    time.sleep(0.02)
"""


@contextmanager
def asking(plane: Plane) -> Iterator[Asked]:
    """Ask the Service from the client during a block; what listens in the pods is netlab's own program."""
    address = plane.get("service", "web", "-n", "shop")["spec"]["clusterIP"]
    words = ["exec", "--lab", plane.name, "shop/client", "--", sys.executable, "-c", _ASK, address]
    found = Asked()
    process = subprocess.Popen(
        [sys.executable, "-m", "netlab", *words], cwd=plane.folder, stdout=subprocess.PIPE, text=True
    )

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if not line.endswith("\n"):
                    # It was ended while it wrote.
                    return
                when, made = line.split()
                found.answers.append((float(when), made))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: found.answers)
        yield found
    finally:
        process.terminate()
        process.wait()
        reader.join()


class Listening:
    """Programs that accept connections in the Deployment's pods, also in those that begin later."""

    def __init__(self, plane: Plane) -> None:
        self._plane, self._lab = plane, Lab.open(plane.name)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        from netlab.lab.listeners import Listening as Programs

        programs = Programs(self._lab)
        try:
            while not self._stopped.wait(0.05):
                with self._lab.held(shared=True):
                    pods = [pod for pod in self._lab.cluster.pods if pod.labels.get("app") == "web"]
                    programs.also((pod, 80) for pod in pods)
        finally:
            programs.end()


def test_a_deployment_survives_a_stopped_node(failing):
    """The controllers notice after the grace period and replace the pod after the toleration.

    The Service answers throughout, but for the time until the controllers notice: until then a part of the connections
    goes to the pod that is cut off.
    """
    before = places(failing)
    with Listening(failing), asking(failing) as asked:
        eventually(lambda: asked.answers[-1][1] == "made")
        began = time.monotonic()
        said = failing.netlab("node", "stop", "n2", "--lab", failing.name).stderr
        cut = time.monotonic()
        assert ready(failing)["n2"] or time.monotonic() - began >= GRACE - 1
        eventually(lambda: not ready(failing)["n2"], SOON)
        eventually(lambda: before["n2"] not in endpoints(failing), SOON)
        eventually(lambda: not ready_in_lab(failing, f"shop/{before['n2']}"))
        noticed = time.monotonic()
        eventually(lambda: len(web(failing)) == 3 and before["n2"] not in places(failing).values(), SOON)
        replaced = time.monotonic()
        eventually(lambda: len(endpoints(failing)) == 3, SOON)
        new = next(pod for pod in web(failing) if pod["metadata"]["name"] not in before.values())
        failing.netlab("node", "start", "n2", "--lab", failing.name)
        eventually(lambda: all(ready(failing).values()), SOON)
        eventually(lambda: before["n2"] not in {one["metadata"]["name"] for one in failing.pods()}, SOON)
        time.sleep(0.5)
        done = time.monotonic()
    assert f"NotReady for its controllers after {GRACE} seconds, and its pods are replaced {TOLERATED} seconds" in said
    lost = asked.count("lost", began, noticed)
    made = asked.count("made", began, noticed)
    print(f"noticed after {noticed - cut:.1f} s, replaced after {replaced - cut:.1f} s; lost {lost} of {lost + made}")

    assert lost
    assert made
    # A connection that began just before is lost just after, and a busy machine takes a while to change the rules.
    assert 0 == asked.count("lost", noticed + 2, done)
    assert new["spec"]["nodeName"] != "n2"
    assert "allow" == failing.verdict("shop/client", f"shop/{new['metadata']['name']}")
    assert "deny" == failing.verdict(f"shop/{before['n1']}", f"shop/{new['metadata']['name']}")
    with Lab.open(failing.name) as lab:
        assert [] == lab.drift()


def test_a_stopped_node_is_off_for_kubectl_too(failing):
    """The API server does not reach its kubelet. Other nodes answer, and after the start this one does again."""
    before = places(failing)
    command = ("-n", "shop", "--", "/bin/true")
    assert eventually(lambda: execute(failing, "stays", *command) == "")
    failing.netlab("node", "stop", "n3", "--lab", failing.name)

    assert eventually(lambda: "node n3 is stopped" in execute(failing, "stays", *command))
    assert "" == execute(failing, before["n2"], *command)
    failing.netlab("node", "start", "n3", "--lab", failing.name)
    assert eventually(lambda: execute(failing, "stays", *command) == "")


def test_a_stopped_node_breaks_off_what_kubectl_had_open_there(failing):
    """A program of ``kubectl exec`` and a follower of logs; those of other nodes go on."""
    before = places(failing)
    ask = ["kubectl", "--kubeconfig", str(failing.kubeconfig), "-n", "shop"]
    words = {node: ("exec", before[node], "--", "sleep", "300") for node in ("n2", "n3")}
    with (
        subprocess.Popen([*ask, *words["n3"]], stderr=subprocess.DEVNULL) as there,
        subprocess.Popen([*ask, "logs", "-f", before["n3"]], stderr=subprocess.DEVNULL) as follower,
        subprocess.Popen([*ask, *words["n2"]], stderr=subprocess.DEVNULL) as elsewhere,
    ):
        try:
            spaces = [f"netlab.{failing.name}.pod.shop.{before[node]}" for node in words]
            with Lab.open(failing.name) as lab:
                eventually(lambda: len(lab.machine.occupied_by_programs(spaces, 0)) == len(spaces))
            failing.netlab("node", "stop", "n3", "--lab", failing.name)
            assert 0 != there.wait(SOON)
            follower.wait(SOON)
            assert elsewhere.poll() is None
        finally:
            for one in (there, follower, elsewhere):
                one.kill()


def execute(plane: Plane, pod: str, *words: str) -> str:
    return plane.kubectl("exec", pod, *words, check=False)


def test_a_node_that_comes_back_in_time_keeps_its_pods(failing):
    """Nothing is replaced."""
    before = eventually(lambda: off_in_time(failing))

    assert eventually(lambda: all(ready(failing).values()))
    assert before == places(failing)
    assert eventually(lambda: {*before.values()} == endpoints(failing))
    assert "allow" == failing.verdict("shop/client", f"shop/{before['n2']}")


def off_in_time(plane: Plane) -> dict[str, str]:
    """Stop n2 for less than the grace period; return the pods before, or nothing if the machine took too long."""
    eventually(lambda: settled(plane))
    before = places(plane)
    began = time.monotonic()
    plane.netlab("node", "stop", "n2", "--lab", plane.name)
    time.sleep(max(0.0, began + GRACE / 4 - time.monotonic()))
    plane.netlab("node", "start", "n2", "--lab", plane.name)
    took = time.monotonic() - began
    time.sleep(GRACE + TOLERATED)
    return before if took <= GRACE - 1 else {}


def test_programs_of_a_stopped_node_go_on(failing):
    """A kubelet that is cut off still reaches its own pods, so no probe fails, and no program starts anew.

    It hears of no deletion until the node starts.
    """
    for name in ("probed", "deleted"):
        failing.apply(program(name))
    space = f"netlab.{failing.name}.pod.shop.deleted"
    try:
        eventually(lambda: serves(failing, "probed") and serves(failing, "deleted"))
        before = restarts(failing)
        failing.netlab("node", "stop", "n2", "--lab", failing.name)
        failing.kubectl("delete", "pod", "deleted", "-n", "shop", "--wait=false")
        eventually(lambda: not ready(failing)["n2"], SOON)
        with Lab.open(failing.name) as lab:
            assert {space} == lab.machine.occupied_by_programs([space], 0)
        failing.netlab("node", "start", "n2", "--lab", failing.name)
        eventually(lambda: pod_of(failing, "deleted", alive=False) is None, SOON)
        eventually(lambda: serves(failing, "probed"), SOON)

        assert before == restarts(failing)
    finally:
        kill = ("--force", "--grace-period=0", "--ignore-not-found")
        failing.kubectl("delete", "pod", "probed", "deleted", "-n", "shop", *kill)


def restarts(plane: Plane) -> int:
    """Return how often the program of the pod that is probed was started anew."""
    return int(pod_of(plane, "probed")["status"]["containerStatuses"][0]["restartCount"])


def serves(plane: Plane, name: str) -> bool:
    """Return whether a pod runs and is ready."""
    found = pod_of(plane, name)
    return found is not None and condition(found, "Ready") == "True"


def program(name: str) -> dict[str, Any]:
    """Return a pod on n2 that stays there, with a program that has to answer its probes each second."""
    every = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    probes = {"livenessProbe": {**every, "failureThreshold": 3}, "readinessProbe": every}
    container = {"name": "c", "image": "agnhost", "command": ["/agnhost", "netexec"], **probes}
    spec = {"nodeName": "n2", "tolerations": [{"operator": "Exists"}], "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def test_a_killed_agent_leaves_a_stopped_node_stopped(failing):
    """The lab itself knows which nodes are stopped, so what begins again does not say that they are ready."""
    failing.netlab("node", "stop", "n3", "--lab", failing.name)
    eventually(lambda: not ready(failing)["n3"], SOON)
    os.kill(failing.process("agent"), signal.SIGKILL)
    failing.again()
    time.sleep(GRACE)

    assert eventually(lambda: ready(failing) == {"n1": True, "n2": True, "n3": False})
    with Lab.open(failing.name) as lab:
        assert {"n3"} == lab.cluster.stopped_nodes


def test_a_pod_of_a_stateful_set_waits_for_its_node_or_for_its_kill(failing):
    """Two pods of one name must not run, so the controller waits until the first is known to be gone."""
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    selector = {"matchLabels": {"app": "db"}}
    metadata = {"name": "db", "namespace": "shop"}
    spec = {"replicas": 1, "serviceName": "db", "selector": selector, "template": template}
    failing.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})
    try:
        first = eventually(lambda: pod_of(failing, "db-0"))
        node = first["spec"]["nodeName"]
        failing.netlab("node", "stop", node, "--lab", failing.name)
        eventually(lambda: "deletionTimestamp" in pod_of(failing, "db-0", alive=False)["metadata"], SOON)
        time.sleep(1)
        assert first["metadata"]["uid"] == pod_of(failing, "db-0", alive=False)["metadata"]["uid"]
        with Lab.open(failing.name) as lab:
            assert node == node_of(lab, "shop/db-0")
        done = failing.netlab("pod", "kill", "shop/db-0", "--lab", failing.name)
        assert f"pod/shop/db-0 ended on {node}\n" == done.stdout
        second = eventually(lambda: pod_of(failing, "db-0"))
        assert second["spec"]["nodeName"] != node
        with Lab.open(failing.name) as lab:
            assert second["spec"]["nodeName"] == node_of(lab, "shop/db-0")
    finally:
        failing.kubectl("delete", "statefulset", "db", "-n", "shop")


def ready_in_lab(plane: Plane, ref: str) -> bool:
    with Lab.open(plane.name) as lab, lab.held(shared=True):
        return any(pod.ref == ref and pod.ready for pod in lab.cluster.pods)


def node_of(lab: Lab, ref: str) -> str:
    pod = lab.cluster.by_ref[ref]
    assert isinstance(pod, Pod)
    return pod.node


def pod_of(plane: Plane, name: str, *, alive: bool = True) -> Any:
    """Return a pod of a name, or None; by default only one that runs and is not to end."""
    found = [one for one in plane.pods() if one["metadata"]["name"] == name]
    return next(iter(running(found) if alive else found), None)


def test_a_killed_pod_is_replaced_and_its_programs_end(failing):
    """A PodDisruptionBudget does not prevent it, as it prevents no death."""
    before = places(failing)
    failing.apply(budget(3))
    program = ["kubectl", "--kubeconfig", str(failing.kubeconfig), "exec", "-n", "shop", before["n2"], "--"]
    space = f"netlab.{failing.name}.pod.shop.{before['n2']}"
    try:
        with subprocess.Popen([*program, "sleep", "300"], stderr=subprocess.DEVNULL) as process:
            with Lab.open(failing.name) as lab:
                eventually(lambda: lab.machine.occupied_by_programs([space], 0))
            failing.netlab("pod", "kill", f"shop/{before['n2']}", "--lab", failing.name)
            with Lab.open(failing.name) as lab:
                assert f"shop/{before['n2']}" not in lab.cluster.by_ref
                assert not lab.machine.exists(space)
            assert 0 != process.wait(90)
    finally:
        failing.kubectl("delete", "pdb", "web", "-n", "shop")
    assert eventually(lambda: len(web(failing)) == 3 and before["n2"] not in places(failing).values(), SOON)


def test_a_pod_that_does_not_exist_is_not_killed(failing):
    """Exit code 2, with the name."""
    done = failing.netlab("pod", "kill", "shop/nobody", "--lab", failing.name, check=False)

    assert 2 == done.returncode
    assert "shop/nobody" in done.stderr


def budget(least: int) -> dict[str, Any]:
    """Return a budget that keeps so many pods of the Deployment."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}},
    }


def test_kubectl_drains_a_node_as_budgets_allow(failing):
    """Eviction is refused while a budget forbids it; afterwards the node is empty and takes no pod until uncordon."""
    before = places(failing)
    failing.apply(budget(3))
    drain = ("drain", "n2", "--ignore-daemonsets", "--force")
    try:
        eventually(lambda: failing.get("pdb", "web", "-n", "shop")["status"].get("currentHealthy") == 3)
        refused = failing.kubectl(*drain, "--timeout=10s", check=False)
        assert "violate the pod's disruption budget" in refused
        assert before["n2"] in places(failing).values()
        failing.apply(budget(2))
        eventually(lambda: failing.get("pdb", "web", "-n", "shop")["status"].get("disruptionsAllowed") == 1)
        failing.kubectl(*drain, "--timeout=60s")
    finally:
        failing.kubectl("delete", "pdb", "web", "-n", "shop")
    assert eventually(lambda: len(web(failing)) == 3)
    assert "n2" not in places(failing)
    with Lab.open(failing.name) as lab:
        assert [] == [pod.ref for pod in lab.cluster.pods if pod.node == "n2" and not pod.system]
        assert [] == lab.drift()
