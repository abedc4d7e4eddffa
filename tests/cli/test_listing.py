"""Listed objects, as Kubernetes objects and as table cells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netlab.cli import listing
from netlab.cluster import Cluster, resolve
from netlab.lab.lab import NodeMachine
from netlab.objects import Document, decode
from netlab.objects.documents import parse
from netlab.report.listings import Listing

INPUT = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: small}
spec: {nodes: [{name: n1, labels: {zone: a}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: x, labels: {app: web}, annotations: {owner: me}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}, {containerPort: 53, protocol: UDP}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {hostNetwork: true}
---
apiVersion: v1
kind: Pod
metadata: {name: sealed, annotations: {netlab/network: none}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80}, {port: 53, protocol: UDP}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec: {podSelector: {matchLabels: {app: web}}, egress: [{}], policyTypes: [Egress, Ingress]}
"""


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    found, problems = parse(INPUT, "in.yaml")
    assert not problems
    return found


@pytest.fixture(scope="module")
def lab(documents: list[Document]) -> Cluster:
    return resolve(decode(documents)[0])


def pods(lab: Cluster) -> Listing:
    return listing.pods(lab, lambda name: f"/run/netns/{name}")


def objects(of: Listing) -> dict[str, Any]:
    return {item.name: item.object for item in of.items}


def test_a_pod_is_as_kubectl_prints_it(lab: Cluster) -> None:
    """With everything that netlab decided: node, addresses, network namespace."""

    assert {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "namespace": "x",
            "labels": {"app": "web"},
            "annotations": {"netlab/netns": "/run/netns/netlab.small.pod.x.web"},
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {
                    "name": "web",
                    "ports": [
                        {"name": "http", "containerPort": 80, "protocol": "TCP"},
                        {"containerPort": 53, "protocol": "UDP"},
                    ],
                }
            ],
        },
        "status": {
            "phase": "Running",
            "hostIP": "100.64.0.1",
            "hostIPs": [{"ip": "100.64.0.1"}],
            "podIP": "10.244.0.2",
            "podIPs": [{"ip": "10.244.0.2"}],
        },
    } == objects(pods(lab))["web"]


def test_a_host_network_pod_has_its_nodes_address_and_namespace(lab: Cluster) -> None:
    """As on a cluster."""
    agent = objects(pods(lab))["agent"]

    assert agent["spec"]["hostNetwork"]
    assert "100.64.0.1" == agent["status"]["podIP"]
    assert "/run/netns/netlab.small.node.n1" == agent["metadata"]["annotations"]["netlab/netns"]


def test_a_pod_without_a_network_has_no_address(lab: Cluster) -> None:
    """Its status has no ``podIP``."""
    status = objects(pods(lab))["sealed"]["status"]

    assert [] == status["podIPs"]
    assert "podIP" not in status


def test_the_interface_is_the_nodes_end(lab: Cluster) -> None:
    """Pods without a link have no interface."""
    ends = {item.name: item.wide[:2] for item in pods(lab).items}

    assert ("default (bridge)", "veth") == (ends["web"][0], ends["web"][1][:4])
    assert [("host", ""), ("none", "")] == [ends["agent"], ends["sealed"]]


def test_a_listed_pod_reads_back(lab: Cluster) -> None:
    """What ``get`` prints is input: the same pod, at the same address."""
    items = [*objects(listing.nodes(lab, str)).values(), *objects(pods(lab)).values()]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    again = resolve(decode(parse(text, "out.json")[0])[0])

    assert [(p.ref, p.node, p.attachment, p.addresses) for p in lab.pods] == [
        (p.ref, p.node, p.attachment, p.addresses) for p in again.pods
    ]


def test_a_node_has_its_addresses_and_cidrs(lab: Cluster) -> None:
    """InternalIP is the one on the underlay."""
    (item,) = listing.nodes(lab, str).items

    assert ("n1", "Ready", "4", "100.64.0.1") == item.cells
    assert {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]} == item.object["spec"]
    assert {"type": "InternalIP", "address": "100.64.0.1"} in item.object["status"]["addresses"]
    assert {"zone": "a"}.items() <= item.object["metadata"]["labels"].items()


def test_objects_on_a_machine_that_is_away_are_not_ready(lab: Cluster) -> None:
    """On many machines, wide tables have the machine; what is on one without an agent is NotReady and Unknown."""
    for ready, node, pod in ((True, "Ready", "Running"), (False, "NotReady", "Unknown")):
        machines = {"n1": NodeMachine("m1", ready)}
        (item,) = listing.nodes(lab, str, machines).items
        pods = listing.pods(lab, str, machines)

        assert (node, "m1") == (item.cells[1], item.wide[-1])
        assert {"m1"} == {item.object["metadata"]["annotations"][listing.MACHINE_ANNOTATION]}
        assert {(pod, "m1")} == {(one.cells[2], one.wide[-1]) for one in pods.items}
        assert {pod} == {one.object["status"]["phase"] for one in pods.items}
        assert "MACHINE" == pods.wide[-1]
    assert "MACHINE" not in listing.pods(lab, str).wide


def test_policies_are_the_documents(lab: Cluster, documents: list[Document]) -> None:
    """The object is the document; the table has its main fields."""
    (policy,) = listing.networkpolicies(lab, documents).items

    assert documents[5].data == policy.object
    assert (("x", "p", "app=web"), ("Ingress,Egress", "1", "in.yaml:25")) == (policy.cells, policy.wide)
