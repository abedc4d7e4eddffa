"""An export of ``kubectl get -o yaml`` holds workloads and their pods: every pod counts once."""

from __future__ import annotations

from pathlib import Path

from netlab.cluster import resolve
from netlab.objects import load

EXPORT = """
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop, uid: d1}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: web-6d4b
    namespace: shop
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}]
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}
"""

POD = """
- apiVersion: v1
  kind: Pod
  metadata:
    name: web-6d4b-x7
    namespace: shop
    labels: {app: web}
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-6d4b, uid: r1, controller: true}]
  spec: {nodeName: node-1, containers: [{name: c, image: i}]}
  status: {phase: Running, podIP: 10.244.3.9, podIPs: [{ip: 10.244.3.9}]}
"""


def _cluster(tmp_path: Path, text: str):
    (tmp_path / "export.yaml").write_text(text)
    return resolve(load([str(tmp_path)])[0])


def test_exported_pods_stand_for_their_workloads(tmp_path):
    """A Deployment makes no pods if its pods are in the export, and neither does its ReplicaSet."""
    found = _cluster(tmp_path, EXPORT + POD + "---\n{apiVersion: v1, kind: Node, metadata: {name: node-1}}\n")

    assert ["shop/web-6d4b-x7"] == [pod.ref for pod in found.pods]
    assert "10.244.3.9" == str(found.pods[0].addresses[0])
    assert "shop/web-6d4b-x7" == found.by_workload["shop/web"].ref


def test_a_workload_without_its_pods_makes_them_once(tmp_path):
    """A Deployment and its ReplicaSet make their pods once, with names of the Deployment."""
    found = _cluster(tmp_path, EXPORT)

    assert ["shop/web-0", "shop/web-1"] == [pod.ref for pod in found.pods]
