"""The endpoint of the Service of the API server: which node it is, and that it stays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from builders import cluster, topology

from netlab.cluster import Cluster
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes.api_server_endpoints import ApiServerEndpoints, address_of, objects

_SERVICES = {4: "10.96.0.0/16", 6: "fd00:96::/112"}


class Server(Client):
    """An API server that keeps what is written; it refuses the first ``failures`` requests."""

    def __init__(self, failures: int = 0) -> None:
        self.written: list[dict[str, Any]] = []
        self.failures = failures
        self.has = threading.Semaphore(0)

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.failures:
            self.failures -= 1
            raise ApiError(404, "NotFound", "namespaces default not found")
        self.written.append({"path": path, **body})
        self.has.release()
        return body


def of(*stopped: str, families: Sequence[int] = (4,)) -> Cluster:
    found = cluster(topology(["n1", "n2"], cidrs=["10.244.0.0/16", "fd00:10::/56"]))
    services = tuple(ip_network(_SERVICES[family]) for family in families)
    nodes = tuple(replace(one, stopped=one.name in stopped) for one in found.nodes)
    return replace(found, nodes=nodes, service_cidrs=services)


def addresses(cluster: Cluster, node: str) -> list[str]:
    return [str(one) for one in cluster.node(node).addresses]


def everywhere(cluster: Cluster) -> list[str]:
    return [one for node in cluster.nodes for one in addresses(cluster, node.name)]


@pytest.mark.parametrize("families", [(4,), (6,), (4, 6), (6, 4)])
def test_the_endpoint_is_the_first_node_in_the_family_of_the_service(families):
    """The Service has one family, also in a cluster with both."""
    lab = of(families=families)
    expected = [one for one in addresses(lab, "n1") if (":" in one) == (lab.service_cidrs[0].version == 6)]

    assert expected == [address_of(lab, everywhere(lab))]


def test_another_node_takes_over_from_one_that_is_stopped():
    """And from one at which netlab could not listen."""
    lab = of("n1")

    assert addresses(lab, "n2")[:1] == [address_of(lab, everywhere(lab))]
    assert addresses(lab, "n2")[:1] == [address_of(of(), addresses(lab, "n2"))]


def test_without_a_node_or_a_service_range_there_is_no_endpoint():
    """What was written before stays."""
    lab = of("n1", "n2")
    server = Server()
    ApiServerEndpoints(server, lambda: lab, everywhere(lab), print).write()

    assert [] == server.written
    assert "" == address_of(replace(of(), service_cidrs=()), everywhere(lab))


@pytest.mark.parametrize(("address", "kind"), [("100.64.0.1", "IPv4"), ("fd00::1", "IPv6")])
def test_endpoints_and_slice_say_the_same(address, kind):
    """As those that the API server writes; the controllers make no third one of them."""
    (path, endpoints), (path_of_slice, slice_) = objects(address)

    assert "/api/v1/namespaces/default/endpoints/kubernetes" == path
    assert "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes" == path_of_slice
    port = {"name": "https", "port": 6443, "protocol": "TCP"}
    assert [{"addresses": [{"ip": address}], "ports": [port]}] == endpoints["subsets"]
    assert (kind, [address], [port]) == (slice_["addressType"], slice_["endpoints"][0]["addresses"], slice_["ports"])
    assert {"kubernetes.io/service-name": "kubernetes"} == slice_["metadata"]["labels"]
    assert {"endpointslice.kubernetes.io/skip-mirror": "true"} == endpoints["metadata"]["labels"]


def test_it_is_written_at_once_and_again_when_nodes_were_stopped():
    """A failure is told, and tried again."""
    said: list[str] = []
    labs = [of(), of("n1")]
    server, stopped = Server(failures=1), threading.Event()
    found = ApiServerEndpoints(server, lambda: labs[0], everywhere(labs[0]), said.append)
    thread = threading.Thread(target=found.run, args=(stopped,))
    thread.start()
    try:
        assert all(server.has.acquire(timeout=30) for _ in range(2))
        del labs[0]
        found.soon()
        assert all(server.has.acquire(timeout=30) for _ in range(2))
    finally:
        stopped.set()
        found.soon()
        thread.join()
    lab = of()

    assert ["endpoint of the API server: namespaces default not found"] == said
    shown = [one["subsets"][0]["addresses"][0]["ip"] for one in server.written if one["kind"] == "Endpoints"]
    assert [addresses(lab, "n1")[0], addresses(lab, "n2")[0]] == shown
