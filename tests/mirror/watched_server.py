"""The API server of ``sources.api_server`` with watches: it streams events from a resourceVersion on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping

from sources.api_server import MINE, Answer, ApiServer, Object, status

from netlab.sources.cluster_kinds import Resource

Query = Mapping[str, list[str]]


class WatchedServer(ApiServer):
    """What it has is changed by ``put`` and ``delete``.

    - ``unwatched``: paths that may be listed and not watched.
    - ``down``: connections end without an answer.
    - ``held``: is set while watches of the path ``holds`` get their answer; the others get theirs at once.
    - ``watches``: the path and the resourceVersion of each watch that began.
    """

    def __init__(self, objects: Iterable[Object] = (), kinds: Iterable[Resource] = MINE) -> None:
        super().__init__((), kinds)
        self.unwatched: set[str] = set()
        self.watches: list[tuple[str, int]] = []
        self.down = False
        self.holds = ""
        self.held = threading.Event()
        self.bookmark = False
        self._revision = 100
        self._oldest = 0
        self._events: list[tuple[int, str, Object]] = []
        self._breaks = 0
        self._moved = threading.Condition()
        for one in objects:
            self.put(one)

    # --- what changes it ----------------------------------------------------------------------------------------

    def put(self, *objects: Object) -> None:
        """Add objects, or replace those of the same name."""
        for one in objects:
            with self._moved:
                self._revision += 1
                new = {**one, "metadata": {**one["metadata"], "resourceVersion": str(self._revision)}}
                before = [o for o in self.objects if _key(o) == _key(one)]
                self.objects = [o for o in self.objects if _key(o) != _key(one)] + [new]
                self._events.append((self._revision, "MODIFIED" if before else "ADDED", new))
                self._moved.notify_all()

    def delete(self, *objects: Object) -> None:
        """Remove objects."""
        for one in objects:
            with self._moved:
                self._revision += 1
                self.objects = [o for o in self.objects if _key(o) != _key(one)]
                gone = {**one, "metadata": {**one["metadata"], "resourceVersion": str(self._revision)}}
                self._events.append((self._revision, "DELETED", gone))
                self._moved.notify_all()

    def break_watches(self) -> None:
        """End the connections of all watches."""
        with self._moved:
            self._breaks += 1
            self._moved.notify_all()

    def forget(self) -> None:
        """Compact: have no events before now any more."""
        with self._moved:
            self._oldest = self._revision

    def say(self, line: bytes, path: str) -> None:
        """Send a line to the watches of a path."""
        with self._moved:
            self._events.append((self._revision, path, {"raw": line.decode()}))
            self._moved.notify_all()

    # --- what it answers ----------------------------------------------------------------------------------------

    def dead(self) -> bool:
        return self.down

    def answer(self, path: str, query: Query) -> Answer:
        if "watch" in query:
            if path in self.unwatched or path in self.forbidden:
                return status(403, "forbidden: no watch")
            if int(query["resourceVersion"][0]) < self._oldest:
                return status(410, "too old resource version")
        with self._moved:
            code, headers, body = super().answer(path, query)
            value = json.loads(body)
            if "items" in value and path not in ("/api", "/apis"):
                value["metadata"]["resourceVersion"] = str(self._revision)
        return code, headers, json.dumps(value).encode()

    def stream(self, path: str, query: Query) -> Iterator[bytes] | None:
        if "watch" not in query or path in self.unwatched | self.forbidden or self.before(path, query):
            return None
        version = int(query["resourceVersion"][0])
        found = [one for one in self.kinds if path == one.path() or path.endswith(f"/{one.plural}")]
        if version < self._oldest or not found:
            return None
        namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
        with self._moved:
            self.watches.append((path, version))
            lines = self._lines(found[0], namespace, version, path, self._breaks, len(self._events))
        if path == self.holds:
            self.held.wait(20)
        return lines

    def _lines(self, one: Resource, namespace: str, version: int, path: str, breaks: int, said: int) -> Iterator[bytes]:
        at = 0
        if self.bookmark:
            yield _line("BOOKMARK", {"metadata": {"resourceVersion": str(self._revision)}})
        while True:
            with self._moved:
                while at >= len(self._events) and breaks == self._breaks and not self.down:
                    self._moved.wait(0.5)
                if breaks != self._breaks or self.down:
                    return
                revision, kind, value = self._events[at]
                at += 1
            if kind == path and at > said:
                yield value["raw"].encode() + b"\n"
            elif (
                revision > version
                and (value.get("kind"), value.get("apiVersion")) == (one.kind, one.version)
                and namespace in ("", value["metadata"].get("namespace"))
            ):
                yield _line(kind, value)


def _key(one: Object) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _line(kind: str, value: Object) -> bytes:
    return json.dumps({"type": kind, "object": value}).encode() + b"\n"
