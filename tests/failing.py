"""A small cluster to let nodes and pods of it fail, without a kernel: its documents, and the states after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from netlab.cluster import Cluster, Placement, resolve
from netlab.cluster.replacement import LabState
from netlab.cluster.resolve_change import resolve_change
from netlab.objects import Document, Objects, decode
from netlab.objects.types import Source

Data = dict[str, Any]
Plan = Callable[[LabState], Iterable[Sequence[Document]]]


def document(data: Data) -> Document:
    return Document(data, Source("test.yaml"))


def topology(*nodes: str, name: str = "failing", mode: str = "overlay", **spec: Any) -> Data:
    networks = [{"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16"]}]
    made = {"networks": networks, "nodes": [{"name": one, "labels": {"own": one}} for one in nodes], **spec}
    return {"apiVersion": "netlab/v1alpha1", "kind": "Topology", "metadata": {"name": name}, "spec": made}


def workload(kind: str, name: str, replicas: int | None = None, *, image: str = "one", **spec: Any) -> Data:
    """Return a workload in namespace x whose pods have the label app; ``of_pods`` are fields of the template's spec."""
    of_pods = spec.pop("of_pods", {})
    template = {
        "metadata": {"labels": {"app": name, "image": image}},
        "spec": {"containers": [{"image": image, "ports": [{"containerPort": 80}]}], **of_pods},
    }
    size = {} if replicas is None else {"parallelism" if kind == "Job" else "replicas": replicas}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    metadata = {"name": name, "namespace": "x"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"template": template, **size, **spec}}


def service(name: str) -> Data:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "x"}, "spec": spec}


def pod(name: str, node: str = "", owner: str = "", **status: Any) -> Data:
    metadata: Data = {"name": name, "namespace": "x", "labels": {"app": name.partition("-")[0]}}
    if owner:
        kind, _, of = owner.partition(" ")
        metadata["ownerReferences"] = [{"kind": kind, "name": of, "controller": True}]
    spec: Data = {"containers": [], **({"nodeName": node} if node else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


class Failing:
    """The state of a lab, and ``seen``: the clusters after each step of the last change."""

    def __init__(self, *data: Data) -> None:
        self.documents: Sequence[Document] = [document(one) for one in data]
        self.objects, self.cluster = self._described()
        self.seen: list[Cluster] = []

    def go(self, plan: Plan) -> Failing:
        """Go through the states of a change; each is the one that a running lab would have."""
        self.seen = []
        for documents in plan(LabState(self.documents, self.objects, self.cluster)):
            before, cluster = self.objects, self.cluster
            self.documents = documents
            self.objects, self.cluster = self._described(cluster)
            quick = resolve_change(cluster, before, self.objects)
            assert quick is None or quick == self.cluster
            self.seen.append(self.cluster)
        return self

    def _described(self, before: Cluster | None = None) -> tuple[Objects, Cluster]:
        objects, problems = decode(self.documents)
        assert [] == [one for one in problems if one.severity == "error"]
        keep = {} if before is None else {one.ref: Placement(one.node, one.addresses) for one in before.pods}
        services = {} if before is None else {one.meta.key: one for one in before.services}
        return objects, replace(resolve(objects, keep, services), name="failing")

    def pods(self, start: str = "") -> dict[str, str]:
        """Return the nodes of the pods of namespace x by their names, of those whose name begins so."""
        return {one.name: one.node for one in self.cluster.pods if one.namespace == "x" and one.name.startswith(start)}

    def steps(self, start: str = "") -> list[str]:
        """Return the pods after each step: those that are not ready in brackets, those of another image with ``'``."""
        return [
            " ".join(
                _shown(one.name, ready=one.ready, new=one.labels.get("image") == "two")
                for one in cluster.pods
                if one.namespace == "x" and one.name.startswith(start)
            )
            for cluster in self.seen
        ]

    def kinds(self) -> list[str]:
        """Return the kinds of the documents that netlab wrote itself."""
        return [one.kind for one in self.documents if one.kind in ("StoppedNode", "WorkloadPods")]


def _shown(name: str, *, ready: bool, new: bool) -> str:
    text = f"{name}'" if new else name
    return text if ready else f"({text})"
