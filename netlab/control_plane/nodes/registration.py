"""The nodes of a lab as Node objects: registered once, and kept alive by heartbeats.

Source: Kubernetes, the kubelet's registerWithAPIServer: it tries for ever, as admission may need a pod of the node.
"""

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
_NO_VERSION = "v0.0.0"
STRATEGIC = "application/strategic-merge-patch+json"
REPLACE = {"$patch": "replace"}
"""The element of a list of a strategic merge patch that lets the list replace that of the object."""


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
        self._unregistered = list(cluster.nodes)
        self._version = ""
        self._due = threading.Event()

    def register_all(self, stopped: threading.Event) -> None:
        """Register the nodes, or try until the event is set.

        Beside it ``beat_forever`` runs: a webhook that does not answer holds each request up for seconds.
        """
        pause = _PAUSE
        while not self.register() and not stopped.wait(pause):
            pause = min(2 * pause, self._every)

    def beat_forever(self, stopped: threading.Event) -> None:
        """Beat until the event is set; a failure is told, and the next heartbeat tries again."""
        while not stopped.is_set():
            try:
                self.beat()
            except (NetlabError, OSError) as error:
                self._failed(f"heartbeat: {error}")
            self._due.wait(self._every)
            self._due.clear()

    def register(self) -> bool:
        """Create or update the Node objects that are not registered yet, those that are alive with status.

        Each failure is reported, and does not end the loop. Return whether all nodes are registered.
        """
        for node in list(self._unregistered):
            try:
                self._register(node)
                self.beat_soon()
                self._unregistered.remove(node)
            except (NetlabError, OSError) as error:
                self._failed(f"node {node.name} is not registered: {error}")
        return not self._unregistered

    def beat_soon(self) -> None:
        """Let ``beat_forever`` beat now."""
        self._due.set()

    def beat(self) -> None:
        """Renew the lease of each node that is alive, and write the status of those that are not ready.

        A node is not ready if it, or the API server, was away for a while. One that exists beats also while its
        registration fails. Raises ApiError, HostError.
        """
        found = {one["metadata"]["name"]: one for one in self._client.get(_NODES).get("items") or ()}
        alive = [node for node in self._cluster.nodes if node.name in found and self._beats(node.name)]
        for node in alive:
            self._renew(node.name, str(found[node.name]["metadata"]["uid"]))
        for node in alive:
            if not _is_ready(found[node.name]):
                self._write_status(node)

    def _register(self, node: Node) -> None:
        wanted = node_objects.node_object(self._cluster, node)
        try:
            self._client.post(_NODES, wanted)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            # The ranges of a Node cannot change.
            self._client.merge(f"{_NODES}/{node.name}", {"metadata": {"labels": wanted["metadata"]["labels"]}})
        if self._beats(node.name):
            self._write_status(node)

    def _write_status(self, node: Node) -> None:
        status = node_objects.node_status(node, self._known_version(), self._port, now())
        # The type is the merge key of an address, and a node may have two of a type.
        status["addresses"] = [REPLACE, *status["addresses"]]
        self._client.request("PATCH", f"{_NODES}/{node.name}/status", {"status": status}, STRATEGIC)

    def _known_version(self) -> str:
        """Return the version of the API server, which is asked once; raises ApiError, HostError."""
        self._version = self._version or str(self._client.get("/version").get("gitVersion") or _NO_VERSION)
        return self._version

    def _renew(self, name: str, uid: str) -> None:
        path = f"{node_objects.LEASES}/{name}"
        try:
            self._client.merge(path, {"spec": {"renewTime": now_exactly()}})
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            self._create_lease(name, uid)

    def _create_lease(self, name: str, uid: str) -> None:
        """Create a lease; its namespace comes a moment after the API server."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._client.post(node_objects.LEASES, node_objects.lease(name, uid, now_exactly()))
                return
            except ApiError as error:
                if error.status != _NOT_FOUND or time.monotonic() > until:
                    raise
            time.sleep(_PAUSE)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
