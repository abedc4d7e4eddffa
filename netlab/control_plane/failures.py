"""Failures in a lab with a control plane: pods that die, and how long the controllers wait for a node."""

from __future__ import annotations

import time
from collections.abc import Sequence
from urllib.parse import quote

from netlab.cluster import Pod
from netlab.control_plane import settings
from netlab.control_plane.api import ApiError, Client
from netlab.errors import HostError, UsageError
from netlab.lab.lab import Lab
from netlab.quantity import few

# The defaults of kube-controller-manager and kube-apiserver, in seconds.
_GRACE, _TOLERATED = 50, 300
# How long to wait until the nodes have ended a pod.
_PATIENCE, _PAUSE = 30.0, 0.02
_NOT_FOUND = 404
_ENDED = (_NOT_FOUND, 409)
_MOST_NAMED = 5


def kill(lab: Lab, refs: Sequence[str]) -> None:
    """End pods at once, as ``kubectl delete --force --grace-period=0`` does; return when they have left the lab.

    The real controllers replace them. A PodDisruptionBudget does not prevent it, as it prevents no death.

    Raises:
      UsageError: for a pod that does not exist, or that netlab added.
      HostError: when the API server does not answer, or a pod stays in the lab.
      ApiError: when the API server refuses.
    """
    refs = [*dict.fromkeys(refs)]
    wrong = [why for ref in refs if (why := _why_not(lab, ref))]
    if wrong:
        raise UsageError(*wrong)
    client = _client(lab)
    paths = {ref: _path(ref) for ref in refs}
    uids = {ref: _uid(client, path) for ref, path in paths.items()}
    if missing := [ref for ref, uid in uids.items() if not uid]:
        raise UsageError(*(f"the API server has no pod {ref}" for ref in missing))
    before = lab.records.stamp(lab.name)
    for ref, path in paths.items():
        preconditions = {"uid": uids[ref]}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": preconditions}
        try:
            client.delete(path, body)
        except ApiError as error:
            # It has ended meanwhile, and another one may have its name.
            if error.status not in _ENDED:
                raise
    until = time.monotonic() + _PATIENCE
    left = [*refs]
    while left and time.monotonic() < until:
        time.sleep(_PAUSE)
        lab.look()
        changed = lab.records.stamp(lab.name) != before
        left = [
            ref
            for ref in left
            if ref in lab.cluster.by_ref and not (changed and _uid(client, paths[ref]) not in ("", uids[ref]))
        ]
    if kept := [ref for ref in left if _uid(client, paths[ref]) == uids[ref]]:
        raise HostError(f"finalizers keep {few(kept, _MOST_NAMED)}", "kubectl get pod -o yaml shows them")
    if left:
        what = f"the API server has deleted {few(left, _MOST_NAMED)}; still in the lab after {_PATIENCE:g} s"
        raise HostError(what, "netlab control-plane status says which program does not run")


def windows(lab: Lab) -> tuple[int, int]:
    """Return the seconds until a stopped node of a lab is not ready, and those until its pods are replaced then.

    Raises:
      UsageError: for a lab without a control plane.
    """
    found = _settings(lab)
    grace = _GRACE if found.node_grace is None else found.node_grace
    return grace, _TOLERATED if found.unreachable is None else found.unreachable


def _why_not(lab: Lab, ref: str) -> str:
    pod = lab.cluster.by_ref.get(ref)
    if not isinstance(pod, Pod):
        return f"{ref} is not a pod"
    return f"pod {ref} is netlab's own: it ends with the lab" if pod.system else ""


def _path(ref: str) -> str:
    namespace, name = (quote(one, safe="") for one in ref.split("/"))
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _uid(client: Client, path: str) -> str:
    """Return the uid of a pod, "" where there is none."""
    try:
        return str(client.get(path)["metadata"]["uid"])
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return ""


def _client(lab: Lab) -> Client:
    return Client(settings.folder(lab.machine, lab.name) / "pki", "admin", _settings(lab).ports.apiserver)


def _settings(lab: Lab) -> settings.Settings:
    found = settings.read(lab.machine, lab.name)
    if found is None:
        raise UsageError(f"lab {lab.name} has no control plane")
    return found
