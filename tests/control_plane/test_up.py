"""``netlab control-plane``: a real control plane with netlab as its nodes, asked by kubectl and by packets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netlab.cluster.flows import Flow
from netlab.lab.lab import Lab

pytestmark = pytest.mark.kernel(needs=["openssl"])
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
LABELS = {"topology.kubernetes.io/zone": "a", "disk": "fast"}
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
ABAC = {
    "apiVersion": "abac.authorization.kubernetes.io/v1beta1",
    "kind": "Policy",
    "spec": {"user": "alice", "namespace": "shop", "resource": "pods", "readonly": True},
}


class Plane:
    """A control plane of a lab: netlab's commands, kubectl, and the lab itself."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.kubeconfig = folder / "kubeconfig"

    def netlab(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "netlab", *words], cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def up(self, *objects: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        nodes = [{"name": "n1", "labels": LABELS}, {"name": "n2"}, {"name": "n3"}]
        topology = {
            "apiVersion": "netlab/v1alpha1",
            "kind": "Topology",
            "metadata": {"name": self.name},
            "spec": {"networks": [{"name": "default", "mode": "overlay"}], "nodes": nodes},
        }
        (self.folder / "lab.yaml").write_text(yaml.safe_dump_all([topology, *objects]))
        (self.folder / "abac.jsonl").write_text(f"{json.dumps(ABAC)}\n")
        chosen = ("--abac", "abac.jsonl", "--admission-plugins", "AlwaysPullImages")
        return self.netlab("control-plane", "up", "-f", "lab.yaml", "--kubeconfig", str(self.kubeconfig), *chosen)

    def kubectl(self, *words: str, given: Any = None, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, (words, done.stderr)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, one: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", given=one)

    def get(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl("get", *words, "-o", "json")))

    def pods(self, namespace: str = "shop") -> list[dict[str, Any]]:
        return list(self.get("pods", "-n", namespace)["items"])

    def verdict(self, source: str, target: str, port: int = 80) -> str:
        """Return what packets say about a connection in the lab."""
        with Lab.open(self.name) as lab:
            to = lab.find(target)
            flow = Flow(lab.find(source), to, 4, "TCP", port, to.addresses[0])
            return next(iter(lab.probe([flow]))).verdict

    def log(self, program: str) -> Path:
        return Path(f"/run/netlab/{self.name}/programs/{program}.host")

    def process(self, program: str) -> int:
        return int((self.log(program) / "process").read_text().split()[0])


def eventually(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what a function returns once it is true; it is asked again until the time is over."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, "it never held"
        time.sleep(0.05)
    return found


def running(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in pods if one["status"]["phase"] == "Running" and "deletionTimestamp" not in one["metadata"]]


def gone(pid: int) -> bool:
    """Return whether a process has ended; nobody may have waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Start one for all tests of this module, with a Deployment and its Service."""
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    found = Plane(tmp_path_factory.mktemp("plane"), f"plane-{os.getpid():x}")
    try:
        found.up(WEB, SERVICE)
        eventually(lambda: len(running(found.pods())) == 3)
        yield found
    finally:
        found.netlab("down", found.name, check=False)


def test_every_program_runs_and_says_that_it_is_ready(plane):
    """`status` has a line for each, with the file of its output."""
    lines = plane.netlab("control-plane", "status").stdout.splitlines()

    assert ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "nodes"] == [
        line.split()[0] for line in lines[1:]
    ]
    assert {"Ready"} == {line.split()[1] for line in lines[1:]}
    assert all(Path(line.split()[3]).exists() for line in lines[1:])


def test_the_programs_are_nobody_and_hold_no_capability(plane):
    """netlab as the nodes alone has privilege, as it changes the lab."""
    for program in PROGRAMS[:-1]:
        status = Path(f"/proc/{plane.process(program)}/status").read_text()

        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert "CapEff:\t0000000000000000" in status


def test_they_listen_on_the_loopback_address_only(plane):
    """Other machines cannot reach them."""
    shown = subprocess.run(["ss", "-Htlnp"], capture_output=True, text=True, check=True).stdout
    own = [
        line
        for line in shown.splitlines()
        if any(f"pid={plane.process(p)}," in line for p in (*PROGRAMS[:-1], "agent"))
    ]

    assert len(own) == 6
    assert all(line.split()[3].startswith("127.0.0.1:") for line in own)


def test_the_kubeconfig_is_private(plane):
    """It makes its reader the administrator."""
    assert 0o600 == stat.S_IMODE(plane.kubeconfig.stat().st_mode)


def test_the_nodes_of_the_topology_are_ready_nodes_of_the_cluster(plane):
    """With their labels, their addresses, and the ranges of their pods."""
    nodes = {one["metadata"]["name"]: one for one in plane.get("nodes")["items"]}
    ready = {c["type"]: c["status"] for c in nodes["n1"]["status"]["conditions"]}["Ready"]
    addresses = {one["type"]: one["address"] for one in nodes["n1"]["status"]["addresses"]}

    assert ["n1", "n2", "n3"] == sorted(nodes)
    assert "True" == ready
    assert LABELS.items() <= nodes["n1"]["metadata"]["labels"].items()
    with Lab.open(plane.name) as lab:
        node = lab.cluster.node("n1")
        assert str(node.addresses[0]) == addresses["InternalIP"]
        assert [str(one) for one in node.pod_cidrs["default"]] == nodes["n1"]["spec"]["podCIDRs"]


def test_each_node_has_a_lease_that_is_renewed(plane):
    """Else the controller would call it dead after 40 seconds."""

    def renewed() -> dict[str, str]:
        leases = plane.get("leases", "-n", "kube-node-lease")["items"]
        return {one["metadata"]["name"]: one["spec"]["renewTime"] for one in leases}

    before = renewed()
    assert {"n1", "n2", "n3"} == set(before)
    assert eventually(lambda: all(renewed()[name] > time_ for name, time_ in before.items()))


def test_a_pod_is_running_when_it_has_its_namespace_and_address(plane):
    """The address of its status is that of the lab, and it answers."""
    pods = running(plane.pods())
    with Lab.open(plane.name) as lab:
        known = {pod.name: pod for pod in lab.cluster.pods}
        for one in pods:
            assert [str(known[one["metadata"]["name"]].addresses[0])] == [ip["ip"] for ip in one["status"]["podIPs"]]
            assert known[one["metadata"]["name"]].node == one["spec"]["nodeName"]
    first, second = (f"shop/{one['metadata']['name']}" for one in pods[:2])

    assert "allow" == plane.verdict(first, second)


def test_a_policy_that_kubectl_applies_is_in_force_and_so_is_its_end(plane):
    """Packets say so."""
    first, second = (f"shop/{one['metadata']['name']}" for one in running(plane.pods())[:2])
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    plane.apply(policy)
    assert eventually(lambda: plane.verdict(first, second) == "deny", 10)
    plane.kubectl("delete", "networkpolicy", "deny", "-n", "shop")
    assert eventually(lambda: plane.verdict(first, second) == "allow", 10)


def test_a_service_has_the_address_that_the_api_server_gave_it(plane):
    """The lab's nodes translate that address."""
    address = plane.get("service", "web", "-n", "shop")["spec"]["clusterIP"]
    with Lab.open(plane.name) as lab:
        assert eventually(lambda: [str(one) for one in _service(lab).cluster_ips] == [address])


def _service(lab: Lab) -> Any:
    with lab.held(shared=True):
        return next(one for one in lab.cluster.services if one.meta.name == "web")


def test_a_pod_that_is_not_ready_is_no_endpoint(plane):
    """Its annotation says so, and the real controllers follow."""
    name = running(plane.pods())[0]["metadata"]["name"]

    def ready() -> set[str]:
        slices = plane.get("endpointslices", "-n", "shop")["items"]
        found = [e for s in slices for e in s["endpoints"] or () if e["conditions"]["ready"]]
        return {e["targetRef"]["name"] for e in found}

    assert eventually(lambda: name in ready())
    plane.kubectl("annotate", "pod", name, "-n", "shop", "netlab/ready=false")
    assert eventually(lambda: name not in ready())
    plane.kubectl("annotate", "pod", name, "-n", "shop", "netlab/ready-", "--overwrite")
    assert eventually(lambda: name in ready())


def test_a_deleted_pod_is_replaced_and_its_namespace_goes(plane):
    """kubectl waits until it is gone."""
    name = running(plane.pods())[0]["metadata"]["name"]
    plane.kubectl("delete", "pod", name, "-n", "shop", "--timeout=20s")

    assert eventually(lambda: len(running(plane.pods())) == 3)
    with Lab.open(plane.name) as lab:
        assert name not in {pod.name for pod in lab.cluster.pods}
        assert not lab.machine.exists(f"netlab.{plane.name}.pod.shop.{name}")


def test_a_rollout_and_a_scale_come_to_their_end(plane):
    """The controllers do them, and the lab follows."""
    plane.kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=5")
    plane.kubectl("rollout", "status", "deployment/web", "-n", "shop", "--timeout=60s")
    plane.kubectl("set", "image", "deployment/web", "c=nginx:2", "-n", "shop")
    plane.kubectl("rollout", "status", "deployment/web", "-n", "shop", "--timeout=60s")
    plane.kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=3")

    def same() -> bool:
        pods = {one["metadata"]["name"] for one in running(plane.pods())}
        with Lab.open(plane.name) as lab:
            return len(pods) == 3 and pods == {pod.name for pod in lab.cluster.pods if pod.namespace == "shop"}

    assert eventually(same)


def test_a_pod_that_the_lab_refuses_fails_with_the_reason(plane):
    """All other objects stay in force; here two pods want one port of a node."""
    port = {"containerPort": 80, "hostPort": 18080}
    spec = {"nodeName": "n3", "containers": [{"name": "c", "image": "x", "ports": [port]}]}
    plane.kubectl("create", "namespace", "ports")
    eventually(lambda: "default" in plane.kubectl("get", "serviceaccounts", "-n", "ports", check=False))
    for name in ("a", "b"):
        plane.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ports"}, "spec": spec})
        eventually(lambda: running(plane.pods("ports")))
    failed = eventually(lambda: [one for one in plane.pods("ports") if one["status"]["phase"] == "Failed"])

    assert ["b"] == [one["metadata"]["name"] for one in failed]
    assert "18080" in failed[0]["status"]["message"]
    assert eventually(lambda: "Refused" in plane.kubectl("get", "events", "-n", "ports"))
    assert ["a"] == [one["metadata"]["name"] for one in running(plane.pods("ports"))]


def test_rbac_and_abac_decide_what_a_user_may_do(plane):
    """alice may read the pods of one namespace by ABAC, bob by a Role, and neither of them anything else."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "pod-reader", "namespace": "shop"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
    }
    plane.apply(role)
    plane.kubectl("create", "rolebinding", "bob", "-n", "shop", "--role=pod-reader", "--user=bob")

    def may(user: str, verb: str, what: str, namespace: str) -> str:
        return plane.kubectl("auth", "can-i", verb, what, "-n", namespace, f"--as={user}", check=False).split()[0]

    for user in ("alice", "bob"):
        assert "yes" == may(user, "list", "pods", "shop")
        assert "no" == may(user, "delete", "pods", "shop")
        assert "no" == may(user, "list", "pods", "default")
        assert "no" == may(user, "list", "secrets", "shop")


def test_an_admission_plugin_that_the_user_names_is_enabled(plane):
    """AlwaysPullImages changes the pull policy of every pod."""
    assert {"Always"} == {one["spec"]["containers"][0]["imagePullPolicy"] for one in plane.pods()}


def test_netlab_as_the_nodes_may_read_no_secret(plane):
    """Its rights are those of kubelets and of a reader."""
    ask = ("auth", "can-i", "--as=netlab:nodes")
    assert "no" == plane.kubectl(*ask, "get", "secrets", "-A", check=False).split()[0]
    assert "no" == plane.kubectl(*ask, "create", "pods", check=False).split()[0]
    assert "yes" == plane.kubectl(*ask, "patch", "pods/status", check=False).split()[0]


def test_up_starts_again_what_was_killed_and_pods_keep_their_addresses(plane):
    """Each program of the control plane is killed once, and netlab as the nodes too."""
    before = {one["metadata"]["name"]: one["status"]["podIP"] for one in running(plane.pods())}
    for program in (*PROGRAMS[:-1], "agent"):
        os.kill(plane.process(program), signal.SIGKILL)
    assert 1 == plane.netlab("control-plane", "status", "--lab", plane.name, check=False).returncode
    plane.up(WEB, SERVICE)
    plane.kubectl("delete", "pod", next(iter(before)), "-n", "shop", "--timeout=30s")

    after = eventually(lambda: (now := running(plane.pods())) and len(now) == 3 and now)
    kept = {one["metadata"]["name"]: one["status"]["podIP"] for one in after if one["metadata"]["name"] in before}
    assert len(kept) == 2
    assert kept.items() <= before.items()


def test_down_leaves_nothing(tmp_path):
    """No process, no file, no namespace, and no kubeconfig."""
    found = Plane(tmp_path, f"gone-{os.getpid():x}")
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    try:
        found.up(WEB)
        pids = [found.process(program) for program in (*PROGRAMS[:-1], "agent")]
        eventually(lambda: len(running(found.pods())) == 3)
    except BaseException:
        found.netlab("down", found.name, check=False)
        raise
    assert f"lab/{found.name} deleted\n" == found.netlab("control-plane", "down", "--lab", found.name).stdout

    assert eventually(lambda: all(map(gone, pids)), 5)
    assert not Path(f"/run/netlab/{found.name}").exists()
    assert not found.kubeconfig.exists()
    assert found.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
