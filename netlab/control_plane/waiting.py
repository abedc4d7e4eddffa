"""Waits until the workloads that a user gave to a control plane have all of their pods ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netlab.control_plane.api import ApiError, Client, Object
from netlab.control_plane.rest import Sender
from netlab.errors import HostError

_PAUSE = 0.1
_NOT_FOUND = 404


def wait(client: Client, objects: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Return when the pods of these objects are ready. Objects that are no workloads are not waited for.

    Raises:
      ApiError: when the API server refuses a question.
      HostError: when they are not ready in time; it names the first one that is not.
    """
    sender, until = Sender(client), time.monotonic() + seconds
    for one in objects:
        is_ready = _READY.get(str(one["kind"]))
        while is_ready is not None and not _holds(client, sender.path(one), is_ready):
            if time.monotonic() > until:
                name = f"{one['kind'].lower()}/{one['metadata']['name']}"
                raise HostError(f"{name} is not ready after {seconds:g} s", "kubectl describe says why")
            time.sleep(_PAUSE)


def _holds(client: Client, path: str, is_ready: Callable[[Object], bool]) -> bool:
    try:
        return is_ready(client.get(path))
    except ApiError as error:
        if error.status == _NOT_FOUND or error.temporary:
            return False
        raise


def _replicas(one: Object) -> bool:
    status, wanted = one.get("status") or {}, one["spec"].get("replicas", 1)
    return _seen(one) and status.get("readyReplicas", 0) == wanted == status.get("replicas", 0)


def _daemon_set(one: Object) -> bool:
    status = one.get("status") or {}
    return _seen(one) and status.get("numberReady", 0) == status.get("desiredNumberScheduled", 0)


def _pod(one: Object) -> bool:
    conditions = (one.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _seen(one: Object) -> bool:
    """Return whether the controller has seen the object as it is now."""
    return bool((one.get("status") or {}).get("observedGeneration", 0) >= one["metadata"].get("generation", 1))


_READY: Mapping[str, Callable[[Object], bool]] = {
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
    "DaemonSet": _daemon_set,
    "Pod": _pod,
}
