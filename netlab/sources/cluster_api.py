"""Questions to an API server: which kinds it serves, lists of objects in pages, one object.

Source: "Kubernetes API Concepts" of kubernetes.io (paging, 410 Gone), aggregated discovery (apidiscovery.k8s.io), and
client-go's tools/pager.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from netlab.errors import HostError
from netlab.kernel.kube_process import Answer, KubeProcess, TooLargeAnswerError
from netlab.objects.bounds import FIELD, LIST, MAPPING, MAX_DEPTH, Budget, TooLargeError
from netlab.objects.scalars import number
from netlab.patterns import pattern
from netlab.sources.cluster_kinds import Resource

PAGE = 500
SECONDS = 600.0
"""How long reading a cluster may take."""
_JSON = "application/json"
_DISCOVERY = ",".join(
    [
        *(f"{_JSON};g=apidiscovery.k8s.io;v={v};as=APIGroupDiscoveryList" for v in ("v2", "v2beta1")),
        _JSON,
    ]
)
# How often a list in pages begins, as it changes under its pages. Then it comes in one page.
_BEGINS = 3
_TRIES, FIRST_WAIT, _LONGEST_WAIT = 4, 0.2, 10.0
_UNAVAILABLE = frozenset({429, 500, 502, 503, 504})
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _GONE = 200, 401, 403, 404, 410
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_MESSAGE = 300
_SURROGATE = pattern(r"\\u[dD][89a-fA-F]")


class NotListedError(Exception):
    """The server does not list a kind; the message says why, ``forbidden`` whether the user may not list it."""

    def __init__(self, message: str, *, forbidden: bool) -> None:
        self.forbidden = forbidden
        super().__init__(message)


class Api:
    """The API server of a context. What it answers counts against a budget."""

    def __init__(self, process: KubeProcess, budget: Budget) -> None:
        self._process = process
        self._budget = budget
        self._until = time.monotonic() + SECONDS

    def kinds(self) -> list[Resource]:
        """Return the kinds that the server serves, the preferred version of a group first."""
        found: list[Resource] = []
        left = self._budget.memory
        for root in ("/api", "/apis"):
            value = self._value(root, _DISCOVERY)
            kind = value.get("kind")
            if kind == "APIGroupDiscoveryList":
                found += _aggregated(value)
            else:
                # Servers before 1.27.
                for version in _versions(value):
                    found += self._of_version(f"{root}/{version}", version)
        self._budget.memory = left
        return found

    def items(self, resource: Resource, namespace: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, of one namespace or of all, with ``kind`` and ``apiVersion``.

        They are without what no reader wants: ``managedFields`` and the last applied configuration.

        Raises:
          NotListedError: if the server does not list them.
          HostError: if the server does not answer as an API server does.
          TooLargeError: if there is too much.
        """
        for restart in range(_BEGINS + 1):
            left = self._budget.memory
            found: list[dict[str, Any]] = []
            try:
                for page in self._pages(resource, namespace, PAGE if restart < _BEGINS else 0):
                    found += page
            except _GoneError:
                self._budget.memory = left
                continue
            return found
        raise self._wrong(resource.path(namespace), "the list changes faster than it can be read")

    def one(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, None if there is none; raises what ``items`` does."""
        path = f"{resource.path(namespace)}/{quote(name, safe='')}"
        value = self._listed(path)
        if value is not None and not isinstance(value.get("metadata"), dict):
            raise self._wrong(path, "the answer is no object")
        return None if value is None else _clean({"apiVersion": resource.version, "kind": resource.kind, **value})

    def _pages(self, resource: Resource, namespace: str, size: int) -> Iterator[list[dict[str, Any]]]:
        more = ""
        while True:
            query = {"limit": str(size)} if size else {}
            if more:
                query["continue"] = more
            path = f"{resource.path(namespace)}?{urlencode(query)}" if query else resource.path(namespace)
            left = self._budget.memory
            value = self._listed(path)
            if value is None:
                # A kind that went, or a namespace.
                return
            items = value.get("items") or []
            metadata = value.get("metadata")
            if not isinstance(items, list) or not isinstance(metadata, dict):
                raise self._wrong(path, "the answer is no list")
            if not all(isinstance(item, dict) and isinstance(item.get("metadata"), dict) for item in items):
                raise self._wrong(path, "the list has an item that is no object")
            page = [_clean({"apiVersion": resource.version, "kind": resource.kind, **item}) for item in items]
            del value, items
            # What is not kept takes no memory.
            self._budget.memory = left
            self._budget.spend(sum(map(_memory, page)))
            yield page
            found = metadata.get("continue") or ""
            if not found:
                return
            if not isinstance(found, str) or found == more:
                raise self._wrong(path, "the list does not end")
            more = found

    def _listed(self, path: str) -> dict[str, Any] | None:
        """Return the value of a GET request, None if nothing is there."""
        answer = self._answer(path, _JSON)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status == _GONE:
            raise _GoneError
        if answer.status == _FORBIDDEN:
            raise NotListedError("forbidden", forbidden=True)
        if answer.status in _UNAVAILABLE:
            raise NotListedError(_message(answer), forbidden=False)
        return self._decoded(path, answer)

    def _value(self, path: str, accept: str) -> dict[str, Any]:
        return self._decoded(path, self._answer(path, accept))

    def _of_version(self, path: str, version: str) -> Iterator[Resource]:
        answer = self._answer(path, _JSON)
        if answer.status in (*_UNAVAILABLE, _NOT_FOUND):
            # An API service whose server is down.
            return
        for one in self._decoded(path, answer).get("resources") or ():
            if isinstance(one, dict):
                yield from _resource(version, one.get("kind"), one.get("name"), one.get("namespaced"), one.get("verbs"))

    def _answer(self, path: str, accept: str) -> Answer:
        """Return an answer; ask again while the server is busy."""
        for attempt in range(_TRIES):
            if time.monotonic() > self._until:
                raise HostError(f"{self._process.server}: reading took more than {SECONDS:g} seconds")
            try:
                answer = self._process.get(path, accept, self._budget.bytes)
            except TooLargeAnswerError:
                self._budget.take_file(self._budget.bytes + 1)
                raise
            if answer.status not in _UNAVAILABLE or attempt == _TRIES - 1:
                break
            time.sleep(min(answer.retry_after or FIRST_WAIT * 2**attempt, _LONGEST_WAIT))
        self._budget.take_file(len(answer.body))
        if answer.status == _UNAUTHORIZED:
            raise HostError(
                f"{self._process.server}: the credentials of context {self._process.context} are not accepted:"
                " they are wrong or have expired",
                "log in again",
            )
        return answer

    def _decoded(self, path: str, answer: Answer) -> dict[str, Any]:
        if answer.status != _OK:
            raise self._wrong(path, f"status {answer.status}: {_message(answer)}")
        try:
            text = answer.body.decode()
            self._budget.spend(len(text) + MAPPING * text.count("{") + LIST * text.count("[") + FIELD * text.count(","))
            if _SURROGATE.search(text):
                # Half a surrogate pair cannot be printed. Go also replaces it with U+FFFD.
                whole = json.dumps(json.loads(text), ensure_ascii=False)
                text = whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = json.loads(text, parse_float=lambda one: number(float(one), one), parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise self._wrong(path, "the answer is not JSON") from None
        if not isinstance(value, dict):
            raise self._wrong(path, "the answer is no object")
        return value

    def _wrong(self, path: str, why: str) -> HostError:
        return HostError(f"{self._process.server}{path.partition('?')[0]}: {why}", "see that it is an API server")


class _GoneError(Exception):
    """The rest of a list is not to be had any more."""


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _message(answer: Answer) -> str:
    """Return the message of a Status, or the first line of another body."""
    try:
        value = json.loads(answer.body[: 1 << 20])
        text = value["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        text = answer.body[:_MOST_MESSAGE].decode(errors="replace")
    line = " ".join(str(text).split())
    return line[:_MOST_MESSAGE] or "no message"


# --- discovery ------------------------------------------------------------------------------------------------------


def _versions(value: dict[str, Any]) -> Iterator[str]:
    """Yield the versions of an APIVersions or an APIGroupList, the preferred one of a group first."""
    yield from (one for one in value.get("versions") or () if isinstance(one, str))
    for group in value.get("groups") or ():
        if isinstance(group, dict):
            preferred = group.get("preferredVersion") or {}
            versions = [preferred, *(group.get("versions") or ())]
            names = (one.get("groupVersion") for one in versions if isinstance(one, dict))
            yield from dict.fromkeys(name for name in names if isinstance(name, str))


def _aggregated(value: dict[str, Any]) -> Iterator[Resource]:
    for group in _dicts(value.get("items")):
        name = _dict(group.get("metadata")).get("name") or ""
        for version in _dicts(group.get("versions")):
            full = f"{name}/{version.get('version')}" if name else str(version.get("version"))
            for one in _dicts(version.get("resources")):
                kind = _dict(one.get("responseKind")).get("kind")
                yield from _resource(
                    full, kind, one.get("resource"), one.get("scope") == "Namespaced", one.get("verbs")
                )


def _resource(version: str, kind: object, plural: object, namespaced: object, verbs: object) -> Iterator[Resource]:
    """Yield a kind that the server states; the parts of a path come from it, so only words are taken."""
    if not (isinstance(kind, str) and isinstance(plural, str) and _is_word(plural) and kind):
        return
    if all(map(_is_word, version.split("/"))) and version.count("/") <= 1:
        listed = frozenset(map(str, verbs)) if isinstance(verbs, list) else frozenset()
        yield Resource(version, kind, plural, bool(namespaced), listed)


def _is_word(text: str) -> bool:
    # A subresource has a slash: pods/log.
    return text.isascii() and text.replace("-", "").replace(".", "").isalnum()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


# --- objects --------------------------------------------------------------------------------------------------------


def _clean(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    metadata.pop("managedFields", None)
    if isinstance(annotations := metadata.get("annotations"), dict):
        annotations.pop(_LAST_APPLIED, None)
    return item


def _memory(item: dict[str, Any]) -> int:
    """Return how many bytes an object takes at most; raises TooLargeError if it is nested too deep."""
    spent = 0
    level: list[Any] = [item]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                spent += MAPPING + FIELD * len(value)
                below += value.values()
            elif isinstance(value, list):
                spent += LIST + FIELD * len(value)
                below += value
            elif isinstance(value, str) and len(value) > FIELD:
                spent += 4 * len(value)
        if not below:
            return spent
        level = below
    raise TooLargeError(f"an object is nested more than {MAX_DEPTH} deep")
