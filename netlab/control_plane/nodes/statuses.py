"""Writes the status of pods and Services, and removes pods that have ended, beside the changes of the lab."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.nodes.balancers import FINALIZER, Balancer
from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.objects import Key, key_of
from netlab.control_plane.nodes.registration import REPLACE, STRATEGIC
from netlab.errors import NetlabError
from netlab.frozen import NamedTuple

# Requests at a time: the API server answers each in some milliseconds.
_WORKERS = 4
_PAUSE = 1.0
_NOT_FOUND, _CONFLICT = 404, 409


class _Request(NamedTuple):
    """A request about a pod or a Service; ``again`` is called when it failed."""

    method: str
    path: str
    body: dict[str, Any]
    again: Callable[[], None]


class Statuses:
    """Writes to the API server, several at a time, and one at a time for each object: the last status stays.

    A write that fails is reported. After a moment ``again`` is called with the pod's key, to repeat the write.
    The write of an object that is gone is not repeated.
    """

    def __init__(self, client: Client, failed: Callable[[str], None], again: Callable[[Key], None]) -> None:
        self._client, self._failed, self._again = client, failed, again
        self._pool = ThreadPoolExecutor(_WORKERS, "statuses")
        self._lock = threading.Lock()
        # By the object's uid: what to write after the request that is under way.
        self._next: dict[str, _Request | None] = {}

    def write(self, pod: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Bring a pod's status to this one; that of another pod with the name stays."""
        body = {
            "metadata": {"uid": pod["metadata"]["uid"]},
            "status": {**status, **_replacing(status), "observedGeneration": _generation(pod)},
        }
        self._ask(pod["metadata"]["uid"], "PATCH", f"{path_of(pod)}/status", body, partial(self._again, key_of(pod)))

    def remove(self, pod: Mapping[str, Any]) -> None:
        """Remove a pod that has ended and whose namespace is gone."""
        uid = pod["metadata"]["uid"]
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        self._ask(uid, "DELETE", path_of(pod), body, partial(self._again, key_of(pod)))

    def balancer(self, service: Mapping[str, Any], balancer: Balancer, failed: Callable[[str], None]) -> None:
        """Write the load balancer of a Service; if that fails, ``failed`` is called with its uid after a moment."""
        uid = service["metadata"]["uid"]
        # The finalizers of others stay.
        finalizers = "finalizers" if balancer.kept else "$deleteFromPrimitiveList/finalizers"
        body = {
            "metadata": {"uid": uid, finalizers: [FINALIZER]},
            "status": {"loadBalancer": {"ingress": balancer.ingress or None}},
        }
        self._ask(uid, "PATCH", f"{path_of(service, 'services')}/status", body, partial(failed, uid))

    def event(self, one: Mapping[str, Any], reason: str, message: str, field: str = "") -> None:
        """Create an Event of type Warning about an object, or about a field of it."""
        self._pool.submit(self._event, one, reason, message, field)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, uid: str, method: str, path: str, body: dict[str, Any], again: Callable[[], None]) -> None:
        request = _Request(method, path, body, again)
        with self._lock:
            under_way = uid in self._next
            self._next[uid] = request if under_way else None
        if not under_way:
            self._pool.submit(self._do_all, uid, request)

    def _do_all(self, uid: str, request: _Request | None) -> None:
        while request is not None:
            self._do(request)
            with self._lock:
                request = self._next.pop(uid)
                if request is not None:
                    self._next[uid] = None

    def _do(self, request: _Request) -> None:
        kind = STRATEGIC if request.method == "PATCH" else "application/json"
        try:
            self._client.request(request.method, request.path, request.body, kind)
        except ApiError as error:
            if error.status == _CONFLICT:
                # Another object has its name, or others changed it more often than the API server tries.
                self._later(request)
            elif error.status != _NOT_FOUND:
                self._tell(request, error)
        except (NetlabError, OSError) as error:
            self._tell(request, error)

    def _tell(self, request: _Request, error: Exception) -> None:
        self._failed(f"{request.method} {request.path}: {error}")
        self._later(request)

    def _later(self, request: _Request) -> None:
        time.sleep(_PAUSE)
        request.again()

    def _event(self, one: Mapping[str, Any], reason: str, message: str, field: str) -> None:
        metadata = one["metadata"]
        namespace = metadata.get("namespace") or "default"
        about = {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": metadata["name"]}
        about |= {"namespace": metadata.get("namespace", ""), "uid": metadata.get("uid", "")}
        if field:
            about["fieldPath"] = field
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


def _replacing(status: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the addresses of a status, as a patch that replaces them: they are their own merge keys."""
    return {name: [REPLACE, *status[name]] for name in ("hostIPs", "podIPs") if name in status}


def _generation(pod: Mapping[str, Any]) -> int:
    return int(pod["metadata"].get("generation") or 1)
