"""Objects sent to the API server: where each belongs, and in which order.

Source: Kubernetes API concepts, resource URIs and discovery.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from netlab.control_plane.api import ApiError, Client, Object
from netlab.errors import NetlabError

# Seconds: a new CustomResourceDefinition is served, or a new namespace has its account, after a moment.
_PATIENCE, _PAUSE = 20.0, 0.1
_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount")
# The API server makes these namespaces itself, a moment after its start.
_EVERY_SERVER = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_BOOKKEEPING = frozenset({"resourceVersion", "managedFields"})
# What an API server writes into every object, as `kubectl get -o yaml` prints it. Another server refuses a uid or a
# version that it did not give (ObjectMeta in the API reference: "populated by the system, read-only").
_OF_THE_SERVER = _BOOKKEEPING | {
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "selfLink",
    "uid",
}
# The controller manager makes the account of a namespace. The API server refuses a pod before it is there.
_ACCOUNT = "serviceaccount"
_NOT_FOUND, _FORBIDDEN, _CONFLICT = 404, 403, 409


class Refused(NetlabError):
    """The API server refuses objects; each message is one line."""

    exit_code = 2


class Sender:
    """Sends objects to an API server, each to the path of its kind.

    With ``compare`` it reads each object first, as the server may have it already.
    """

    def __init__(self, client: Client, *, compare: bool = False) -> None:
        self._client = client
        self._compare = compare
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}
        # Kinds that did not come in time; no other object waits for them.
        self._absent: set[tuple[str, str]] = set()

    def send(self, objects: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """Create the objects, or bring them to this form.

        Return each name with "created", "configured" or "unchanged". Namespaces that objects name and nobody has made
        are made too.

        Raises:
          Refused: with a line for each object that the server refuses, after all others were sent.
          HostError: when the server does not answer.
        """
        done: list[tuple[str, str]] = []
        refused: list[str] = []
        for one in in_order([*_missing_namespaces(objects), *objects]):
            name = label(one)
            try:
                done.append((name, self._send(one)))
            except ApiError as error:
                refused.append(f"{name}: {error}")
        if refused:
            raise Refused("\n".join(refused))
        return done

    def path(self, one: Mapping[str, Any]) -> str:
        """Return the path of an object; raises ApiError where the server does not serve its kind."""
        version, kind, metadata = one["apiVersion"], one["kind"], one["metadata"]
        if (version, kind) not in self._resources:
            self._discover(version)
        found = self._resources.get((version, kind))
        if found is None:
            raise ApiError(_NOT_FOUND, "NotFound", f"the server has no kind {kind} of {version}")
        plural, namespaced = found
        place = f"/namespaces/{quote(_namespace(one), safe='')}" if namespaced else ""
        return f"{_root(version)}{place}/{plural}/{quote(str(metadata['name']), safe='')}"

    def _send(self, one: Mapping[str, Any]) -> str:
        metadata = {key: value for key, value in one["metadata"].items() if key not in _OF_THE_SERVER}
        body = {key: value for key, value in one.items() if key != "status"} | {"metadata": metadata}
        kind, until = (one["apiVersion"], one["kind"]), time.monotonic() + _PATIENCE
        while True:
            try:
                path = self.path(one)
                before = self._read(path) if self._compare else None
                metadata.pop("resourceVersion", None)
                if before is not None:
                    # A controller may write to the object at any time. The server refuses this version then, so that
                    # the comparison finds what this request changed, and nothing else.
                    metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
                after = self._client.apply(path, body)
                return "created" if before is None else "unchanged" if _same(before, after) else "configured"
            except ApiError as error:
                early = error.status == _NOT_FOUND or (error.status == _FORBIDDEN and _ACCOUNT in str(error))
                absent = kind not in self._resources
                late = time.monotonic() > until or (absent and kind in self._absent)
                if not (early or error.temporary or error.status == _CONFLICT) or late:
                    if absent:
                        self._absent.add(kind)
                    raise
            time.sleep(_PAUSE)

    def _read(self, path: str) -> Object | None:
        """Return an object that the server has, None if it has none; raises ApiError."""
        try:
            return self._client.get(path)
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return None

    def _discover(self, version: str) -> None:
        try:
            answer = self._client.get(_root(version))
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            return
        for one in answer.get("resources", ()):
            if "/" not in one["name"]:
                self._resources[version, one["kind"]] = one["name"], bool(one["namespaced"])


def plain(data: Any) -> Any:
    """Return data of a document as mappings and lists of their own; JSON has no others."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return [plain(one) for one in data] if isinstance(data, list | tuple) else data


def in_order(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return objects in the order in which they are created: first those that others need, then as they are given."""
    rank = {kind: at for at, kind in enumerate(_FIRST)}
    return sorted(objects, key=lambda one: rank.get(one["kind"], len(rank)))


def _same(before: Object, after: Object) -> bool:
    """Return whether an object is as it was. Who wrote a field when is no part of it."""

    def content(one: Object) -> Object:
        metadata = {key: value for key, value in one["metadata"].items() if key not in _BOOKKEEPING}
        return one | {"metadata": metadata}

    return content(before) == content(after)


def _missing_namespaces(objects: Iterable[Mapping[str, Any]]) -> list[Object]:
    used: dict[str, None] = {}
    made = set()
    for one in objects:
        if one["kind"] == "Namespace":
            made.add(one["metadata"]["name"])
        elif namespace := one["metadata"].get("namespace"):
            used[namespace] = None
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in used
        if name not in made and name not in _EVERY_SERVER
    ]


def _namespace(one: Mapping[str, Any]) -> str:
    return str(one["metadata"].get("namespace") or "default")


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def label(one: Mapping[str, Any]) -> str:
    """Return the name by which messages know an object: KIND/NAMESPACE/NAME."""
    metadata = one["metadata"]
    return "/".join(filter(None, (one["kind"].lower(), metadata.get("namespace"), metadata.get("name"))))
