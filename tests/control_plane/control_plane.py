"""A real kube-apiserver with its etcd, as plain processes on loopback.

There is no controller and no node: Namespaces and Pods are as a client writes them, and statuses are patched.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from etcd_members import etcd, openssl

from netlab.kernel.loopback import free_ports

Object = dict[str, Any]
READY_SECONDS = 90.0
_AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""
# Tokens are names. The groups of a user are those of its rights.
_TOKENS = """\
admin,admin,1,"system:masters"
reader,reader,2,""
tenant,tenant,3,""
stranger,stranger,4,""
"""


class Server:
    """The program kube-apiserver, which may be killed and started again."""

    def __init__(self, log: Path, words: Iterable[str]) -> None:
        self._log = log
        self._words = list(words)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self._log, "ab") as output:
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


@dataclass
class ControlPlane:
    """A running API server: its files are in a folder. ``server`` is None for further connections to one."""

    folder: Path
    port: int
    server: Server | None = None
    _connections: dict[str, http.client.HTTPSConnection] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """The certificate of the server, which it has made itself."""
        return self.folder / "apiserver.crt"

    def call(self, method: str, path: str, body: object = None, *, patch: str = "merge") -> tuple[int, Any]:
        """Return the status and the value of a request of the administrator."""
        kind = f"application/{patch}-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": "Bearer admin", "Content-Type": kind}
        for attempt in range(2):
            connection = self._connections.setdefault("", self._connect())
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = connection.getresponse()
                text = answer.read()
                return answer.status, json.loads(text) if text[:1] == b"{" else text.decode()
            except (http.client.HTTPException, OSError):
                self._connections.pop("").close()
                if attempt:
                    raise
        raise AssertionError

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)

    def wait(self) -> None:
        """Wait until the server is ready."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            assert self.server is None or not self.server.ended(), self._log()
            try:
                if self.certificate.exists() and self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(self._log())

    def _log(self) -> str:
        return (self.folder / "apiserver.log").read_text()[-3000:]

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def create(self, one: Object) -> Object:
        """Create an object, and set its status if it has one."""
        path = path_of(one)
        status, value = self.call("POST", path, one)
        if status == 409:
            # A namespace or a node of an earlier test: its labels go.
            at = f"{path}/{one['metadata']['name']}"
            old = self.call("GET", at)[1]["metadata"].get("labels", {})
            labels = dict.fromkeys(old) | one["metadata"].get("labels", {})
            status, value = self.call("PATCH", at, {**one, "metadata": {**one["metadata"], "labels": labels}})
        assert status in (200, 201), (status, value)
        if one.get("status"):
            at = f"{path}/{one['metadata']['name']}/status"
            status, value = self.call("PATCH", at, {"status": one["status"]})
            assert status == 200, value
        return dict(value)

    def clear(self) -> None:
        """Delete what tests make in namespaces. Namespaces stay: to delete one takes a controller."""
        for namespace in self.namespaces():
            for path in ("api/v1", "apis/networking.k8s.io/v1", "apis/apps/v1"):
                for plural in _CLEARED[path]:
                    at = f"/{path}/namespaces/{namespace}/{plural}"
                    # The API server makes its own Service again, at a time of its own.
                    chosen = "&labelSelector=provider!=kubernetes" if plural == "services" else ""
                    self.call("DELETE", f"{at}?gracePeriodSeconds=0{chosen}")

    def namespaces(self) -> list[str]:
        return [one["metadata"]["name"] for one in self.call("GET", "/api/v1/namespaces")[1]["items"]]

    def audited(self) -> list[Mapping[str, Any]]:
        """Return the requests of netlab, from the server's audit log."""
        # The server may be in the middle of the last line.
        lines = (self.folder / "audit.log").read_text().rpartition("\n")[0].splitlines()
        return [event for event in map(json.loads, lines) if event.get("userAgent") == "netlab"]

    def kubeconfig(self, name: str, namespace: str = "", *, cluster: Object | None = None, **user: object) -> Path:
        """Write a kubeconfig with one context, and return its path; by default the token is the name."""
        at = {"server": self.url, "certificate-authority": str(self.certificate)}
        context = {"cluster": "real", "user": name, **({"namespace": namespace} if namespace else {})}
        value = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": "real", "cluster": cluster or at}],
            "users": [{"name": name, "user": user or {"token": name}}],
            "contexts": [{"name": name, "context": context}],
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(value))
        return path

    def client_certificate(self, name: str, group: str, days: int = 1) -> tuple[Path, Path]:
        """Return certificate and key of a user."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/O={group}/CN={name}"
        )
        ca = self.folder / "clients"
        openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            f"{ca}.crt",
            "-CAkey",
            f"{ca}.key",
            "-CAcreateserial",
            "-days",
            days,
            "-out",
            certificate,
        )
        return certificate, key


_CLEARED = {
    "api/v1": ("pods", "services", "secrets"),
    "apis/networking.k8s.io/v1": ("networkpolicies", "ingresses"),
    "apis/apps/v1": ("deployments", "replicasets"),
}
_PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "ClusterNetworkPolicy": "clusternetworkpolicies",
    "Ingress": "ingresses",
    "IngressClass": "ingressclasses",
    "Endpoints": "endpoints",
    "CustomResourceDefinition": "customresourcedefinitions",
}


def path_of(one: Object) -> str:
    """Return the path of the list that an object is in."""
    version = one["apiVersion"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(one["kind"], f"{one['kind'].lower()}s")
    namespace = one["metadata"].get("namespace")
    return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"


@contextmanager
def running(folder: Path) -> Iterator[ControlPlane]:
    """Start etcd and kube-apiserver, and wait until it is ready; end both."""
    port = free_ports(1)[0]
    (folder / "tokens.csv").write_text(_TOKENS)
    (folder / "audit.yaml").write_text(_AUDIT)
    openssl("genrsa", "-out", folder / "accounts.key", "2048")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=clients",
        "-keyout",
        folder / "clients.key",
        "-out",
        folder / "clients.crt",
    )
    with ExitStack() as stack:
        member = stack.enter_context(etcd(folder))[0]
        server = Server(
            folder / "apiserver.log",
            [
                "kube-apiserver",
                f"--etcd-servers={member.url}",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={folder}",
                f"--service-account-key-file={folder / 'accounts.key'}",
                f"--service-account-signing-key-file={folder / 'accounts.key'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=RBAC",
                # Without the controller manager, no namespace has an account.
                "--disable-admission-plugins=ServiceAccount",
                f"--client-ca-file={folder / 'clients.crt'}",
                f"--token-auth-file={folder / 'tokens.csv'}",
                f"--audit-policy-file={folder / 'audit.yaml'}",
                f"--audit-log-path={folder / 'audit.log'}",
            ],
        )
        stack.callback(server.stop)
        server.start()
        found = ControlPlane(folder, port, server)
        found.wait()
        yield found
        found.close()


def missing() -> list[str]:
    """Return the programs that are not here."""
    return [name for name in ("etcd", "kube-apiserver", "openssl") if shutil.which(name) is None]


def environment(path: Path, **more: str) -> dict[str, str]:
    """Return the environment of a netlab that uses a kubeconfig."""
    return {**os.environ, "KUBECONFIG": str(path), **more}
