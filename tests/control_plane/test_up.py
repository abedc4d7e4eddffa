"""``netlab control-plane``: a real control plane with netlab as its nodes, asked by kubectl and by packets."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from control_plane.lab_plane import LABELS, PROGRAMS, WEB, Plane, eventually, gone, lacking, running

from netlab.lab.lab import Lab

pytestmark = pytest.mark.kernel(needs=["openssl"])


def test_every_program_runs_and_says_that_it_is_ready(of_lab):
    """`status` has a line for each, with the file of its output."""
    lines = of_lab.netlab("control-plane", "status").stdout.splitlines()

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


def test_the_nodes_of_the_topology_are_ready_nodes_of_the_cluster(of_lab):
    """With their labels, their addresses, and the ranges of their pods."""
    nodes = {one["metadata"]["name"]: one for one in of_lab.get("nodes")["items"]}
    ready = {c["type"]: c["status"] for c in nodes["n1"]["status"]["conditions"]}["Ready"]
    addresses = {one["type"]: one["address"] for one in nodes["n1"]["status"]["addresses"]}

    assert ["n1", "n2", "n3"] == sorted(nodes)
    assert "True" == ready
    assert LABELS.items() <= nodes["n1"]["metadata"]["labels"].items()
    with Lab.open(of_lab.name) as lab:
        node = lab.cluster.node("n1")
        assert str(node.addresses[0]) == addresses["InternalIP"]
        assert [str(one) for one in node.pod_cidrs["default"]] == nodes["n1"]["spec"]["podCIDRs"]


def test_each_node_has_a_lease_that_is_renewed(of_lab):
    """Else the controller would call it dead after 40 seconds."""

    def renewed() -> dict[str, str]:
        leases = of_lab.get("leases", "-n", "kube-node-lease")["items"]
        return {one["metadata"]["name"]: one["spec"]["renewTime"] for one in leases}

    before = renewed()
    assert {"n1", "n2", "n3"} == set(before)
    assert eventually(lambda: all(renewed()[name] > time_ for name, time_ in before.items()))


def test_a_pod_is_running_when_it_has_its_namespace_and_address(of_lab):
    """The address of its status is that of the lab, and it answers."""
    pods = running(of_lab.pods())
    with Lab.open(of_lab.name) as lab:
        known = {pod.name: pod for pod in lab.cluster.pods}
        for one in pods:
            assert [str(known[one["metadata"]["name"]].addresses[0])] == [ip["ip"] for ip in one["status"]["podIPs"]]
            assert known[one["metadata"]["name"]].node == one["spec"]["nodeName"]
    first, second = (f"shop/{one['metadata']['name']}" for one in pods[:2])

    assert "allow" == of_lab.verdict(first, second)


def test_a_policy_that_kubectl_applies_is_in_force_and_so_is_its_end(of_lab):
    """Packets say so."""
    first, second = (f"shop/{one['metadata']['name']}" for one in running(of_lab.pods())[:2])
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    of_lab.apply(policy)
    assert eventually(lambda: of_lab.verdict(first, second) == "deny", 10)
    of_lab.kubectl("delete", "networkpolicy", "deny", "-n", "shop")
    assert eventually(lambda: of_lab.verdict(first, second) == "allow", 10)


def test_a_service_has_the_address_that_the_api_server_gave_it(of_lab):
    """The lab's nodes translate that address."""
    address = of_lab.get("service", "web", "-n", "shop")["spec"]["clusterIP"]
    with Lab.open(of_lab.name) as lab:
        assert eventually(lambda: [str(one) for one in _service(lab).cluster_ips] == [address])


def _service(lab: Lab) -> Any:
    with lab.held(shared=True):
        return next(one for one in lab.cluster.services if one.meta.name == "web")


def test_a_pod_that_is_not_ready_is_no_endpoint(of_lab):
    """Its annotation says so, and the real controllers follow."""
    name = running(of_lab.pods())[0]["metadata"]["name"]

    def ready() -> set[str]:
        slices = of_lab.get("endpointslices", "-n", "shop")["items"]
        found = [e for s in slices for e in s["endpoints"] or () if e["conditions"]["ready"]]
        return {e["targetRef"]["name"] for e in found}

    assert eventually(lambda: name in ready())
    of_lab.kubectl("annotate", "pod", name, "-n", "shop", "netlab/ready=false")
    assert eventually(lambda: name not in ready())
    of_lab.kubectl("annotate", "pod", name, "-n", "shop", "netlab/ready-", "--overwrite")
    assert eventually(lambda: name in ready())


def test_a_deleted_pod_is_replaced_and_its_namespace_goes(of_lab):
    """kubectl waits until it is gone."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    of_lab.kubectl("delete", "pod", name, "-n", "shop", "--timeout=20s")

    assert eventually(lambda: len(running(of_lab.pods())) == 3)
    with Lab.open(of_lab.name) as lab:
        assert name not in {pod.name for pod in lab.cluster.pods}
        assert not lab.machine.exists(f"netlab.{of_lab.name}.pod.shop.{name}")


def test_a_rollout_and_a_scale_come_to_their_end(of_lab):
    """The controllers do them, and the lab follows."""
    of_lab.kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=5")
    of_lab.kubectl("rollout", "status", "deployment/web", "-n", "shop", "--timeout=60s")
    of_lab.kubectl("set", "image", "deployment/web", "c=nginx:2", "-n", "shop")
    of_lab.kubectl("rollout", "status", "deployment/web", "-n", "shop", "--timeout=60s")
    of_lab.kubectl("scale", "deployment", "web", "-n", "shop", "--replicas=3")

    def same() -> bool:
        pods = {one["metadata"]["name"] for one in running(of_lab.pods())}
        with Lab.open(of_lab.name) as lab:
            return len(pods) == 3 and pods == {pod.name for pod in lab.cluster.pods if pod.namespace == "shop"}

    assert eventually(same)


def test_a_pod_that_the_lab_refuses_fails_with_the_reason(of_lab):
    """All other objects stay in force; here two pods want one port of a node."""
    port = {"containerPort": 80, "hostPort": 18080}
    spec = {"nodeName": "n3", "containers": [{"name": "c", "image": "x", "ports": [port]}]}
    of_lab.kubectl("create", "namespace", "ports")
    eventually(lambda: "default" in of_lab.kubectl("get", "serviceaccounts", "-n", "ports", check=False))
    for name in ("a", "b"):
        of_lab.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ports"}, "spec": spec}
        )
        eventually(lambda: running(of_lab.pods("ports")))
    failed = eventually(lambda: [one for one in of_lab.pods("ports") if one["status"]["phase"] == "Failed"])

    assert ["b"] == [one["metadata"]["name"] for one in failed]
    assert "18080" in failed[0]["status"]["message"]
    assert eventually(lambda: "Refused" in of_lab.kubectl("get", "events", "-n", "ports"))
    assert ["a"] == [one["metadata"]["name"] for one in running(of_lab.pods("ports"))]


def test_rbac_and_abac_decide_what_a_user_may_do(of_lab):
    """alice may read the pods of one namespace by ABAC, bob by a Role, and neither of them anything else."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "pod-reader", "namespace": "shop"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
    }
    of_lab.apply(role)
    of_lab.kubectl("create", "rolebinding", "bob", "-n", "shop", "--role=pod-reader", "--user=bob")

    def may(user: str, verb: str, what: str, namespace: str) -> str:
        words: list[str] = of_lab.kubectl(
            "auth", "can-i", verb, what, "-n", namespace, f"--as={user}", check=False
        ).split()
        return words[0]

    for user in ("alice", "bob"):
        assert "yes" == may(user, "list", "pods", "shop")
        assert "no" == may(user, "delete", "pods", "shop")
        assert "no" == may(user, "list", "pods", "default")
        assert "no" == may(user, "list", "secrets", "shop")


def test_an_admission_plugin_that_the_user_names_is_enabled(of_lab):
    """AlwaysPullImages changes the pull policy of every pod."""
    assert {"Always"} == {one["spec"]["containers"][0]["imagePullPolicy"] for one in of_lab.pods()}


def test_netlab_as_the_nodes_may_read_no_secret(of_lab):
    """Its rights are those of kubelets and of a reader."""
    ask = ("auth", "can-i", "--as=netlab:nodes")
    assert "no" == of_lab.kubectl(*ask, "get", "secrets", "-A", check=False).split()[0]
    assert "no" == of_lab.kubectl(*ask, "create", "pods", check=False).split()[0]
    assert "yes" == of_lab.kubectl(*ask, "patch", "pods", "--subresource=status", "-A", check=False).split()[0]


def test_up_starts_again_what_was_killed_and_pods_keep_their_addresses(of_lab):
    """Each program of the control plane is killed once, and netlab as the nodes too."""
    before = {one["metadata"]["name"]: one["status"]["podIP"] for one in running(of_lab.pods())}
    for program in (*PROGRAMS[:-1], "agent"):
        os.kill(of_lab.process(program), signal.SIGKILL)
    assert 1 == of_lab.netlab("control-plane", "status", "--lab", of_lab.name, check=False).returncode
    of_lab.up()
    of_lab.kubectl("delete", "pod", next(iter(before)), "-n", "shop", "--timeout=30s")

    after = eventually(lambda: (now := running(of_lab.pods())) and len(now) == 3 and now)
    kept = {one["metadata"]["name"]: one["status"]["podIP"] for one in after if one["metadata"]["name"] in before}
    assert len(kept) == 2
    assert kept.items() <= before.items()


def test_down_leaves_nothing(tmp_path):
    """No process, no file, no namespace, and no kubeconfig."""
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
    assert f"lab/{found.name} deleted\n" == found.netlab("control-plane", "down", "--lab", found.name).stdout

    assert eventually(lambda: all(map(gone, pids)), 5)
    assert not Path(f"/run/netlab/{found.name}").exists()
    assert not found.kubeconfig.exists()
    assert found.name not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
