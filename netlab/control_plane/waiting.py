"""Waits until the workloads that a user gave to a control plane have all of their pods ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netlab.control_plane.api import ApiError, Client, Object
from netlab.control_plane.rest import Sender
from netlab.errors import HostError
from netlab.objects.kind import get
from netlab.objects.types import Pod

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
        is_ready = _readiness(str(one["kind"]))
        while is_ready is not None and not _holds(client, sender.path(one), is_ready):
            if time.monotonic() > until:
                name = f"{one['kind'].lower()}/{one['metadata']['name']}"
                raise HostError(f"{name} is not ready after {seconds:g} s", "kubectl describe says why")
            time.sleep(_PAUSE)


def _readiness(kind: str) -> Callable[[Object], bool] | None:
    """Return what says whether the pods of an object are ready; None for a kind that has no pods."""
    known = get(kind)
    if known is None or known.template is None:
        return _pod if known is not None and known.type is Pod else None
    return _workload


def _holds(client: Client, path: str, is_ready: Callable[[Object], bool]) -> bool:
    try:
        return is_ready(client.get(path))
    except ApiError as error:
        if error.status == _NOT_FOUND or error.temporary:
            return False
        raise


def _workload(one: Object) -> bool:
    """Return whether the pods of a workload are ready; those of a Job need not be."""
    if "replicas" in (one.get("spec") or {}):
        return _replicas(one)
    return "desiredNumberScheduled" not in (one.get("status") or {}) or _daemon_set(one)


def _replicas(one: Object) -> bool:
    status, wanted = one.get("status") or {}, one["spec"].get("replicas", 1)
    ready = status.get("readyReplicas", 0) == wanted == status.get("replicas", 0)
    return _seen(one) and ready and status.get("updatedReplicas", 0) >= _updated(one, wanted)


def _updated(one: Object, wanted: int) -> int:
    """Return how many pods are of the present template when a rollout has ended.

    A controller may count its pods of the version before as ready, and the new template as seen, before it replaces
    the first one. Source: kubectl rollout status.
    """
    spec = one["spec"]
    # The API server gives a strategy to each workload that has rollouts.
    strategy = spec.get("strategy") or spec.get("updateStrategy")
    if not strategy or strategy.get("type") == "OnDelete" or spec.get("paused"):
        return 0
    return max(0, wanted - ((strategy.get("rollingUpdate") or {}).get("partition") or 0))


def _daemon_set(one: Object) -> bool:
    status, strategy = one.get("status") or {}, (one.get("spec") or {}).get("updateStrategy") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    updated = strategy.get("type") == "OnDelete" or status.get("updatedNumberScheduled", 0) >= wanted
    return _seen(one) and status.get("numberReady", 0) == wanted and updated


def _pod(one: Object) -> bool:
    status = one.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    return ready or status.get("phase") == "Succeeded"


def _seen(one: Object) -> bool:
    """Return whether the controller has seen the object as it is now."""
    return bool((one.get("status") or {}).get("observedGeneration", 0) >= one["metadata"].get("generation", 1))
