"""Where the API server may connect to in a lab."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netlab.cluster import Cluster, resolve
from netlab.control_plane.nodes.reachable import Place, Unreachable, place_of
from netlab.objects import decode
from netlab.objects.documents import parse

KUBELETS = 43210
TEXT = """
{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: lab},
 spec: {nodes: [{name: n1}, {name: n2}], hosts: [{name: client, addresses: [192.0.2.7]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
 spec: {nodeName: n2, containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: host, namespace: shop},
 spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop},
 spec: {clusterIP: 10.96.0.50, selector: {app: web}, ports: [{port: 443, targetPort: 8443}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: none, namespace: shop},
 spec: {clusterIP: 10.96.0.51, selector: {app: none}, ports: [{port: 443}]}}
"""


@pytest.fixture
def lab() -> Cluster:
    documents, _ = parse(TEXT, "lab.yaml")
    return resolve(decode(documents)[0])


def address(lab: Cluster, ref: str) -> str:
    return str(lab.by_ref[ref].addresses[0])


def test_a_pod_is_reached_from_its_node(lab):
    """As the kubelet reaches it: policies do not stop a node's packets to its own pods."""
    web = address(lab, "shop/web")

    assert Place("netlab.lab.node.n2", web, 80) == place_of(lab, web, 80, KUBELETS)


def test_a_nodes_address_is_the_node_and_at_the_ports_of_kubelets_its_kubelet(lab):
    """netlab is the kubelet, on the host's loopback address. A pod of the host's network is at the node's address."""
    node = address(lab, "node:n1")

    assert node == address(lab, "shop/host")
    assert Place("", "127.0.0.1", KUBELETS) == place_of(lab, node, KUBELETS, KUBELETS)
    assert Place("", "127.0.0.1", KUBELETS) == place_of(lab, node, 10250, KUBELETS)
    assert Place("netlab.lab.node.n1", node, 80) == place_of(lab, node, 80, KUBELETS)


def test_a_service_stands_for_one_of_its_endpoints(lab):
    """So a webhook's Service is reached from the node of the pod that answers."""
    found = place_of(lab, "10.96.0.50", 443, KUBELETS)

    assert Place("netlab.lab.node.n2", address(lab, "shop/web"), 8443) == found


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("localhost", "localhost is no IP address"),
        ("127.0.0.1", "no pod, node or Service of the lab has the address 127.0.0.1"),
        ("169.254.169.254", "no pod, node or Service of the lab has the address 169.254.169.254"),
        ("8.8.8.8", "no pod, node or Service of the lab has the address 8.8.8.8"),
        ("::1", "no pod, node or Service of the lab has the address ::1"),
        ("10.96.0.51", "no pod of namespace 'shop' with an IPv4 address has app=none"),
    ],
)
def test_nothing_else_is_reached(lab, host, message):
    """Neither the host's own programs, at the port of kubelets too, nor other machines."""
    for port in (80, 443, KUBELETS):
        with pytest.raises(Unreachable) as caught:
            place_of(lab, host, port, KUBELETS)
        if port == 443 or host != "10.96.0.51":
            assert message in str(caught.value)


def test_an_outside_host_is_not_reached(lab):
    """It is no machine of the cluster."""
    with pytest.raises(Unreachable):
        place_of(lab, address(lab, "host:client"), 80, KUBELETS)


def test_a_stopped_node_and_its_pods_are_not_reached(lab):
    """Its kubelet neither, so `kubectl exec` says so."""
    stopped = replace(lab, nodes=tuple(replace(one, stopped=one.name == "n2") for one in lab.nodes))
    for host, port in ((address(lab, "shop/web"), 80), (address(lab, "node:n2"), KUBELETS), ("10.96.0.50", 443)):
        with pytest.raises(Unreachable, match=r"node n2 is stopped|has no ready endpoint"):
            place_of(stopped, host, port, KUBELETS)
