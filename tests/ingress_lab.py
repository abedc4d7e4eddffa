"""A real lab with an ingress controller: echo servers in its pods, and curl in another pod."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from sizes import HANGS
from waiting import eventually

from netlab.kernel import nginx

REPOSITORY = Path(__file__).parents[1]
CLIENT = "test/client"
USER = 1_000_000 + os.getpid()
"""An ordinary user, for labs without root. Each process that runs tests has another one."""


class Answer(NamedTuple):
    """What curl got: the status, 0 without an answer; the name of the pod; what it saw; and curl's own exit code."""

    status: int
    pod: str
    seen: Mapping[str, Any]
    head: str
    code: int


class IngressLab:
    """A running lab; ``directory`` has its certificates, ``said`` what its last command said."""

    def __init__(self, name: str, directory: Path, user: int | None = None) -> None:
        self.name, self.directory, self._user = name, directory, user
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self.said = ""
        self._python = [sys.executable, "-m"] if user is None else [_interpreter(), "-m"]
        self._home = REPOSITORY if user is None else directory
        self._controller = ""

    def netlab(self, *arguments: str, text: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of netlab from the repository."""
        command = [*self._python, "netlab", *arguments]
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            cwd=self._home,
            check=False,
            timeout=HANGS,
            **self._as_user(),
        )
        assert done.returncode == 0 or not check, done.stderr
        self.said = done.stderr
        return done

    def up(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Build the lab, or change it, and have an echo server in each pod with a container port."""
        self.netlab("up", "-f", "-", "--lab", self.name, "--yes", text=yaml.safe_dump_all(documents))
        for one in documents:
            if one["kind"] == "Pod" and one["spec"]["containers"][0].get("ports"):
                self.serve(f"{one['metadata']['namespace']}/{one['metadata']['name']}")

    def serve(self, pod: str) -> None:
        """Start the echo server of a pod, on port 8080."""
        if pod not in self._servers:
            program = [*self._python, "netlab.programs.echo", "--http", "8080", "--name", pod.rpartition("/")[2]]
            command = [*self._python, "netlab", "exec", pod, "--lab", self.name, "--", *program]
            self._servers[pod] = subprocess.Popen(
                command, cwd=self._home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as_user()
            )

    def ready(self, but: Sequence[str] = ()) -> None:
        """Wait until all echo servers answer themselves."""
        pods = json.loads(self.netlab("get", "pods", "--lab", self.name, "-o", "json").stdout)["items"]
        by_name = {f"{p['metadata']['namespace']}/{p['metadata']['name']}": p["status"]["podIP"] for p in pods}
        for pod in [one for one in self._servers if one not in but]:
            ask = ["curl", "-s", "-m", "1", f"http://{by_name[pod]}:8080/hostname"]
            eventually(lambda pod=pod, ask=ask: self.run(pod, *ask).returncode == 0)  # type: ignore[misc]

    def address(self, ref: str) -> str:
        """Return the address of a pod."""
        namespace, _, name = ref.partition("/")
        found = self.netlab("get", "pods", name, "-n", namespace, "--lab", self.name, "-o", "json").stdout
        return str(json.loads(found)["items"][0]["status"]["podIP"])

    def load_balancer(self, family: int = 4) -> str:
        """Return the address of the controller's load balancer."""
        url = ("http://any.example/", "--from", "host:client", "--family", str(family), "--lab", self.name)
        found = re.search(r"its load-balancer address (\S+)", self.netlab("explain", *url).stdout)
        assert found is not None
        return found[1]

    def exec(self, place: str) -> list[str]:
        """Return the command that runs a program in a pod or on a host, as root."""
        return [*self._python, "netlab", "exec", place, "--lab", self.name, "--"]

    def run(self, place: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.netlab("exec", place, "--lab", self.name, "--", *command, check=False)

    def curl(self, url: str, *options: str, place: str = CLIENT, address: str = "") -> Answer:
        """Ask for a URL at an address, by default that of the controller's pod."""
        self._controller = self._controller or self.address("ingress-nginx/controller")
        address = address or self._controller
        to = ["--connect-to", f"::{f'[{address}]' if ':' in address else address}:"]
        write = ["-w", "\n%{http_code}", "-D", "-"]
        done = self.run(place, "curl", "-s", "-m", "10", "--path-as-is", "--noproxy", "*", *to, *write, *options, url)
        text, _, status = done.stdout.rpartition("\n")
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        seen = json.loads(body) if body.startswith("{") else {}
        return Answer(int(status or 0), seen.get("hostname", ""), seen, head, done.returncode)

    def down(self) -> None:
        self.netlab("down", self.name, check=False)
        for one in self._servers.values():
            one.kill()
            one.wait()

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        environment = {
            "PATH": f"{self.directory}/sbin:/usr/bin:/bin",
            "HOME": f"{self.directory}/home",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {"user": self._user, "group": self._user, "extra_groups": [], "env": environment}


def _interpreter() -> str:
    """Return a Python of this version that an ordinary user may run: a home directory's is often closed to others."""
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return system if os.access(system, os.X_OK) else sys.executable


@contextmanager
def readable_copy() -> Iterator[Path]:
    """Yield a folder with a copy of netlab that an ordinary user may read, and a home of ``USER``."""
    place = Path("/tmp") / f"netlab-ingress-{os.getpid()}"  # noqa: S108  pytest's own folders are closed to others
    packages = Path(sysconfig.get_paths()["purelib"])
    ignored = shutil.ignore_patterns("__pycache__")
    place.mkdir(mode=0o755)
    try:
        shutil.copytree(REPOSITORY / "netlab", place / "netlab", ignore=ignored)
        for name in ("click", "dns", "yaml", *(path.name for path in packages.glob("_yaml*"))):
            shutil.copytree(packages / name, place / name, ignore=ignored)
        (place / "sbin").mkdir()
        shutil.copy(nginx.program(), place / "sbin" / "nginx")
        (place / "home").mkdir()
        os.chown(place / "home", USER, USER)
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def ingress_lab(name: str, directory: Path, user: int | None = None) -> Iterator[IngressLab]:
    """Yield a lab that is removed after the block."""
    lab = IngressLab(name, directory, user)
    try:
        yield lab
    finally:
        lab.down()


def topology(*cidrs: str) -> dict[str, Any]:
    networks = {"networks": [{"name": "default", "mode": "overlay", "podCIDRs": list(cidrs)}]} if cidrs else {}
    nodes = [{"name": "n1"}, {"name": "n2"}]
    hosts = [{"name": "client", "addresses": ["192.0.2.10", "2001:db8::10"]}]
    return _document("netlab/v1alpha1", "Topology", "lab", "", {**networks, "nodes": nodes, "hosts": hosts})


def pod(ref: str, app: str = "", *, server: bool = True, node: str = "") -> dict[str, Any]:
    """Return a Pod with an echo server on port 8080, its label ``app`` its own name by default."""
    ports = {"ports": [{"containerPort": 8080, "name": "web"}]} if server else {}
    namespace, _, name = ref.partition("/")
    spec = {"containers": [{"name": "c", **ports}], **({"nodeName": node} if node else {})}
    found = _document("v1", "Pod", name, namespace, spec)
    found["metadata"]["labels"] = {"app": app or name}
    return found


def service(ref: str) -> dict[str, Any]:
    namespace, _, name = ref.partition("/")
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "web", "name": "http"}]}
    return _document("v1", "Service", name, namespace, spec)


def ingress(
    ref: str,
    rules: Sequence[tuple[str, Sequence[str]]] = (),
    *,
    default: str = "",
    of_class: str = "",
    tls: Sequence[tuple[Sequence[str], str]] = (),
) -> dict[str, Any]:
    """Return an Ingress as ``ingresses.ingress`` writes it."""
    namespace, _, name = ref.partition("/")
    spec: dict[str, Any] = {}
    if rules:
        spec["rules"] = [{"host": host, "http": {"paths": list(map(_path, paths))}} for host, paths in rules]
    if default:
        spec["defaultBackend"] = _backend(default)
    if of_class:
        spec["ingressClassName"] = of_class
    if tls:
        spec["tls"] = [{"hosts": list(hosts), "secretName": secret} for hosts, secret in tls]
    return _document("networking.k8s.io/v1", "Ingress", name, namespace, spec)


def closed(ref: str, app: str) -> dict[str, Any]:
    """Return a NetworkPolicy that lets nothing in to the pods of an app."""
    namespace, _, name = ref.partition("/")
    spec = {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"]}
    return _document("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec)


def secret(ref: str, certificate: Path, key: Path) -> dict[str, Any]:
    namespace, _, name = ref.partition("/")
    data = {"tls.crt": certificate.read_bytes(), "tls.key": key.read_bytes()}
    encoded = {field: base64.b64encode(text).decode() for field, text in data.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": encoded}


def certificate(directory: Path, name: str, *hosts: str) -> tuple[Path, Path]:
    """Make a certificate for hosts that signs itself, by openssl; return its file and that of its key."""
    files = directory / f"{name}.crt", directory / f"{name}.key"
    names = ",".join(f"DNS:{host}" for host in hosts)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    files[0].chmod(0o644)
    return files


def _path(text: str) -> dict[str, Any]:
    path, _, to = text.rpartition(" ")
    kind = {"=": "Exact", "^": "Prefix", "~": "ImplementationSpecific"}[path[0]]
    return {"path": path[1:], "pathType": kind, "backend": _backend(to)}


def _backend(text: str) -> dict[str, Any]:
    name, _, port = text.partition(":")
    return {"service": {"name": name, "port": {"number": int(port)} if port.isdecimal() else {"name": port}}}


def _document(version: str, kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
