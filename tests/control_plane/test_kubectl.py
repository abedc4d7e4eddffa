"""What users type: kubectl and helm, unmodified, against a control plane in front of a lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from control_plane.lab_plane import Plane, running
from waiting import eventually

pytestmark = pytest.mark.kernel(needs=["openssl"])
LABELS = {"app": "api"}


def deployment(image: str, replicas: int = 2) -> dict[str, object]:
    containers = [{"name": "c", "image": image}]
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": containers}}
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    metadata = {"name": "api", "namespace": "kubectl"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def plane(started: Plane):
    """Return the control plane, with a namespace and a Deployment of two pods that run."""
    started.make_namespace("kubectl")
    started.apply(deployment("example/api:1"))
    started.kubectl("rollout", "status", "deployment/api", "-n", "kubectl", "--timeout=60s")
    yield started
    started.kubectl("delete", "namespace", "kubectl", "--timeout=60s")


def of(plane: Plane, *words: str, check: bool = True) -> str:
    return plane.kubectl(*words, "-n", "kubectl", check=check)


def images(plane: Plane) -> set[str]:
    return {one["spec"]["containers"][0]["image"] for one in running(plane.pods("kubectl"))}


def _settled(plane: Plane, number: int) -> bool:
    """Return whether there are so many pods, all run, and the controllers have seen two of them in the Deployment.

    Before that they may delete a pod that a test has chosen.
    """
    of_controllers = plane.get("deployment", "api", "-n", "kubectl")["status"]
    pods = plane.pods("kubectl")
    return (
        number == len(pods) == len(running(pods))
        and 2 == of_controllers.get("readyReplicas") == of_controllers["replicas"]
    )


def test_a_rollout_is_followed_undone_and_restarted(plane):
    """The real controllers replace the pods; each one is another pod with an address."""
    plane.apply(deployment("example/api:2"))
    assert "successfully rolled out" in of(plane, "rollout", "status", "deployment/api", "--timeout=60s")
    assert eventually(lambda: images(plane) == {"example/api:2"})
    of(plane, "rollout", "undo", "deployment/api")
    of(plane, "rollout", "status", "deployment/api", "--timeout=60s")
    assert eventually(lambda: images(plane) == {"example/api:1"})

    before = {one["metadata"]["uid"] for one in running(plane.pods("kubectl"))}
    of(plane, "rollout", "restart", "deployment/api")
    of(plane, "rollout", "status", "deployment/api", "--timeout=60s")
    after = eventually(lambda: len(now := running(plane.pods("kubectl"))) == 2 and now)
    assert not before & {one["metadata"]["uid"] for one in after}
    assert 2 == len({one["status"]["podIP"] for one in after})


def test_a_deployment_is_scaled_and_waited_for(plane):
    """`kubectl wait` sees conditions and deletions."""
    of(plane, "scale", "deployment/api", "--replicas=4")
    of(plane, "wait", "deployment/api", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=60s")
    gone = running(plane.pods("kubectl"))[0]["metadata"]["name"]
    of(plane, "wait", f"pod/{gone}", "--for=condition=Ready", "--timeout=60s")
    of(plane, "scale", "deployment/api", "--replicas=2")
    of(plane, "delete", "pod", gone, "--wait=false", "--ignore-not-found")
    of(plane, "wait", f"pod/{gone}", "--for=delete", "--timeout=60s")

    assert eventually(lambda: _settled(plane, 2))


def test_labels_and_annotations_change_what_a_service_selects(plane):
    """A pod that loses the label leaves the Deployment, which makes another one."""
    eventually(lambda: _settled(plane, 2))
    name = running(plane.pods("kubectl"))[0]["metadata"]["name"]
    of(plane, "label", "pod", name, "app=alone", "--overwrite")
    of(plane, "annotate", "pod", name, "example.com/why=test")
    try:
        assert eventually(lambda: _settled(plane, 3))
        shown = of(plane, "describe", "pod", name)
        assert "example.com/why: test" in shown
        assert "Status:           Running" in shown
    finally:
        of(plane, "delete", "pod", name, "--timeout=90s")


def test_a_node_is_drained_and_takes_pods_again(plane):
    """Its pods are evicted and run elsewhere, and `uncordon` ends that."""
    eventually(lambda: _settled(plane, 2))
    node = running(plane.pods("kubectl"))[0]["spec"]["nodeName"]
    plane.kubectl("drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
    try:
        eventually(lambda: len(running(plane.pods("kubectl"))) == 2)
        assert node not in {one["spec"]["nodeName"] for one in running(plane.pods("kubectl"))}
        assert "SchedulingDisabled" in plane.kubectl("get", "node", node)
    finally:
        plane.kubectl("uncordon", node)
    assert "SchedulingDisabled" not in plane.kubectl("get", "node", node)


def test_files_are_copied_out_of_a_pod(plane, tmp_path):
    """`kubectl cp` runs the host's tar in the pod."""
    name = running(plane.pods("kubectl"))[0]["metadata"]["name"]
    of(plane, "cp", f"{name}:/etc/hostname", str(tmp_path / "hostname"))

    assert (tmp_path / "hostname").read_text().strip()


def test_helm_installs_upgrades_and_removes_a_chart(plane, tmp_path):
    """A local chart of a Deployment and a Service; helm waits until the pods are ready."""
    if shutil.which("helm") is None:
        pytest.skip("needs helm")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: web, version: 1.0.0}\n")
    (chart / "values.yaml").write_text("replicas: 1\n")
    labels = {"chart": "web"}
    spec = {"containers": [{"name": "c", "image": "example/web"}]}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "{{ .Release.Name }}"},
        "spec": {
            "replicas": "REPLICAS",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "{{ .Release.Name }}"},
        "spec": {"selector": labels, "ports": [{"port": 80}]},
    }
    text = yaml.safe_dump_all([web, service]).replace("REPLICAS", "{{ .Values.replicas }}")
    (chart / "templates" / "web.yaml").write_text(text)
    helm = _Helm(plane, tmp_path)

    helm("install", "shop", str(chart), "--wait", "--timeout=60s")
    assert 1 == len(_of_chart(plane))
    helm("upgrade", "shop", str(chart), "--set", "replicas=3", "--wait", "--timeout=60s")
    assert eventually(lambda: len(_of_chart(plane)) == 3)
    assert ["shop"] == [one["name"] for one in json.loads(helm("list", "-o", "json"))]
    helm("uninstall", "shop", "--wait", "--timeout=60s")
    assert eventually(lambda: not _of_chart(plane))
    assert "NotFound" in of(plane, "get", "service", "shop", check=False)


class _Helm:
    """helm for the namespace of these tests, with files of its own."""

    def __init__(self, plane: Plane, folder: Path) -> None:
        self._words = ["helm", "--kubeconfig", str(plane.kubeconfig), "-n", "kubectl"]
        names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        self._environment = os.environ | {name: str(folder / name) for name in names}

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._words, *words], env=self._environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout


def _of_chart(plane: Plane) -> list[str]:
    pods = running(plane.pods("kubectl"))
    return [one["metadata"]["name"] for one in pods if one["metadata"]["labels"].get("chart") == "web"]
