"""Writes the status of pods, and removes pods that have ended, beside the changes of the lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.objects import Key, key_of
from netlab.control_plane.nodes.registration import STRATEGIC
from netlab.errors import NetlabError

# Requests at a time: the API server answers each in some milliseconds.
_WORKERS = 4
_PAUSE = 1.0
_NOT_FOUND, _CONFLICT = 404, 409
_MERGE = "application/merge-patch+json"


class Statuses:
    """Writes to the API server, several at a time.

    A write that fails is told, and after a moment ``again`` is called with the pod's key, to write it once more.
    """

    def __init__(self, client: Client, failed: Callable[[str], None], again: Callable[[Key], None]) -> None:
        self._client, self._failed, self._again = client, failed, again
        self._pool = ThreadPoolExecutor(_WORKERS, "statuses")

    def write(self, pod: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Bring a pod's status to this one; that of another pod with the name stays."""
        body = {
            "metadata": {"uid": pod["metadata"]["uid"]},
            "status": {**status, "observedGeneration": _generation(pod)},
        }
        self._pool.submit(self._do, key_of(pod), "PATCH", f"{path_of(pod)}/status", body)

    def remove(self, pod: Mapping[str, Any]) -> None:
        """Remove a pod that has ended and whose namespace is gone."""
        uid = pod["metadata"]["uid"]
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        self._pool.submit(self._do, key_of(pod), "DELETE", path_of(pod), body)

    def ingress(self, service: Mapping[str, Any], ingress: list[dict[str, Any]], failed: Callable[[str], None]) -> None:
        """Bring the addresses of a Service's load balancer to these; ``failed`` is called with its uid."""
        self._pool.submit(self._ingress, service, ingress, failed)

    def event(self, one: Mapping[str, Any], reason: str, message: str) -> None:
        """Create an Event of type Warning about an object."""
        self._pool.submit(self._event, one, reason, message)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, key: Key, method: str, path: str, body: dict[str, Any]) -> None:
        try:
            self._client.request(method, path, body, STRATEGIC if method == "PATCH" else "application/json")
        except ApiError as error:
            # The pod is gone, or another one has its name.
            if error.status not in (_NOT_FOUND, _CONFLICT):
                self._tell(key, f"{method} {path}: {error}")
        except (NetlabError, OSError) as error:
            self._tell(key, f"{method} {path}: {error}")

    def _tell(self, key: Key, text: str) -> None:
        self._failed(text)
        time.sleep(_PAUSE)
        self._again(key)

    def _ingress(
        self, service: Mapping[str, Any], ingress: list[dict[str, Any]], failed: Callable[[str], None]
    ) -> None:
        uid = service["metadata"]["uid"]
        body = {"metadata": {"uid": uid}, "status": {"loadBalancer": {"ingress": ingress or None}}}
        try:
            self._client.request("PATCH", f"{path_of(service, 'services')}/status", body, _MERGE)
        except (NetlabError, OSError) as error:
            gone = isinstance(error, ApiError) and error.status in (_NOT_FOUND, _CONFLICT)
            if not gone:
                self._failed(f"status of Service {'/'.join(key_of(service))}: {error}")
            failed(uid)

    def _event(self, one: Mapping[str, Any], reason: str, message: str) -> None:
        metadata = one["metadata"]
        namespace = metadata.get("namespace") or "default"
        about = {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": metadata["name"]}
        about |= {"namespace": metadata.get("namespace", ""), "uid": metadata.get("uid", "")}
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "netlab-", "namespace": namespace},
            "involvedObject": about,
            "type": "Warning",
            "reason": reason,
            "message": message[:1000],
            "source": {"component": "netlab"},
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        try:
            self._client.post(f"/api/v1/namespaces/{quote(namespace, safe='')}/events", body)
        except (NetlabError, OSError) as error:
            self._failed(f"event: {error}")


def path_of(one: Mapping[str, Any], plural: str = "pods") -> str:
    """Return the path of a pod, or of an object of another kind of the core group."""
    metadata = one["metadata"]
    return f"/api/v1/namespaces/{quote(metadata['namespace'], safe='')}/{plural}/{quote(metadata['name'], safe='')}"


def _generation(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"].get("generation") or 1)
