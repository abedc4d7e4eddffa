"""netlab as the nodes of a real control plane, asked by kubectl and by packets."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from control_plane.lab_plane import LABELS, Plane, running
from waiting import eventually

from netlab.lab.lab import Lab

DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}
pytestmark = pytest.mark.kernel(needs=["openssl"])


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
    of_lab.apply(DENY)
    assert eventually(lambda: of_lab.verdict(first, second) == "deny")
    of_lab.kubectl("delete", "networkpolicy", "deny", "-n", "shop")
    assert eventually(lambda: of_lab.verdict(first, second) == "allow")


def test_a_service_has_the_address_that_the_api_server_gave_it(of_lab):
    """The lab's nodes translate that address."""
    address = of_lab.get("service", "web", "-n", "shop")["spec"]["clusterIP"]
    with Lab.open(of_lab.name) as lab:
        assert eventually(lambda: [str(one) for one in _service(lab).cluster_ips] == [address])


def test_a_service_with_a_load_balancer_has_the_finalizer_of_cloud_providers_until_it_is_deleted(of_lab):
    """It comes with the address, and goes when the Service is deleted: then nothing else holds the Service."""
    metadata = {"name": "balanced", "namespace": "shop"}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "web"}}
    of_lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})

    def found() -> Any:
        return of_lab.get("service", "balanced", "-n", "shop")

    assert eventually(lambda: found()["status"]["loadBalancer"].get("ingress"))
    given, finalizers = found()["status"], ["service.kubernetes.io/load-balancer-cleanup"]
    assert finalizers == found()["metadata"]["finalizers"]
    # Others may write there too, and netlab writes it again.
    gone = {"metadata": {"finalizers": None}, "status": {"loadBalancer": None}}
    words = ("--subresource=status", "--type=merge", "-p", json.dumps(gone))
    patched = json.loads(of_lab.kubectl("patch", "service", "balanced", "-n", "shop", *words, "-o", "json"))
    assert (None, {}) == (patched["metadata"].get("finalizers"), patched["status"]["loadBalancer"])
    assert eventually(lambda: found()["status"] == given and found()["metadata"].get("finalizers") == finalizers)
    of_lab.kubectl("delete", "service", "balanced", "-n", "shop", "--timeout=90s")
    assert "balanced" not in [one["metadata"]["name"] for one in of_lab.get("services", "-n", "shop")["items"]]


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


def test_a_readiness_probe_counts_where_something_listens(of_lab):
    """A closed port passes; a server that answers 503 does not, and its end makes the pod ready again."""
    probe = {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 1, "failureThreshold": 1}
    containers = [{"name": "c", "image": "x", "readinessProbe": probe}]
    metadata = {"name": "probed", "namespace": "shop"}
    of_lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}})
    ask = ("wait", "pod/probed", "-n", "shop", "--timeout=90s")
    of_lab.kubectl(*ask, "--for=condition=Ready")
    code = (
        "from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_error(503)\n"
        "HTTPServer(('', 8080), H).serve_forever()"
    )
    kubectl = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-n", "shop", "probed", "--"]
    with subprocess.Popen([*kubectl, "/usr/bin/python3", "-c", code], stdin=subprocess.DEVNULL) as server:
        of_lab.kubectl(*ask, "--for=condition=Ready=false")
        server.kill()
    of_lab.kubectl(*ask, "--for=condition=Ready")
    of_lab.kubectl("delete", "pod", "probed", "-n", "shop", "--timeout=90s")


def test_a_deleted_pod_is_replaced_and_its_namespace_goes(of_lab):
    """kubectl waits until it is gone."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    of_lab.kubectl("delete", "pod", name, "-n", "shop", "--grace-period=600", "--timeout=90s")

    assert eventually(lambda: len(running(of_lab.pods())) == 3)
    with Lab.open(of_lab.name) as lab:
        assert name not in {pod.name for pod in lab.cluster.pods}
        assert not lab.machine.exists(f"netlab.{of_lab.name}.pod.shop.{name}")


def test_programs_of_a_deleted_pod_have_its_grace_period(of_lab):
    """They get SIGTERM; until they end, the pod is a terminating endpoint of the lab."""
    name = running(of_lab.pods())[0]["metadata"]["name"]
    ask = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "exec", "-i", "-n", "shop", name, "--", "sh", "-c"]
    script = "trap 'echo term; read end; sleep 3; echo done; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    pipe = subprocess.PIPE
    with subprocess.Popen([*ask, script], stdin=pipe, stdout=pipe, text=True, bufsize=1) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert "up\n" == program.stdout.readline()
        of_lab.kubectl("delete", "pod", name, "-n", "shop", "--grace-period=600", "--wait=false")
        assert "term\n" == program.stdout.readline()
        assert eventually(lambda: _terminating(of_lab) == [name])
        program.stdin.write("end\n")
        assert "done\n" == program.stdout.readline()
    assert eventually(lambda: name not in {one["metadata"]["name"] for one in of_lab.pods()})


def _terminating(plane: Plane) -> list[str]:
    with Lab.open(plane.name) as lab:
        return [pod.name for pod in lab.cluster.pods if pod.terminating]


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


def test_a_pod_that_the_lab_refuses_waits_with_the_reason(of_lab):
    """All other objects stay in force; here two pods want one port of a node."""
    port = {"containerPort": 80, "hostPort": 18080}
    spec = {"nodeName": "n3", "containers": [{"name": "c", "image": "x", "ports": [port]}]}
    of_lab.make_namespace("ports")
    for name in ("a", "b"):
        of_lab.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "ports"}, "spec": spec}
        )
        eventually(lambda: running(of_lab.pods("ports")))
    waiting = eventually(lambda: [one for one in of_lab.pods("ports") if _waits(one)])

    assert ["b"] == [one["metadata"]["name"] for one in waiting]
    assert "18080" in _waits(waiting[0])["message"]
    assert eventually(lambda: "Refused" in of_lab.kubectl("get", "events", "-n", "ports"))
    assert ["a"] == [one["metadata"]["name"] for one in running(of_lab.pods("ports"))]
    of_lab.kubectl("delete", "pod", "a", "-n", "ports", "--grace-period=600", "--timeout=90s")
    assert eventually(lambda: [one["metadata"]["name"] for one in running(of_lab.pods("ports"))] == ["b"])


def _waits(pod: dict[str, Any]) -> dict[str, str]:
    """Return why the first container of a pod waits; empty if it does not."""
    statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
    return dict(statuses[0]["state"].get("waiting") or {})


def test_a_policy_kind_that_a_crd_adds_is_in_force(of_lab):
    """ClusterNetworkPolicy is no kind of the API server before its definition is there."""
    first, second = (f"shop/{one['metadata']['name']}" for one in running(of_lab.pods())[:2])
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha2", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    group, plural = "policy.networking.k8s.io", "clusternetworkpolicies"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {
                "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/network-policy-api/pull/30"
            },
        },
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": "ClusterNetworkPolicy", "plural": plural, "singular": "clusternetworkpolicy"},
            "versions": [version],
        },
    }
    rule = {"name": "no", "action": "Deny", "from": [{"namespaces": {}}]}
    policy = {
        "apiVersion": f"{group}/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "none"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [rule]},
    }
    of_lab.apply(definition)
    of_lab.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{group}", "--timeout=90s")
    # kubectl may ask for the kinds before the API server lists the new one.
    apply = ("apply", "-f", "-")
    assert eventually(lambda: "created" in of_lab.kubectl(*apply, given=policy, check=False))

    assert eventually(lambda: of_lab.verdict(first, second) == "deny")
    of_lab.kubectl("delete", f"{plural}.{group}", "none")
    assert eventually(lambda: of_lab.verdict(first, second) == "allow")


def test_commands_of_netlab_leave_the_objects_to_the_api_server(of_lab, tmp_path):
    """It would undo their changes; the message says what to do."""
    file = tmp_path / "policy.yaml"
    file.write_text(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}}}"
    )
    name = running(of_lab.pods())[0]["metadata"]["name"]
    commands = (
        ("apply", "-f", str(file), "--lab", of_lab.name),
        ("delete", "pod", name, "-n", "shop", "--lab", of_lab.name),
        ("label", "pod", f"shop/{name}", "a=b", "--lab", of_lab.name),
        ("up", "-f", "lab.yaml", "--lab", of_lab.name),
    )
    for words in commands:
        done = of_lab.netlab(*words, check=False)

        assert 2 == done.returncode, words
        assert "has a control plane, so change its objects with kubectl" in done.stderr, words


def test_mirror_leaves_a_lab_with_a_control_plane_alone(of_lab, monkeypatch):
    """Its nodes follow the API server already."""
    monkeypatch.setenv("KUBECONFIG", str(of_lab.kubeconfig))
    done = of_lab.netlab("mirror", "cluster:", "--once", "--lab", of_lab.name, check=False)

    assert 2 == done.returncode
    assert "has a control plane; name another lab with --lab" in done.stderr


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

    # The API server learns of a RoleBinding by a watch.
    eventually(lambda: may("bob", "list", "pods", "shop") == "yes")
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
