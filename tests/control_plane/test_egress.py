"""The API server's way into a lab: proxies of pods, Services and nodes; webhooks and API servers that are pods."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane.lab_plane import Plane, running
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
# An HTTPS server that answers as a webhook that denies, and as an aggregated API server.
SERVER = r"""
import http.server, json, ssl, sys, tempfile
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        who = self.connection.getpeercert() or {}
        names = [v for part in who.get("subject", ()) for k, v in part if k == "commonName"]
        self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "pods.example/v1", "resources": [],
                     "user": self.headers.get("X-Remote-User"), "client": names})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": "a pod of the lab says no"}}
        self.answer({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said})
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
own, front = json.load(sys.stdin)
with tempfile.NamedTemporaryFile("w") as file:
    file.write(own)
    file.flush()
    context.load_cert_chain(file.name)
context.load_verify_locations(cadata=front)
context.verify_mode = ssl.CERT_OPTIONAL
server = http.server.ThreadingHTTPServer(("", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
DENY_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


@contextlib.contextmanager
def serving(plane: Plane, pod: str, *argv: str, given: str = "") -> Iterator[None]:
    """Run a program in a pod by kubectl."""
    words = ["kubectl", "--kubeconfig", str(plane.kubeconfig), "exec", "-i", "-n", "shop", pod, "--", *argv]
    null = subprocess.DEVNULL
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=null, stderr=null, text=True) as program:
        assert program.stdin is not None
        program.stdin.write(given)
        program.stdin.close()
        try:
            yield
        finally:
            program.kill()


@contextlib.contextmanager
def web(plane: Plane) -> Iterator[dict[str, str]]:
    """Serve HTTP in each pod of the Deployment; yield the addresses of the pods."""
    pods = {one["metadata"]["name"]: one["status"]["podIP"] for one in running(plane.pods())}
    with contextlib.ExitStack() as stack:
        for name in pods:
            stack.enter_context(serving(plane, name, "/usr/bin/python3", "-m", "http.server", "80", "-d", "/sys"))
        for name in pods:
            eventually(functools.partial(_answers, plane, name))
        yield pods


def _answers(plane: Plane, pod: str) -> bool:
    return "Directory" in raw(plane, f"namespaces/shop/pods/{pod}:80/proxy/")


def raw(plane: Plane, path: str) -> str:
    return plane.kubectl("get", "--raw", f"/api/v1/{path}", check=False)


def test_pods_and_services_answer_through_the_api_server_also_behind_policies(of_lab):
    """A pod is asked from its own node, whose packets no policy stops."""
    with web(of_lab) as pods:
        of_lab.apply(DENY_ALL)
        try:
            assert eventually(lambda: of_lab.verdict(*(f"shop/{name}" for name in list(pods)[:2])) == "deny")
            for name in pods:
                assert "Directory listing" in raw(of_lab, f"namespaces/shop/pods/{name}:80/proxy/")
            assert "Directory listing" in raw(of_lab, "namespaces/shop/services/web:80/proxy/")
        finally:
            of_lab.kubectl("delete", "networkpolicy", "deny", "-n", "shop")


def test_a_closed_port_is_said(of_lab):
    """In the words of the kernel."""
    name = running(of_lab.pods())[0]["metadata"]["name"]

    assert "Connection refused" in raw(of_lab, f"namespaces/shop/pods/{name}:81/proxy/")


def test_nodes_answer_through_the_api_server_as_their_kubelets(of_lab):
    """`/healthz`, `/pods` and the files of logs of each, also by the usual port of kubelets."""
    assert "ok" == raw(of_lab, "nodes/n2/proxy/healthz")
    assert "<pre>" in raw(of_lab, "nodes/n2:10250/proxy/logs/")
    assert "PodList" == json.loads(raw(of_lab, "nodes/n2/proxy/pods"))["kind"]


def test_an_address_outside_of_the_lab_is_not_reached(of_lab):
    """A user who may write the status of a pod may write any address, also the host's own."""
    spec = {"nodeName": "ghost", "containers": [{"name": "c", "image": "x"}]}
    metadata = {"name": "ghost", "namespace": "shop"}
    of_lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        for address in ("192.0.2.55", "8.8.8.8"):
            status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
            ask = ("patch", "pod", "ghost", "-n", "shop", "--subresource=status", "--type=merge", "-p")
            of_lab.kubectl(*ask, json.dumps(status))

            said = raw(of_lab, "namespaces/shop/pods/ghost:80/proxy/")
            assert f"no pod, node or Service of the lab has the address {address}" in said
    finally:
        of_lab.kubectl("delete", "pod", "ghost", "-n", "shop", "--force", "--grace-period=0")


def test_kubectl_proxy_reaches_pods(of_lab):
    """A browser on this host sees a pod."""
    words = ["kubectl", "--kubeconfig", str(of_lab.kubeconfig), "proxy", "--port=0"]
    with web(of_lab), subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        try:
            address = proxy.stdout.readline().split()[-1]
            url = f"http://{address}/api/v1/namespaces/shop/services/web:80/proxy/"
            with urllib.request.urlopen(url, timeout=90) as answer:
                assert b"Directory listing" in answer.read()
        finally:
            proxy.kill()


def test_a_pod_of_the_lab_is_a_webhook_and_an_api_server(of_lab, tmp_path):
    """The API server asks both at the address of a Service, and names its user to the aggregated one."""
    pod = running(of_lab.pods())[0]["metadata"]["name"]
    text, ca = _server_files(tmp_path)
    front = of_lab.get("configmap", "extension-apiserver-authentication", "-n", "kube-system")["data"]
    of_lab.kubectl("label", "pod", pod, "-n", "shop", "serves=api")
    of_lab.kubectl("create", "service", "clusterip", "api", "-n", "shop", "--tcp=443:8443")
    of_lab.kubectl("set", "selector", "service", "api", "serves=api", "-n", "shop")
    given = json.dumps([text, front["requestheader-client-ca-file"]])
    try:
        with serving(of_lab, pod, "/usr/bin/python3", "-c", SERVER, given=given):
            of_lab.apply(_webhook(ca))
            denied = eventually(lambda: (said := _create(of_lab)) and "says no" in said and said)
            assert 'admission webhook "no.pods.example" denied the request: a pod of the lab says no' in denied
            of_lab.kubectl("delete", "validatingwebhookconfiguration", "no.pods.example")

            of_lab.apply(_api_service(ca))
            said = eventually(lambda: (found := _aggregated(of_lab)) and found.get("user") and found)
            assert ("netlab-admin", ["front-proxy-client"]) == (said["user"], said["client"])
    finally:
        of_lab.kubectl("delete", "validatingwebhookconfiguration", "no.pods.example", check=False)
        of_lab.kubectl("delete", "apiservice", "v1.pods.example", check=False)
        of_lab.kubectl("delete", "service", "api", "-n", "shop")
        of_lab.kubectl("label", "pod", pod, "-n", "shop", "serves-")


def _create(plane: Plane) -> str:
    return plane.kubectl("create", "configmap", "x", "-n", "shop", "--dry-run=server", check=False)


def _aggregated(plane: Plane) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        return dict(json.loads(plane.kubectl("get", "--raw", "/apis/pods.example/v1", check=False)))
    return {}


def _server_files(folder: Path) -> tuple[str, str]:
    """Return a certificate with its key for the Service ``shop/api``, and the bundle that proves it."""
    key, certificate = folder / "key", folder / "crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=api", "-addext", "subjectAltName=DNS:api.shop.svc"]
    subprocess.run([*words, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = certificate.read_text()
    return text + key.read_text(), base64.b64encode(text.encode()).decode()


def _webhook(ca: str) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    client = {"service": {"namespace": "shop", "name": "api"}, "caBundle": ca}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "no.pods.example"},
        "webhooks": [
            {
                "name": "no.pods.example",
                "clientConfig": client,
                "rules": [rule],
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
            }
        ],
    }


def _api_service(ca: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.pods.example"},
        "spec": {
            "group": "pods.example",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "caBundle": ca,
            "service": {"namespace": "shop", "name": "api"},
        },
    }
