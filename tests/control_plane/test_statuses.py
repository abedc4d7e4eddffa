"""Statuses that netlab writes as the nodes, as a real API server keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from control_plane.control_plane import ControlPlane
from waiting import eventually

from netlab.cluster import resolve
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes import pod_status
from netlab.control_plane.nodes.registration import Registration
from netlab.control_plane.nodes.statuses import Statuses
from netlab.objects import decode
from netlab.objects.documents import parse

pytestmark = pytest.mark.kernel(needs=["openssl"])
NOW = "2026-01-01T00:00:00Z"
PATH = "/api/v1/namespaces/shop/pods/moving"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "moving", "namespace": "shop"},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x"}]},
}
DUAL_STACK = """apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: dual}
spec:
  networks: [{name: default, mode: bridge, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}]
  nodes: [{name: dual}]
"""


class Administrator:
    """What netlab asks an API server, by the connection of a test."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def request(self, method: str, path: str, body: Any = None, kind: str = "") -> Any:
        patch = kind.removeprefix("application/").partition("-patch")[0]
        status, value = self._plane.call(method, path, body, patch=patch)
        if status >= 400:
            raise ApiError(status, value["reason"], value["message"])
        return value

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.request("POST", path, body)

    def merge(self, path: str, body: Any) -> Any:
        return self.request("PATCH", path, body, "application/merge-patch+json")


@pytest.fixture
def client(plane: ControlPlane) -> Iterator[Client]:
    """Return a client that may all, with a connection of its own."""
    own = ControlPlane(plane.folder, plane.port)
    yield cast(Client, Administrator(own))
    own.close()


@pytest.fixture
def failed() -> list[str]:
    return []


@pytest.fixture
def writes(plane: ControlPlane, client: Client, failed: list[str]) -> Iterator[Statuses]:
    """Return what writes statuses, with a pod."""
    plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    plane.create(POD)
    found = Statuses(client, failed.append, lambda key: None)
    yield found
    found.close()


def pod(plane: ControlPlane) -> dict[str, Any]:
    return dict(plane.call("GET", PATH)[1])


def addresses(plane: ControlPlane) -> tuple[list[str], list[str]]:
    """Return the addresses of the pod and of its node, in both of their fields."""
    status = pod(plane)["status"]
    found = [[one["ip"] for one in status.get(f"{of}IPs") or ()] for of in ("pod", "host")]
    assert [one[0] if one else None for one in found] == [status.get("podIP"), status.get("hostIP")]
    return found[0], found[1]


def arrived(plane: ControlPlane, failed: list[str], of_pod: list[str], of_node: list[str]) -> bool:
    """Wait until the pod has these addresses; fail at once if the API server refused them."""
    eventually(lambda: failed or addresses(plane) == (of_pod, of_node))
    return not failed


def test_addresses_that_change_replace_the_old_ones(plane, writes, failed):
    """A strategic merge would keep both, and the API server allows one of each family."""
    for of_pod, of_node in (
        (["10.0.0.1"], ["100.64.0.1"]),
        (["10.0.0.2", "fd00::2"], ["100.64.0.2"]),
        ([], ["100.64.0.2"]),
        (["10.0.0.3"], ["100.64.0.2"]),
    ):
        writes.write(pod(plane), pod_status.running(pod(plane), of_pod, of_node, NOW))
        assert arrived(plane, failed, of_pod, of_node)


def test_a_pod_that_is_refused_has_no_addresses(plane, writes, failed):
    """The lab does not have it, and another pod may get them."""
    writes.write(pod(plane), pod_status.running(pod(plane), ["10.0.0.1"], ["100.64.0.1"], NOW))
    assert arrived(plane, failed, ["10.0.0.1"], ["100.64.0.1"])
    writes.write(pod(plane), pod_status.refused(pod(plane), "no", NOW))
    assert arrived(plane, failed, [], [])


def test_a_node_keeps_its_addresses_of_both_families(client):
    """Each is of the type InternalIP, so a strategic merge would take them for one."""
    objects, _ = decode(parse(DUAL_STACK, "topology.yaml")[0])
    cluster = resolve(objects)
    wanted = [str(one) for one in cluster.nodes[0].addresses]
    assert 2 == len(wanted)
    for _ in range(2):
        assert Registration(client, cluster, 10250).register()
        given = client.get("/api/v1/nodes/dual")["status"]["addresses"]
        assert [*wanted, "dual"] == [one["address"] for one in given]
