"""Users and rights: RBAC, ABAC, certificates that the cluster signs, and tokens of service accounts."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane.lab_plane import WEB, Plane, lacking, running
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
RBAC = "rbac.authorization.k8s.io"
ROLE = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "Role",
    "metadata": {"name": "marketing-pod-reader", "namespace": "marketing"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch", "list"]}],
}
BINDING = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "marketing-pod-reader", "namespace": "marketing"},
    "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "marketing-pod-reader"},
    "subjects": [
        {"apiGroup": RBAC, "kind": "User", "name": "dana"},
        {"kind": "ServiceAccount", "name": "reader", "namespace": "marketing"},
    ],
}
# The examples of Using ABAC Authorization (kubernetes.io), with a namespace whose name is valid today.
ABAC = (
    {"user": "alice", "namespace": "*", "resource": "*", "apiGroup": "*"},
    {"user": "kubelet", "namespace": "*", "resource": "pods", "readonly": True},
    {"user": "kubelet", "namespace": "*", "resource": "events"},
    {"user": "bob", "namespace": "project-caribou", "resource": "pods", "readonly": True},
    {"group": "system:authenticated", "readonly": True, "nonResourcePath": "*"},
)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Start a control plane with the examples of ABAC, a Deployment in `marketing`, and the Role of its readers."""
    if missing := lacking():
        pytest.skip(f"needs {', '.join(missing)}")
    found = Plane(tmp_path_factory.mktemp("rights"), f"rights-{os.getpid():x}")
    web = WEB | {"metadata": {"name": "web", "namespace": "marketing"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader", "namespace": "marketing"}}
    words = found._up(web, account, ROLE, BINDING)
    version = "abac.authorization.kubernetes.io/v1beta1"
    lines = [json.dumps({"apiVersion": version, "kind": "Policy", "spec": one}) for one in ABAC]
    (found.folder / "abac.jsonl").write_text("\n".join(lines) + "\n")
    try:
        found.netlab(*words)
        eventually(lambda: len(running(found.pods("marketing"))) == 3)
        yield found
    finally:
        found.netlab("down", found.name, check=False)


def asked(plane: Plane, *words: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl without a kubeconfig, as the user that the words name."""
    settings = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    (plane.folder / "ca").write_bytes(base64.b64decode(settings["certificate-authority-data"]))
    server = ["--server", settings["server"], "--certificate-authority", str(plane.folder / "ca")]
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        ["kubectl", "--kubeconfig=/dev/null", *server, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def certificate(plane: Plane, user: str, folder: Path) -> list[str]:
    """Return the options of kubectl for a user whose certificate the cluster has signed."""
    key, request, signed = (folder / f"{user}.{end}" for end in ("key", "csr", "crt"))
    new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*new, "-subj", f"/CN={user}", "-keyout", key, "-out", request], check=True, capture_output=True)
    spec = {
        "request": base64.b64encode(request.read_bytes()).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    asks: dict[str, Any] = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": user},
        "spec": spec,
    }
    plane.apply(asks)
    plane.kubectl("certificate", "approve", user)
    text = eventually(lambda: plane.get("csr", user)["status"].get("certificate"))
    signed.write_bytes(base64.b64decode(text))
    return ["--client-certificate", str(signed), "--client-key", str(key)]


def test_a_user_with_the_role_lists_pods_of_one_namespace_and_nothing_else(plane, tmp_path):
    """The user has a certificate that the cluster signed, and the Role marketing-pod-reader."""
    dana = certificate(plane, "dana", tmp_path)

    shown = asked(plane, *dana, "get", "pods", "-n", "marketing", "-o", "name")
    assert 3 == len(shown.stdout.splitlines())
    pod = shown.stdout.splitlines()[0]
    assert 0 == asked(plane, *dana, "get", pod, "-n", "marketing").returncode
    for words in (
        ("get", "pods", "-n", "kube-system"),
        ("get", "pods", "-A"),
        ("get", "deployments", "-n", "marketing"),
        ("get", "secrets", "-n", "marketing"),
        ("get", "nodes"),
        ("delete", pod, "-n", "marketing"),
        ("logs", pod, "-n", "marketing"),
        ("exec", pod, "-n", "marketing", "--", "true"),
        ("port-forward", pod, "-n", "marketing", ":80"),
        ("get", "--raw", f"/api/v1/namespaces/marketing/pods/{pod.partition('/')[2]}:80/proxy/"),
    ):
        refused = asked(plane, *dana, *words)
        assert 1 == refused.returncode
        assert 'User "dana" cannot' in refused.stderr


def test_a_token_of_a_service_account_has_its_rights(plane):
    """`kubectl create token` makes it; a wrong one is refused."""
    token = plane.kubectl("create", "token", "reader", "-n", "marketing").strip()

    listed = asked(plane, "--token", token, "get", "pods", "-n", "marketing", "-o", "name")
    assert 3 == len(listed.stdout.splitlines())
    assert "Forbidden" in asked(plane, "--token", token, "get", "pods", "-n", "default").stderr
    wrong = asked(plane, "--token", f"{token[:-4]}AAAA", "get", "pods", "-n", "marketing").stderr
    assert "Unauthorized" in wrong or "logged in" in wrong


def test_nobody_else_gets_in(plane):
    """A request without a certificate or token is that of `system:anonymous`, who may see no pods."""
    server = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    ask = ["curl", "-sk", f"{server}/api/v1/namespaces/marketing/pods"]
    said = json.loads(subprocess.run(ask, capture_output=True, check=True).stdout)

    assert (403, True) == (said["code"], "system:anonymous" in said["message"])


@pytest.mark.parametrize(
    ("user", "words", "answer"),
    [
        ("alice", ("delete", "deployments", "-n", "marketing"), "yes"),
        ("alice", ("create", "nodes"), "yes"),
        ("kubelet", ("list", "pods", "-n", "marketing"), "yes"),
        ("kubelet", ("delete", "pods", "-n", "marketing"), "no"),
        ("kubelet", ("create", "events", "-n", "marketing"), "yes"),
        ("bob", ("get", "pods", "-n", "project-caribou"), "yes"),
        ("bob", ("delete", "pods", "-n", "project-caribou"), "no"),
        ("bob", ("get", "pods", "-n", "marketing"), "no"),
        ("bob", ("get", "services", "-n", "project-caribou"), "no"),
        ("carol", ("get", "/livez/ping"), "yes"),
        ("carol", ("list", "pods", "-n", "marketing"), "no"),
    ],
)
def test_the_examples_of_abac_allow_what_their_page_says(plane, user, words, answer):
    """And nothing else."""
    said = plane.kubectl("auth", "can-i", *words, f"--as={user}", "--as-group=system:authenticated", check=False)

    assert [answer] == [word for word in said.split() if word in ("yes", "no")][:1]


def test_a_user_of_abac_does_what_its_rules_allow(plane, tmp_path):
    """With a certificate, and not only by the words of `auth can-i`."""
    alice = certificate(plane, "alice", tmp_path)

    assert 0 == asked(plane, *alice, "create", "configmap", "a", "-n", "marketing").returncode
    assert 0 == asked(plane, *alice, "delete", "configmap", "a", "-n", "marketing").returncode


def test_netlab_as_the_nodes_reads_no_secret_and_makes_no_pod(plane):
    """Whoever breaks into it has the rights of kubelets, and no others."""
    for words in (
        ("get", "secrets", "-A"),
        ("create", "pods"),
        ("create", "clusterrolebindings"),
        ("get", "roles", "-A"),
    ):
        said = plane.kubectl("auth", "can-i", *words, "--as=netlab:nodes", check=False)
        assert "yes" not in said.split()
