"""The status of a pod, as a kubelet writes it.

A container without a program is a pause that runs until the pod ends. Source: core/v1 PodStatus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netlab.control_plane.nodes.container_run import Shown
from netlab.control_plane.nodes.objects import containers_ready, is_ready
from netlab.frozen import frozen

_SCHEME = "netlab"
REFUSED = "Refused"


@frozen
class Programs:
    """What containers with programs say of their pod: its phase, whether it is initialized, and each container."""

    phase: str
    initialized: bool
    containers: Mapping[str, Shown]


def running(
    pod: Mapping[str, Any],
    addresses: Sequence[str],
    node_addresses: Sequence[str],
    now: str,
    programs: Programs | None = None,
) -> dict[str, Any]:
    """Return the status of a pod that has its namespace and addresses; ``now`` is a time as the API writes it.

    Times that the pod's status has already stay, so the status of an unchanged pod is the same again. ``programs`` is
    None for a pod whose containers are all pauses.
    """
    before = pod.get("status", {})
    started = before.get("startTime") or now
    ready, of_containers = is_ready(pod), containers_ready(pod)
    return {
        "phase": programs.phase if programs else "Running",
        "startTime": started,
        **_addresses("hostIP", node_addresses),
        **_addresses("podIP", addresses),
        "conditions": [
            _condition(before, "PodReadyToStartContainers", True, now),
            _condition(before, "Initialized", programs is None or programs.initialized, now),
            _condition(before, "ContainersReady", of_containers, now),
            _condition(before, "Ready", ready, now),
        ],
        **(_with_programs(pod, of_containers, programs) if programs else _containers(pod, of_containers, started)),
    }


def refused(pod: Mapping[str, Any], message: str, now: str) -> dict[str, Any]:
    """Return the status of a pod that the lab cannot have: it waits, as the reason may go.

    It does not fail: the controller of a failed pod makes another one at once, and that one would fail too. A pod
    that the lab had before loses its addresses.
    """
    before = pod.get("status", {})
    waits = {"waiting": {"reason": REFUSED, "message": message[:1000]}}
    containers = pod["spec"].get("containers") or ()
    return {
        "phase": "Pending",
        **_addresses("hostIP", ()),
        **_addresses("podIP", ()),
        "conditions": [_condition(before, kind, False, now) for kind in ("ContainersReady", "Ready")],
        "containerStatuses": [_status(pod["metadata"].get("uid", ""), one, False, waits) for one in containers],
    }


def differs(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a status lacks something of another one; what it has besides does not count."""
    for name, value in wanted.items():
        have = before.get(name)
        if name == "conditions":
            states = {one["type"]: one["status"] for one in have or ()}
            if any(states.get(one["type"]) != one["status"] for one in value):
                return True
        elif name.endswith("ontainerStatuses"):
            if _states(have or ()) != _states(value):
                return True
        elif have != value and (have or value):
            return True
    return False


def _addresses(of: str, addresses: Sequence[str]) -> dict[str, Any]:
    """Return the two fields of a pod's addresses, ``podIP``, or of its node's, ``hostIP``."""
    return {of: addresses[0] if addresses else None, f"{of}s": [{"ip": one} for one in addresses]}


def _states(statuses: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(map(_state, statuses))


def _state(status: Mapping[str, Any]) -> tuple[Any, ...]:
    kind, said = next(iter((status.get("state") or {"": {}}).items()))
    what = (said.get("reason", ""), said.get("exitCode", 0)) if kind in ("terminated", "waiting") else ("", 0)
    return status["name"], bool(status.get("ready")), status.get("restartCount") or 0, kind, *what


def _condition(before: Mapping[str, Any], kind: str, holds: bool, now: str) -> dict[str, Any]:
    state = "True" if holds else "False"
    known: Mapping[str, Any] = next((one for one in before.get("conditions") or () if one["type"] == kind), {})
    since = known.get("lastTransitionTime") if known.get("status") == state else None
    found = {"type": kind, "status": state, "lastTransitionTime": since or now, "reason": None, "message": None}
    if not holds:
        found |= {"reason": "ContainersNotReady" if kind == "ContainersReady" else "ReadinessGatesNotReady"}
    return found


def _containers(pod: Mapping[str, Any], ready: bool, started: str) -> dict[str, Any]:
    uid, spec = pod["metadata"].get("uid", ""), pod["spec"]
    running = {"running": {"startedAt": started}}
    found = {"containerStatuses": [_status(uid, one, ready, running) for one in spec.get("containers") or ()]}
    if first := spec.get("initContainers"):
        done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": started}}
        found["initContainerStatuses"] = [
            # One that restarts always runs beside the others.
            _status(uid, one, True, running if one.get("restartPolicy") == "Always" else done)
            for one in first
        ]
    return found


def _with_programs(pod: Mapping[str, Any], ready: bool, programs: Programs) -> dict[str, Any]:
    uid, spec = pod["metadata"].get("uid", ""), pod["spec"]
    found = {
        "containerStatuses": [
            _with_program(uid, one, ready and shown.state.kind == "running", shown)
            for one, shown in _shown(spec.get("containers"), programs)
        ]
    }
    if first := spec.get("initContainers"):
        found["initContainerStatuses"] = [
            _with_program(uid, one, shown.state.kind == "running" or _has_succeeded(shown), shown)
            for one, shown in _shown(first, programs)
        ]
    return found


def _shown(
    containers: Sequence[Mapping[str, Any]] | None, programs: Programs
) -> Iterator[tuple[Mapping[str, Any], Shown]]:
    return ((one, programs.containers[one["name"]]) for one in containers or ())


def _has_succeeded(shown: Shown) -> bool:
    return shown.state.kind == "terminated" and shown.state.code == 0


def _with_program(uid: str, container: Mapping[str, Any], ready: bool, shown: Shown) -> dict[str, Any]:
    identity = f"{_SCHEME}://{uid}/{container['name']}"
    return {
        **_status(uid, container, ready, shown.state.as_status(identity)),
        "restartCount": shown.restarts,
        "lastState": shown.last.as_status(identity) if shown.last else {},
    }


def _status(uid: str, container: Mapping[str, Any], ready: bool, state: Mapping[str, Any]) -> dict[str, Any]:
    name, image = container["name"], container.get("image") or "none"
    return {
        "name": name,
        "image": image,
        "imageID": "",
        "containerID": "" if "waiting" in state else f"{_SCHEME}://{uid}/{name}",
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
