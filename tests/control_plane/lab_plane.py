"""A control plane that ``netlab control-plane`` starts, with the commands that tests give it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from waiting import eventually

from netlab.cluster.flows import Flow
from netlab.lab.lab import Lab

# Lines of each text that a failed test shows.
_SHOWN = 40
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
    """A control plane of a lab: netlab's commands, kubectl, and the lab itself; ``options`` are those of ``up``."""

    def __init__(self, folder: Path, name: str, options: Sequence[str] = ()) -> None:
        self.folder, self.name, self.options = folder, name, options
        self.kubeconfig = folder / "kubeconfig"

    def netlab(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "netlab", *words], cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def up(self, *objects: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return self.netlab(*self._up(*objects))

    def again(self) -> None:
        """Repeat the command that started it, with the same input."""
        chosen = ("--kubeconfig", str(self.kubeconfig))
        self.netlab("control-plane", "up", "-f", "lab.yaml", *chosen)

    def starting(self, *objects: dict[str, Any]) -> subprocess.Popen[bytes]:
        """Return a command that starts the control plane, and is not waited for."""
        words = [sys.executable, "-m", "netlab", *self._up(*objects)]
        null = subprocess.DEVNULL
        return subprocess.Popen(words, cwd=self.folder, stdin=null, stdout=null, stderr=null)

    def _up(self, *objects: dict[str, Any]) -> tuple[str, ...]:
        """Write the input; return the words of the command."""
        nodes = [{"name": "n1", "labels": LABELS}, {"name": "n2"}, {"name": "n3"}]
        topology = {
            "apiVersion": "netlab/v1alpha1",
            "kind": "Topology",
            "metadata": {"name": self.name},
            "spec": {"networks": [{"name": "default", "mode": "overlay"}], "nodes": nodes},
        }
        (self.folder / "lab.yaml").write_text(yaml.safe_dump_all([topology, *objects]))
        (self.folder / "abac.jsonl").write_text(f"{json.dumps(ABAC)}\n")
        chosen = ("--abac", "abac.jsonl", "--admission-plugins", "AlwaysPullImages", "--host-programs", "asked")
        return ("control-plane", "up", "-f", "lab.yaml", "--kubeconfig", str(self.kubeconfig), *chosen, *self.options)

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

    def make_namespace(self, name: str) -> None:
        """Create a namespace, and wait for its account: without that the API server refuses pods."""
        self.kubectl("create", "namespace", name)
        ask = ("get", "serviceaccount", "default", "-n", name, "-o", "name")
        eventually(lambda: self.kubectl(*ask, check=False) == "serviceaccount/default\n")

    def all_ready(self) -> bool:
        """Return whether ``status`` says that each program is ready. ``up`` waits for some of them only."""
        return self.netlab("control-plane", "status", "--lab", self.name, check=False).returncode == 0

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

    def shown(self) -> list[tuple[str, str]]:
        """Return what a reader of a failed test asks: titles and texts, the newest lines of each."""
        asked = {
            "pods": ("get", "pods", "-A", "-o", "wide"),
            "nodes": ("get", "nodes", "-o", "wide"),
            "replica sets": ("get", "replicasets", "-A", "-o", "wide"),
            "events": ("get", "events", "-A", "--sort-by=.lastTimestamp"),
        }
        found = [(title, self.kubectl(*words, "--request-timeout=10s", check=False)) for title, words in asked.items()]
        for program in ("agent", "kube-controller-manager", "kube-scheduler", "kube-apiserver"):
            file = self.log(program) / "output"
            if file.exists():
                found.append((f"output of {program}", file.read_text(errors="replace")))
        return [(title, "\n".join(text.splitlines()[-_SHOWN:])) for title, text in found]

    def process(self, program: str) -> int:
        return int((self.log(program) / "process").read_text().split()[0])


def running(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in pods if one["status"]["phase"] == "Running" and "deletionTimestamp" not in one["metadata"]]


def gone(pid: int) -> bool:
    """Return whether a process has ended; nobody may have waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def lacking() -> list[str]:
    """Return the programs that are not here."""
    return [name for name in PROGRAMS if shutil.which(name) is None]
