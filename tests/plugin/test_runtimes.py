"""Real runtimes: cnitool of the CNI project, and podman with a container."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugin.runtime import container, interfaces
from sizes import HANGS

from netlab import Lab
from netlab.objects import decode
from netlab.objects.documents import parse

pytestmark = pytest.mark.plugins

PLUGINS = Path(sysconfig.get_paths()["scripts"])
TEXT = """
apiVersion: netlab/v1alpha1
kind: Topology
spec: {nodes: [{name: n1}, {name: n2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: default}
spec:
  podSelector: {}
  policyTypes: [Ingress]
"""


def _program(name: str) -> str:
    """Return the path of a runtime; skip the test without it, as its target installs it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


@pytest.fixture
def lab(unique: Callable[[str], str]) -> Iterator[str]:
    """The name of a lab of two nodes with a pod and a policy that denies all ingress."""
    name = unique("runtime")
    documents, _ = parse(TEXT, "lab.yaml")
    with Lab.up(decode(documents)[0], name=name) as made:
        yield name
        made.down()


def test_cnitool(lab: str, tmp_path: Path) -> None:
    """ADD, CHECK and DEL of a conflist; policy holds for the container."""
    tool = _program("cnitool")
    plugin = {"type": "netlab-cni", "lab": lab, "node": "n2"}
    text = json.dumps({"cniVersion": "1.0.0", "name": "net", "plugins": [plugin]})
    (tmp_path / "net.conflist").write_text(text)
    environment = {
        "PATH": os.environ["PATH"],
        "CNI_PATH": str(PLUGINS),
        "NETCONFPATH": str(tmp_path),
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=c",
    }
    with container() as place:
        for command in ("add", "check"):
            subprocess.run([tool, command, "net", place], env=environment, check=True, timeout=HANGS)
        with Lab.open(lab) as made:
            ends = made.cluster.by_ref["default/web"], made.cluster.by_ref["default/c"]
            assert "deny" == _verdict(made, *ends)
            assert "deny" == _verdict(made, *reversed(ends))
            assert "allow" == _verdict(made, made.cluster.by_ref["node:n2"], ends[1])
        subprocess.run([tool, "del", "net", place], env=environment, check=True, timeout=HANGS)
        assert {"lo"} == {*interfaces(place)}


def _verdict(made: Lab, source: object, destination: object) -> str:
    from netlab.cluster.flows import Flow
    from netlab.cluster.types import address_of

    flow = Flow(source, destination, 4, "TCP", 80, address_of(destination, 4))  # type: ignore[arg-type]
    return next(iter(made.probe([flow]))).verdict


def test_podman(lab: str, tmp_path: Path) -> None:
    """A container of podman is a pod of the lab from its start to its end."""
    podman, runc, busybox = _program("podman"), _program("runc"), _program("busybox")
    root = tmp_path / "root"
    for name in ("bin", "etc", "dev", "proc", "sys", "tmp", "run"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in ("sh", "sleep", "ip"):
        (root / "bin" / name).symlink_to("busybox")
    networks = tmp_path / "net.d"
    networks.mkdir()
    plugin = {"type": "netlab-cni", "lab": lab, "node": "n2"}
    (networks / "lab.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": "lab", "plugins": [plugin]}))
    (tmp_path / "containers.conf").write_text(
        f'[network]\nnetwork_backend = "cni"\ncni_plugin_dirs = ["{PLUGINS}"]\nnetwork_config_dir = "{networks}"\n'
        f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\n'
        f'[engine.runtimes]\nrunc = ["{runc}"]\n'
    )
    environment = {"PATH": os.environ["PATH"], "CONTAINERS_CONF": str(tmp_path / "containers.conf")}
    base = [podman, "--root", f"{tmp_path}/store", "--runroot", f"{tmp_path}/state", "--storage-driver", "vfs"]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*base, *arguments], env=environment, capture_output=True, text=True, timeout=HANGS, check=False
        )

    def run(*arguments: str) -> str:
        done = call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    name = f"{lab}-c"
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    # Newer ones call no CNI plugins, and not every machine lets a container start.
    alone = call("run", "--rm", *limits, "--network", "none", "--rootfs", str(root), "/bin/sleep", "0")
    if alone.returncode:
        pytest.skip(f"podman runs no container here: {alone.stderr.strip()}")
    try:
        run("run", "-d", "--name", name, *limits, "--network", "lab", "--rootfs", str(root), "/bin/sleep", "300")
        seen = run("exec", name, "/bin/ip", "addr", "show", "eth0")
        with Lab.open(lab) as made:
            (pod,) = [pod for pod in made.cluster.pods if pod.name != "web"]
            assert str(pod.addresses[0]) in seen
            web = made.cluster.by_ref["default/web"]
            assert "deny" == _verdict(made, web, pod)
            assert "allow" == _verdict(made, made.cluster.by_ref["node:n2"], pod)
    finally:
        run("rm", "-f", "-t", "0", name)
    with Lab.open(lab) as made:
        assert ["default/web"] == [pod.ref for pod in made.cluster.pods]
