"""The nodes of a lab as Node objects: registered once, and kept alive by heartbeats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from netlab.cluster import Cluster, Node
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes import node_objects
from netlab.control_plane.nodes.clock import now, now_exactly
from netlab.errors import NetlabError

_NODES = "/api/v1/nodes"
# Seconds between two heartbeats, as kubelets have it; the controller waits for 40.
_BEAT = 10.0
_PATIENCE, _PAUSE = 30.0, 0.1
_NOT_FOUND, _CONFLICT = 404, 409
STRATEGIC = "application/strategic-merge-patch+json"


class Registration:
    """The Node objects of a lab.

    Args:
      client: the user that writes them.
      cluster: the lab's cluster.
      kubelet_port: where netlab answers as their kubelets.
      beats: whether a node is alive; by default all are.
      failed: called with each failure, in words.
    """

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        kubelet_port: int,
        beats: Callable[[str], bool] = lambda node: True,
        failed: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._client, self._cluster, self._port = client, cluster, kubelet_port
        self._beats, self._failed = beats, failed
        self._uids: dict[str, str] = {}

    def register(self) -> None:
        """Create or update all Node objects with status and lease; raises ApiError, HostError."""
        version = str(self._client.get("/version").get("gitVersion") or "v0.0.0")
        for node in self._cluster.nodes:
            self._register(node, version)
        self.beat()

    def beat_forever(self, stopped: threading.Event) -> None:
        """Renew the leases until the event is set; a failure is told, and the next heartbeat tries again."""
        while not stopped.wait(_BEAT):
            try:
                self.beat()
            except (NetlabError, OSError) as error:
                self._failed(f"heartbeat: {error}")

    def beat(self, names: Iterable[str] = ()) -> None:
        """Renew the lease of each node that is alive, or of these nodes."""
        for name in names or self._uids:
            if self._beats(name):
                self._renew(name)

    def _register(self, node: Node, version: str) -> None:
        wanted = node_objects.node_object(self._cluster, node)
        path = f"{_NODES}/{node.name}"
        try:
            made = self._client.post(_NODES, wanted)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            # The ranges of a Node cannot change.
            made = self._client.merge(path, {"metadata": {"labels": wanted["metadata"]["labels"]}})
        self._uids[node.name] = str(made["metadata"]["uid"])
        status = node_objects.node_status(node, version, self._port, now())
        self._client.request("PATCH", f"{path}/status", {"status": status}, STRATEGIC)

    def _renew(self, name: str) -> None:
        path = f"{node_objects.LEASES}/{name}"
        try:
            self._client.merge(path, {"spec": {"renewTime": now_exactly()}})
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            self._create_lease(name)

    def _create_lease(self, name: str) -> None:
        """Create a lease; its namespace comes a moment after the API server."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._client.post(node_objects.LEASES, node_objects.lease(name, self._uids[name], now_exactly()))
                return
            except ApiError as error:
                if error.status != _NOT_FOUND or time.monotonic() > until:
                    raise
            time.sleep(_PAUSE)
