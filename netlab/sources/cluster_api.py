"""Questions to an API server: which kinds it serves, lists of objects in pages, one object.

Source: "Kubernetes API Concepts" of kubernetes.io (paging, 410 Gone), aggregated discovery (apidiscovery.k8s.io), and
client-go's tools/pager.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from netlab.errors import HostError
from netlab.frozen import NamedTuple
from netlab.kernel.kube_process import Answer, KubeProcess, TooLargeAnswerError
from netlab.objects.bounds import Budget
from netlab.objects.types import Document, Source
from netlab.sources.cluster_discovery import aggregated, dicts, resource, versions
from netlab.sources.cluster_json import clean, memory, memory_of_text, value_of
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
_MOST_MESSAGE = 300


class NotListedError(Exception):
    """The server does not list a kind; the message says why, ``forbidden`` whether the user may not list it."""

    def __init__(self, message: str, *, forbidden: bool) -> None:
        self.forbidden = forbidden
        super().__init__(message)


class OddAnswerError(HostError):
    """The server answers, and not as an API server does."""


class Listing(NamedTuple):
    """The objects of a list, and its resourceVersion: a watch goes on from there. "" for a kind that is not there."""

    items: list[dict[str, Any]]
    version: str = ""


class Lister(Protocol):
    """What tells the objects of a cluster, as documents: the API server itself, or what keeps its objects."""

    def kinds(self) -> Sequence[Resource]:
        """Return the kinds that the server serves, the preferred version of a group first."""

    def items(self, resource: Resource, namespace: str = "") -> Sequence[Document]:
        """Return the objects of a kind, of one namespace or of all; raises NotListedError."""

    def one(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none; raises NotListedError."""


class Api:
    """The API server of a context. What it answers counts against a budget. ``name`` is the file of its documents."""

    def __init__(self, process: KubeProcess, budget: Budget, name: str = "") -> None:
        self._process = process
        self._budget = budget
        self._source = Source(name)
        self._until = time.monotonic() + SECONDS

    def kinds(self) -> list[Resource]:
        """Return the kinds that the server serves, the preferred version of a group first."""
        found: list[Resource] = []
        left = self._budget.memory
        for root in ("/api", "/apis"):
            value = self._value(root, _DISCOVERY)
            kind = value.get("kind")
            if kind == "APIGroupDiscoveryList":
                found += aggregated(value)
            else:
                # Servers before 1.27.
                for version in versions(value):
                    found += self._of_version(f"{root}/{version}", version)
        self._budget.memory = left
        return found

    def items(self, resource: Resource, namespace: str = "") -> list[Document]:
        """Return the objects of a kind, of one namespace or of all; raises what ``listing`` does."""
        return [Document(one, self._source) for one in self.listing(resource, namespace).items]

    def listing(self, resource: Resource, namespace: str = "") -> Listing:
        """Return the objects of a kind, of one namespace or of all, with ``kind`` and ``apiVersion``.

        They are without what no reader wants: ``managedFields`` and the last applied configuration. The kind is that of
        the list, whatever an item says: an object of netlab's own kinds may name programs of this host.

        Raises:
          NotListedError: if the server does not list them.
          HostError: if the server does not answer as an API server does.
          TooLargeError: if there is too much.
        """
        for restart in range(_BEGINS + 1):
            left = self._budget.memory
            found: list[dict[str, Any]] = []
            version = ""
            try:
                for page, version in self._pages(resource, namespace, PAGE if restart < _BEGINS else 0):  # noqa: B007
                    found += page
            except _GoneError:
                self._budget.memory = left
                continue
            return Listing(found, version)
        raise self._wrong(resource.path(namespace), "the list changes faster than it can be read")

    def one(self, resource: Resource, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none; raises what ``listing`` does."""
        path = f"{resource.path(namespace)}/{quote(name, safe='')}"
        value = self._listed(path)
        if value is not None and not isinstance(value.get("metadata"), dict):
            raise self._wrong(path, "the answer is no object")
        if value is None:
            return None
        return Document(clean({**value, "apiVersion": resource.version, "kind": resource.kind}), self._source)

    def _pages(self, resource: Resource, namespace: str, size: int) -> Iterator[Listing]:
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
            page = [clean({**item, "apiVersion": resource.version, "kind": resource.kind}) for item in items]
            version = metadata.get("resourceVersion")
            del value, items
            # What is not kept takes no memory.
            self._budget.memory = left
            self._budget.spend(sum(map(memory, page)))
            yield Listing(page, version if isinstance(version, str) else "")
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
            raise NotListedError(message_of(answer), forbidden=False)
        return self._decoded(path, answer)

    def _value(self, path: str, accept: str) -> dict[str, Any]:
        return self._decoded(path, self._answer(path, accept))

    def _of_version(self, path: str, version: str) -> Iterator[Resource]:
        answer = self._answer(path, _JSON)
        if answer.status in (*_UNAVAILABLE, _NOT_FOUND):
            # An API service whose server is down.
            return
        for one in dicts(self._decoded(path, answer).get("resources")):
            yield from resource(version, one.get("kind"), one.get("name"), one.get("namespaced"), one.get("verbs"))

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
            raise self._wrong(path, f"status {answer.status}: {message_of(answer)}")
        try:
            text = answer.body.decode()
            self._budget.spend(memory_of_text(text))
            value = value_of(text)
        except (ValueError, RecursionError):
            raise self._wrong(path, "the answer is not JSON") from None
        if not isinstance(value, dict):
            raise self._wrong(path, "the answer is no object")
        return value

    def _wrong(self, path: str, why: str) -> OddAnswerError:
        return OddAnswerError(f"{self._process.server}{path.partition('?')[0]}: {why}", "see that it is an API server")


class _GoneError(Exception):
    """The rest of a list is not to be had any more."""


def message_of(answer: Answer) -> str:
    """Return the message of a Status, or the first line of another body."""
    try:
        value = json.loads(answer.body[: 1 << 20])
        text = value["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        text = answer.body[:_MOST_MESSAGE].decode(errors="replace")
    line = " ".join(str(text).split())
    return line[:_MOST_MESSAGE] or "no message"
