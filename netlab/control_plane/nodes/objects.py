"""The objects of the API server that netlab, as the nodes, follows; and the documents of the lab that they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netlab.control_plane.api import Object
from netlab.control_plane.watch import Change
from netlab.objects.kind import Kind
from netlab.objects.kinds import endpoints, endpointslice, node
from netlab.objects.types import Document, Source
from netlab.sources.cluster_kinds import SECRET, Resource, read_kinds

POD = "Pod"
READY = "netlab/ready"
"""The annotation of a pod that is not ready: ``"false"``."""
_SOURCE = Source("control-plane")
_NODE, _SLICE, _ENDPOINTS = node.KIND.name, endpointslice.KIND.name, endpoints.KIND.name
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_OF_SELECTORS = "endpointslice-controller.k8s.io"
_FINISHED = ("Succeeded", "Failed")
# A key that is no field of a pod, as netlab adds it: the pod is not ready.
_HELD = "netlab holds"
PROBES, PROGRAMS = "probes", "programs"
"""Why the containers of a pod are not ready: its probes fail, or not all of its programs run."""
_DELETED = "deletionTimestamp"
_KEPT = (_DELETED, "name", "namespace", "labels", "annotations", "ownerReferences", "creationTimestamp")
Key = tuple[str, str]


def followed() -> Mapping[str, tuple[Resource, ...]]:
    """Return the kinds that make a lab, each in the versions in which a server may have it.

    Workloads are not among them: the controllers make their pods. The nodes are those of the Topology.
    """
    return {
        kind.name: _resources(kind)
        for kind in read_kinds()
        if kind.template is None and kind.name not in (SECRET, _NODE, _ENDPOINTS)
    }


def _resources(kind: Kind) -> tuple[Resource, ...]:
    versions = dict.fromkeys((kind.api_version, *kind.served))
    return tuple(Resource(version, kind.name, kind.plural, kind.namespaced) for version in versions)


def key_of(one: Mapping[str, Any]) -> Key:
    """Return the namespace and the name of an object."""
    metadata = one["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class Known:
    """The objects of all followed kinds, brought up to date by changes, and their documents.

    The cost of a change does not depend on how many objects there are.
    """

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[Key, Object]] = {kind: {} for kind in followed()}
        self._documents: dict[tuple[str, Key], Document] = {}
        self._awaited = set(self._by_kind)
        self._touched: dict[Key, None] = {}
        self._lingering: set[Key] = set()
        self._held: dict[str, set[str]] = {}
        self._cut_off: frozenset[str] = frozenset()
        self._ended: set[Key] = set()

    @property
    def complete(self) -> bool:
        """Whether all objects of every kind are known."""
        return not self._awaited

    def take(self, change: Change) -> None:
        """Bring the objects up to date."""
        of = self._by_kind[change.kind]
        if change.verb == "all":
            self._awaited.discard(change.kind)
            given = {key_of(one) for one in change.objects}
            for key in [key for key in of if key not in given]:
                self._drop(change.kind, key)
        for one in change.objects:
            if change.verb == "gone":
                self._drop(change.kind, key_of(one))
            else:
                self._set(change.kind, key_of(one), one)

    def find(self, kind: str, key: Key) -> Object | None:
        """Return an object, None where there is none."""
        return self._by_kind[kind].get(key)

    def count(self, kind: str) -> int:
        return len(self._by_kind[kind])

    def all(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return list(self._by_kind[kind].values())

    def touch(self, pods: Iterable[Key]) -> None:
        """Let ``touched`` return these pods too."""
        self._touched |= dict.fromkeys(pods)

    @property
    def any_touched(self) -> bool:
        """Whether ``touched`` may return a pod."""
        return bool(self._touched)

    def touched(self) -> list[Object]:
        """Return the pods that changed since the last call and still exist."""
        keys, self._touched = self._touched, {}
        of = self._by_kind[POD]
        return [of[key] for key in keys if key in of]

    def ended(self) -> set[Key]:
        """Return the names of the pods that are gone since the last call. Others may have the names by now."""
        found, self._ended = self._ended, set()
        return found

    def linger(self, key: Key, *, on: bool) -> None:
        """Keep a pod in the lab that has to end, or do so no longer."""
        pod = self._by_kind[POD].get(key)
        if on == (key in self._lingering) or (pod is None and on):
            return
        (self._lingering.add if on else self._lingering.discard)(key)
        if pod is not None:
            self._set(POD, key, pod)

    def lingers(self, key: Key) -> bool:
        """Return whether a pod has to end, and is still in the lab."""
        pod = self._by_kind[POD].get(key)
        return key in self._lingering or (pod is not None and has_to_end(pod) and self.is_cut_off(pod))

    def hold(self, uid: str, key: Key, why: str, *, on: bool) -> None:
        """Note that the containers of a pod are not ready, or no longer for this reason."""
        reasons = self._held.get(uid, set())
        if on == (why in reasons):
            return
        self._held[uid] = reasons
        (reasons.add if on else reasons.discard)(why)
        if not reasons:
            del self._held[uid]
        pod = self._by_kind[POD].get(key)
        if pod is not None and pod["metadata"]["uid"] == uid:
            self._set(POD, key, {name: value for name, value in pod.items() if name != _HELD})

    def cut_off(self, nodes: frozenset[str]) -> None:
        """Note which nodes are stopped. What their pods are to become, waits for the nodes."""
        changed, self._cut_off = nodes ^ self._cut_off, nodes
        if changed:
            of = self._by_kind[POD]
            for key in [key for key, pod in of.items() if pod["spec"].get("nodeName") in changed]:
                self._set(POD, key, of[key])

    def is_cut_off(self, pod: Object) -> bool:
        """Return whether the node of a pod is stopped. It hears of no deletion until it starts."""
        return pod["spec"].get("nodeName") in self._cut_off

    def documents(self) -> list[Document]:
        """Return the documents of the lab; one that did not change is the same value, at the same place."""
        return list(self._documents.values())

    def _set(self, kind: str, key: Key, one: Object) -> None:
        if kind == POD:
            before = self._by_kind[POD].get(key)
            if before is not None and before["metadata"]["uid"] != one["metadata"]["uid"]:
                self._drop(POD, key)
            self._touched[key] = None
            if one["metadata"]["uid"] in self._held:
                one = {**one, _HELD: True}
        self._by_kind[kind][key] = one
        is_pod = kind == POD
        cut_off = is_pod and self.is_cut_off(one)
        data = document(one, lingering=is_pod and key in self._lingering, cut_off=cut_off)
        written = self._documents.get((kind, key))
        if data is None:
            self._documents.pop((kind, key), None)
        elif written is None or written.data != data:
            self._documents[kind, key] = Document(data, _SOURCE)

    def _drop(self, kind: str, key: Key) -> None:
        gone = self._by_kind[kind].pop(key, None)
        if gone is not None:
            self._held.pop(gone["metadata"].get("uid", ""), None)
        self._documents.pop((kind, key), None)
        if kind == POD:
            self._lingering.discard(key)
            self._ended.add(key)


def document(one: Mapping[str, Any], *, lingering: bool = False, cut_off: bool = False) -> dict[str, Any] | None:
    """Return what the lab has of an object, None for one that it does not have.

    A pod that has finished is not in the lab, nor is one that has to end, unless it is ``lingering``: then it is
    terminating. Its addresses are those that netlab gives it.

    A pod whose node is stopped, ``cut_off``, stays in the lab until the node runs and ends it. None begins there. The
    controllers say whether it is ready.
    """
    metadata = {name: one["metadata"][name] for name in _KEPT if name in one["metadata"]}
    found = {**one, "metadata": metadata}
    found.pop(_HELD, None)
    if one["kind"] == POD:
        if not is_alive(one) and not ((lingering or cut_off) and has_to_end(one)):
            return None
        status = one.get("status", {})
        if cut_off and status.get("phase") != "Running":
            return None
        ready = _states(status).get("Ready") == "True" if cut_off else is_ready(one)
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        return {**found, "status": {"phase": "Running", "conditions": conditions}}
    if one["kind"] == _SLICE and metadata.get("labels", {}).get(_MANAGED_BY) == _OF_SELECTORS:
        # netlab computes them itself: it knows of a pod's end before the controller does.
        return None
    found.pop("status", None)
    return found


def _states(status: Mapping[str, Any]) -> dict[str, str]:
    """Return the conditions of a pod's status by their types."""
    return {one["type"]: one["status"] for one in status.get("conditions") or ()}


def is_alive(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is bound to a node and has neither finished nor to end."""
    return (
        bool(pod["spec"].get("nodeName"))
        and "deletionTimestamp" not in pod["metadata"]
        and pod.get("status", {}).get("phase") not in _FINISHED
    )


def has_to_end(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod was deleted, and may still run."""
    return _DELETED in pod["metadata"] and pod.get("status", {}).get("phase") not in _FINISHED


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod that runs is ready: its containers are, and so say all of its readiness gates."""
    states = _states(pod.get("status", {}))
    gates = [one["conditionType"] for one in pod["spec"].get("readinessGates") or ()]
    return containers_ready(pod) and all(states.get(gate) == "True" for gate in gates)


def containers_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether the containers of a pod are ready, as its annotation, its probes and its programs say."""
    return _HELD not in pod and (pod["metadata"].get("annotations") or {}).get(READY) != "false"
