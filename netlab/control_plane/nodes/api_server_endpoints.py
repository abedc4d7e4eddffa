"""The endpoint of the Service ``default/kubernetes``: a node, where netlab listens for the API server.

The API server would write its own address, which no pod of a lab reaches. netlab writes the address of a node instead,
as Endpoints and as an EndpointSlice. There is one endpoint, so a policy treats all connections alike. If the node is
stopped, the endpoint is the next node that runs.

Source: Kubernetes, pkg/controlplane/reconcilers (which objects the API server writes, and their labels).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from netlab.cluster import Cluster
from netlab.control_plane.api import Client
from netlab.control_plane.nodes.api_server_relay import PORT
from netlab.errors import NetlabError
from netlab.objects.kinds import endpoints, endpointslice

NAMESPACE, NAME = "default", "kubernetes"
_PORT_NAME = "https"
# Seconds between two looks, as the API server has it, and after a failure.
_EVERY, _PAUSE = 10.0, 1.0


class ApiServerEndpoints:
    """Keeps the endpoint of the API server's Service.

    Args:
      client: the user that writes it.
      cluster: returns the lab's cluster, with the nodes that are stopped now.
      addresses: those at which the relay listens.
      failed: called with each failure, in words.
    """

    def __init__(
        self,
        client: Client,
        cluster: Callable[[], Cluster],
        addresses: Collection[str],
        failed: Callable[[str], object],
    ) -> None:
        self._client, self._cluster, self._addresses, self._failed = client, cluster, addresses, failed
        self._due = threading.Event()

    def run(self, stopped: threading.Event) -> None:
        """Write the endpoint, again and again, until the event is set: users may change or delete it."""
        wait = 0.0
        while True:
            self._due.wait(wait)
            self._due.clear()
            if stopped.is_set():
                return
            wait = _EVERY
            try:
                self.write()
            except (NetlabError, OSError) as error:
                self._failed(f"endpoint of the API server: {error}")
                wait = _PAUSE

    def soon(self) -> None:
        """Let ``run`` look now: nodes were stopped or started."""
        self._due.set()

    def write(self) -> None:
        """Write the endpoint; it stays as it is if all nodes are stopped. Raises ApiError, HostError."""
        address = address_of(self._cluster(), self._addresses)
        if address:
            for path, body in objects(address):
                self._client.apply(path, body)


def address_of(cluster: Cluster, addresses: Collection[str]) -> str:
    """Return the address of the first node that runs, of the family of the API server's Service; "" if there is none.

    ``addresses`` are those at which the relay listens.
    """
    if not cluster.service_cidrs:
        return ""
    family = cluster.service_cidrs[0].version
    of_nodes = (one for node in cluster.nodes if not node.stopped for one in node.addresses)
    return next((str(one) for one in of_nodes if one.version == family and str(one) in addresses), "")


def objects(address: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the Endpoints and the EndpointSlice of an address, each with its path."""
    port = {"name": _PORT_NAME, "port": PORT, "protocol": "TCP"}
    whole = {
        "apiVersion": endpoints.KIND.api_version,
        "kind": endpoints.KIND.name,
        # netlab writes the slice itself.
        "metadata": {"name": NAME, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": address}], "ports": [port]}],
    }
    slice_ = {
        "apiVersion": endpointslice.KIND.api_version,
        "kind": endpointslice.KIND.name,
        "metadata": {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [port],
    }
    return [
        (f"/api/v1/namespaces/{NAMESPACE}/endpoints/{NAME}", whole),
        (f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/{NAME}", slice_),
    ]
