"""Follows the objects of one kind: a list, then a watch, and both again when the watch breaks.

A reader of changes sees states, not events: a list stands for everything before it. So a watch that broke off, and one
whose version the server has forgotten (410 Gone), cost one more list and lose nothing.

Source: Kubernetes API concepts, efficient detection of changes; client-go's Reflector.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from netlab.control_plane.api import ApiError, Client, Object
from netlab.errors import NetlabError
from netlab.frozen import NamedTuple
from netlab.sources.cluster_kinds import Resource

_PAGE = "500"
# Seconds: how long a watch lasts, what its silence may exceed that by, and how long to wait after a failure.
_WATCH, _LATE = 300, 15
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_NOT_SERVED, _GONE = 404, 410


class Change(NamedTuple):
    """A change of the objects of a kind: all that there are, one that is new or different, or one that is gone."""

    kind: str
    verb: Literal["all", "set", "gone"]
    objects: tuple[Object, ...]


class Watch(Protocol):
    """The objects of one kind, followed."""

    def changes(self) -> Iterator[Change]:
        """Yield changes, the first one with all objects, until the caller ends it."""


class ApiWatch:
    """The objects of one kind of an API server.

    Args:
      client: the user.
      resources: the versions in which the kind may be served, the best one first.
      fields: a field selector, "" for all objects.
      failed: called with each failure, in words; the watch then goes on.
      stopped: whether to end.
    """

    def __init__(
        self,
        client: Client,
        resources: tuple[Resource, ...],
        fields: str = "",
        *,
        failed: Callable[[str], None] = lambda text: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._resources = resources
        self._query = {"fieldSelector": fields} if fields else {}
        self._failed = failed
        self._stopped = stopped
        self.kind = resources[0].kind

    def changes(self) -> Iterator[Change]:
        pause, said = _FIRST_PAUSE, False
        while not self._stopped():
            try:
                for change in self._once():
                    pause, said = _FIRST_PAUSE, False
                    yield change
                continue
            except ApiError as error:
                if error.status == _GONE:
                    continue
                if error.status == _NOT_SERVED:
                    # The kind comes with a CustomResourceDefinition, or went with one.
                    if not said:
                        said = True
                        yield Change(self.kind, "all", ())
                else:
                    self._failed(f"{self.kind}: {error}")
            except (NetlabError, OSError, ValueError) as error:
                self._failed(f"{self.kind}: {error}")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _once(self) -> Iterator[Change]:
        """Yield all objects, and then the changes until the watch breaks."""
        resource, objects, version = self._listed()
        yield Change(self.kind, "all", tuple(objects))
        while not self._stopped():
            seconds = _WATCH + random.randrange(60)  # noqa: S311  so that not all watches end together
            query = {**self._query, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
            with self._client.lines(resource.path(), seconds + _LATE, resourceVersion=version, **query) as events:
                for event in events:
                    kind, one = event.get("type"), event.get("object") or {}
                    if kind == "ERROR":
                        raise ApiError(int(one.get("code") or 500), str(one.get("reason")), str(one.get("message")))
                    version = one["metadata"]["resourceVersion"]
                    if kind in ("ADDED", "MODIFIED"):
                        yield Change(self.kind, "set", (_named(one, resource),))
                    elif kind == "DELETED":
                        yield Change(self.kind, "gone", (_named(one, resource),))

    def _listed(self) -> tuple[Resource, list[Object], str]:
        for at, resource in enumerate(self._resources):
            try:
                return resource, *self._pages(resource)
            except ApiError as error:
                if error.status != _NOT_SERVED or at == len(self._resources) - 1:
                    raise
        raise AssertionError

    def _pages(self, resource: Resource) -> tuple[list[Object], str]:
        found: list[Object] = []
        query = {**self._query, "limit": _PAGE}
        while True:
            answer = self._client.get(resource.path(), **query)
            found += [_named(one, resource) for one in answer.get("items") or ()]
            metadata = answer.get("metadata") or {}
            if not metadata.get("continue"):
                return found, str(metadata.get("resourceVersion") or "")
            query["continue"] = metadata["continue"]


def _named(one: Object, resource: Resource) -> Object:
    """Return an object with its kind, which items of a list do not have, and without what nobody reads."""
    one["metadata"].pop("managedFields", None)
    return {**one, "apiVersion": resource.version, "kind": resource.kind}
