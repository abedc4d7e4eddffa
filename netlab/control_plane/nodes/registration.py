"""The nodes of a lab as Node objects: registered once, and kept alive by heartbeats."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from netlab.cluster import Cluster, Node
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes import node_objects
from netlab.control_plane.nodes.clock import now, now_exactly
from netlab.errors import NetlabError

_NODES = "/api/v1/nodes"
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
      every: the seconds between two heartbeats.
    """

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        kubelet_port: int,
        beats: Callable[[str], bool] = lambda node: True,
        failed: Callable[[str], None] = lambda text: None,
        every: float = 10.0,
    ) -> None:
        self._client, self._cluster, self._port = client, cluster, kubelet_port
        self._beats, self._failed, self._every = beats, failed, every
        self._uids: dict[str, str] = {}
        self._version = "v0.0.0"
        self._due = threading.Event()

    def register(self) -> None:
        """Create or update all Node objects, those that are alive with status and lease; raises ApiError, HostError."""
        self._version = str(self._client.get("/version").get("gitVersion") or self._version)
        for node in self._cluster.nodes:
            self._register(node)
            if self._beats(node.name):
                self._write_status(node)
        self.beat()

    def beat_forever(self, stopped: threading.Event) -> None:
        """Beat until the event is set; a failure is told, and the next heartbeat tries again."""
        while not stopped.is_set():
            self._due.wait(self._every)
            self._due.clear()
            if stopped.is_set():
                return
            try:
                self.beat()
            except (NetlabError, OSError) as error:
                self._failed(f"heartbeat: {error}")

    def beat_soon(self) -> None:
        """Let ``beat_forever`` beat now."""
        self._due.set()

    def beat(self) -> None:
        """Renew the lease of each node that is alive, and write the status of those that are not ready.

        A node is not ready if it, or the API server, was away for a while. Raises ApiError, HostError.
        """
        alive = [node for node in self._cluster.nodes if node.name in self._uids and self._beats(node.name)]
        for node in alive:
            self._renew(node.name)
        unready = {one["metadata"]["name"] for one in self._client.get(_NODES).get("items") or () if not _is_ready(one)}
        for node in alive:
            if node.name in unready:
                self._write_status(node)

    def _register(self, node: Node) -> None:
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

    def _write_status(self, node: Node) -> None:
        status = node_objects.node_status(node, self._version, self._port, now())
        self._client.request("PATCH", f"{_NODES}/{node.name}/status", {"status": status}, STRATEGIC)

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


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
