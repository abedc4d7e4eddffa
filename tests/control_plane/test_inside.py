"""Clients inside of a cluster: pods that ask the API server by its Service, as programs of Kubernetes do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane.lab_plane import Plane, lacking
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl", "curl"])

HOST = {"netlab/run": "host"}
FILES = "/var/run/secrets/kubernetes.io/serviceaccount"
ASK = f'curl -sS -m 5 --cacert {FILES}/ca.crt -H "Authorization: Bearer $(cat {FILES}/token)" "$@"'
SERVER = "https://kubernetes.default.svc"
PODS = f"{SERVER}/api/v1/namespaces/$(cat {FILES}/namespace)/pods"
READER: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": "inside"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader", "namespace": "inside"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "inside"}],
    },
)


def pod(name: str, node: str, *command: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "inside", "labels": {"app": name}, "annotations": HOST if command else {}}
    container = {"name": "c", "image": "any", **({"command": [*command]} if command else {})}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Return a control plane whose pods on two nodes may list the pods of their namespace."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path_factory.mktemp("inside"), f"inside-{os.getpid():x}", ("--wait",))
    try:
        found.up(*READER, pod("one", "n1"), pod("two", "n2"))
        eventually(lambda: endpoint(found))
        yield found
    finally:
        found.netlab("down", found.name, check=False)


def endpoint(plane: Plane) -> list[str]:
    """Return the addresses of the endpoint of the API server; Endpoints and EndpointSlice say the same."""
    slices = plane.get("endpointslices", "-l", "kubernetes.io/service-name=kubernetes")["items"]
    subsets = plane.get("endpoints")["items"][0]["subsets"] if slices else []
    found = [address for one in slices for each in one["endpoints"] for address in each["addresses"]]
    return found if found == [one["ip"] for each in subsets for one in each["addresses"]] else []


def node(plane: Plane, name: str) -> str:
    return str(plane.get("node", name)["status"]["addresses"][0]["address"])


def run(plane: Plane, name: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run a shell in a pod; what it runs has the function ``ask`` for requests with the token of the pod."""
    kubectl = ["kubectl", "--kubeconfig", str(plane.kubeconfig), "exec", "-n", "inside", name, "--"]
    words = [*kubectl, "sh", "-c", f"ask() {{ {ASK}; }}; {text}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def reached(plane: Plane, name: str = "two") -> bool:
    return '"kind": "PodList"' in run(plane, name, f'ask "{PODS}"').stdout


def code(said: subprocess.CompletedProcess[str]) -> int:
    return int(json.loads(said.stdout)["code"])


def test_the_service_of_the_api_server_leads_to_the_first_node(here):
    """As Endpoints and as one EndpointSlice, which clients compare."""
    assert [node(here, "n1")] == endpoint(here)


def test_a_pod_asks_with_the_token_of_its_account(here):
    """TLS is with the API server itself; pods of the endpoint's node and of others reach it."""
    assert reached(here, "one")
    assert reached(here, "two")


def test_a_pod_does_what_its_account_may_and_nothing_else(here):
    """The Role of this account lists pods of one namespace."""
    assert 403 == code(run(here, "two", f"ask {SERVER}/api/v1/namespaces/kube-system/pods"))
    assert 403 == code(run(here, "two", f"ask {SERVER}/api/v1/namespaces/inside/secrets"))


def test_a_pod_without_a_token_is_anonymous(here):
    """netlab, which passes the bytes on, adds no rights of its own."""
    said = run(here, "two", f"curl -sS --cacert {FILES}/ca.crt {SERVER}/api/v1/namespaces/inside/pods")

    assert (403, True) == (code(said), "system:anonymous" in said.stdout)


def test_the_server_has_every_name_and_address_by_which_pods_reach_it(here):
    """Its certificate says so: curl accepts no other."""
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    service = here.get("service", "kubernetes")["spec"]["clusterIP"]
    servers = [f"{name}:443" for name in (*names, service)] + [f"{node(here, one)}:6443" for one in ("n1", "n2", "n3")]
    # A search path has no `kubernetes` of the pod's own namespace, so the address is given.
    asks = [f"ask --connect-to {one}:{service}:443 https://{one}/version" for one in servers[:4]]
    asks += [f"ask https://{one}/version" for one in servers[4:]]
    said = run(here, "two", " && ".join(asks))

    assert ("", len(servers)) == (said.stderr, said.stdout.count('"gitVersion"'))


def test_pods_reach_nothing_else_of_the_host(here):
    """The port of the node leads to the API server alone; etcd and kubelets are at other ports."""
    config = json.loads(here.kubeconfig.read_text())
    server = int(config["clusters"][0]["cluster"]["server"].rpartition(":")[2])
    for port in (server, 2379, 10250, 10257, 10259):
        assert 7 == run(here, "two", f"curl -sk -m 5 https://{node(here, 'n1')}:{port}/").returncode


def test_a_policy_holds_for_the_way_to_the_api_server(here):
    """A pod that may send nothing does not reach it, and reaches it again without the policy."""
    spec = {"podSelector": {"matchLabels": {"app": "two"}}, "policyTypes": ["Egress"], "egress": []}
    metadata = {"name": "deny", "namespace": "inside"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    service = f"https://{here.get('service', 'kubernetes')['spec']['clusterIP']}"
    here.apply(policy)
    eventually(lambda: "timed out" in run(here, "two", f"curl -sSk -m 2 {service}/version").stderr)
    server = f"https://{node(here, 'n1')}:6443"
    assert eventually(lambda: "timed out" in run(here, "two", f"curl -sSk -m 2 {server}/version").stderr)
    here.kubectl("delete", "networkpolicy", "deny", "-n", "inside")

    assert eventually(lambda: reached(here))


def test_a_policy_may_allow_the_way_to_the_api_server_alone(here):
    """By the address of the node and its port, as policies of clusters do: they see packets after the Service."""
    to = [{"ipBlock": {"cidr": f"{node(here, 'n1')}/32"}}]
    rules = [{"to": to, "ports": [{"port": 6443}]}]
    spec = {"podSelector": {"matchLabels": {"app": "two"}}, "policyTypes": ["Egress"], "egress": rules}
    metadata = {"name": "allow", "namespace": "inside"}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    address = here.get("service", "kubernetes")["spec"]["clusterIP"]
    one = here.get("pod", "one", "-n", "inside")["status"]["podIP"]
    here.apply(policy)
    eventually(lambda: "timed out" in run(here, "two", f"curl -sS -m 2 http://{one}/").stderr)
    said = run(here, "two", f"ask https://{address}/version")
    here.kubectl("delete", "networkpolicy", "allow", "-n", "inside")

    assert '"gitVersion"' in said.stdout


def test_a_program_of_a_container_asks_too(here):
    """Its files are there when it starts, and the token is bound to the pod."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "apis/authentication.k8s.io/v1/selfsubjectreviews"
    sends = f"-H 'Content-Type: application/json' -d '{json.dumps(review)}'"
    ask = f"ask() {{ {ASK}; }}; ask {SERVER}/{path} {sends}"
    here.apply(pod("once", "n3", "sh", "-c", ask, restartPolicy="Never"))
    eventually(lambda: here.get("pod", "once", "-n", "inside")["status"]["phase"] == "Succeeded")
    said = json.loads(here.kubectl("logs", "once", "-n", "inside"))["status"]["userInfo"]

    assert "system:serviceaccount:inside:default" == said["username"]
    assert ["once"] == said["extra"]["authentication.kubernetes.io/pod-name"]


def test_a_pod_without_an_account_has_no_token(here):
    """`automountServiceAccountToken: false`: the API server adds no volume."""
    here.apply(pod("none", "n3", automountServiceAccountToken=False))
    eventually(lambda: run(here, "none", "true").returncode == 0)

    assert "No such file" in run(here, "none", f"ls {FILES}").stderr


def test_netlab_as_the_nodes_gets_tokens_of_its_pods_only(here):
    """It asks as a node, and the API server knows which accounts the pods of the node have."""
    wrong = here.kubectl("auth", "can-i", "create", "serviceaccounts/token", "--as=netlab:nodes", check=False)
    named = ("-n", "kube-system", "--as=system:node:n1", "--as-group=system:nodes")
    other = here.kubectl("create", "token", "namespace-controller", *named, check=False)

    assert "yes" not in wrong.split()
    assert "forbidden" in other


def test_an_endpoint_that_somebody_deletes_comes_back(here):
    """As the API server brings its own one back."""
    here.kubectl("delete", "endpointslice", "kubernetes")

    assert eventually(lambda: endpoint(here))
    assert eventually(lambda: reached(here))


def test_another_node_takes_over_from_a_stopped_one(here):
    """And back, when it runs again."""
    here.netlab("node", "stop", "n1", "--lab", here.name)
    assert eventually(lambda: endpoint(here) == [node(here, "n2")])
    assert eventually(lambda: reached(here))
    here.netlab("node", "start", "n1", "--lab", here.name)

    assert eventually(lambda: endpoint(here) == [node(here, "n1")])
    assert eventually(lambda: reached(here))


def test_pods_reach_it_after_its_programs_were_started_anew(here):
    """`control-plane up` starts netlab as the nodes again, with the relay."""
    os.kill(here.process("agent"), 9)
    here.again()

    assert eventually(lambda: reached(here))


def test_a_cluster_of_both_families_has_the_endpoint_in_that_of_its_service(tmp_path):
    """IPv6 comes first here, so the Service and its endpoint have addresses of IPv6."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    plane = Plane(tmp_path, f"inside6-{os.getpid():x}")
    networks = [{"name": "default", "mode": "overlay", "podCIDRs": ["fd00:10::/56", "10.244.0.0/16"]}]
    services = ["fd00:96::/112", "10.96.0.0/16"]
    spec = {"networks": networks, "serviceCIDRs": services, "nodes": [{"name": "n1"}, {"name": "n2"}]}
    topology = {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": plane.name}, "spec": spec}
    file = Path(tmp_path / "lab.yaml")
    file.write_text(yaml.safe_dump_all([topology, *READER, pod("two", "n2")]))
    try:
        plane.netlab("control-plane", "up", "-f", str(file), "--kubeconfig", str(plane.kubeconfig), "--wait")
        assert eventually(lambda: any(":" in one for one in endpoint(plane)))
        assert eventually(lambda: reached(plane))
    finally:
        plane.netlab("down", plane.name, check=False)
