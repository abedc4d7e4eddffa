"""The objects of one list of an API server, kept up to date by the events of a watch.

Objects are documents with the fields that netlab reads. An event that changes no such field, as a heartbeat, changes
nothing here. So the document of an object stays the same one until what netlab reads of it changes.

Source: "Kubernetes API Concepts" of kubernetes.io (efficient detection of changes, bookmarks, 410 Gone).
"""

from __future__ import annotations

import time
from typing import Any

from netlab.objects.bounds import TooLargeError
from netlab.objects.reduced import each_reduced
from netlab.objects.types import Document, Source
from netlab.sources.cluster_api import Listing, NotListedError
from netlab.sources.cluster_json import clean, memory, value_of
from netlab.sources.cluster_kinds import Resource

FIRST_WAIT = 0.2
"""How many seconds a list waits after a first failure."""
_GONE = 410
# A watch that ends sooner did not work, whatever the server said.
_WORKED = 1.0
_Name = tuple[str, str]


class BrokenWatchError(Exception):
    """The watch cannot go on from where it was. ``gone``: the server has no events since then any more."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        self.gone = gone
        super().__init__(message)


class Followed:
    """The objects of a kind in one namespace, or in all ("").

    - ``version``: the resourceVersion from which a watch goes on; "" if the list must be asked for first.
    - ``refused``: why the server does not list it, None if it does.
    - ``watch``: the number of the running watch, 0 if none runs. ``began``: when it was asked for. ``opened``: when the
      server began to answer it, 0.0 before. ``worked``: whether a watch was answered since the last that was forbidden.
    - ``due``: the time at which the server is asked next, if no watch runs.
    - ``failures``: how many attempts failed since the last that did not.
    - ``size``: how many bytes of memory the objects take at most.
    - ``stale_since``: since when the list alone cannot be read, 0.0 if it can; ``stale_said``: whether a line said so.
    - ``forbidden_since``: since when a list that was told is not any more, 0.0 if it is.
    """

    def __init__(self, resource: Resource, namespace: str, source: Source) -> None:
        self.resource = resource
        self.namespace = namespace
        self.version = ""
        self.refused: NotListedError | None = None
        self.watch = 0
        self.began = 0.0
        self.opened = 0.0
        self.worked = False
        self.due = 0.0
        self.failures = 0
        self.forbidden_since = 0.0
        self.stale_since = 0.0
        self.stale_said = False
        self._source = source
        self.size = 0
        self._documents: dict[_Name, Document] = {}
        # The resourceVersion of each object, as a list has it once more.
        self._versions: dict[_Name, str] = {}
        self._sorted: list[Document] | None = None

    @property
    def documents(self) -> list[Document]:
        """The objects, in the order of a list of the server."""
        if self._sorted is None:
            self._sorted = [self._documents[name] for name in sorted(self._documents, key="/".join)]
        return self._sorted

    def wait(self, longest: float) -> None:
        """Wait for the next attempt, the longer the more failed; ``longest`` in seconds."""
        self.due = time.monotonic() + min(FIRST_WAIT * 2**self.failures, longest)
        self.failures = min(self.failures + 1, 20)

    def again(self, longest: float) -> None:
        """Have a watch that was answered and ended begin again: at once if it worked."""
        if time.monotonic() - self.opened < _WORKED:
            self.wait(longest)
        else:
            self.failures, self.due = 0, 0.0

    def is_stale(self, forgiven: float) -> bool:
        """Note that the objects are not told now; return True once, when that has lasted for some seconds."""
        now = time.monotonic()
        self.stale_since = self.stale_since or now
        if self.stale_said or now - self.stale_since < forgiven:
            return False
        self.stale_said = True
        return True

    def is_fresh(self) -> bool:
        """Note that the objects are told; return whether ``is_stale`` was True before."""
        said, self.stale_said, self.stale_since = self.stale_said, False, 0.0
        return said

    def list_is(self, listing: Listing) -> bool:
        """Take a whole list, and return whether it differs from what was known."""
        changed = self.refused is not None
        self.refused, self.forbidden_since = None, 0.0
        self.version = listing.version
        items = {_name_of(item): item for item in listing.items}
        for name in [name for name in self._documents if name not in items]:
            self._remove(name)
            changed = True
        new = {
            name: item for name, item in items.items() if not (v := _version_of(item)) or v != self._versions.get(name)
        }
        return self._put(new) or changed

    def take(self, line: bytes) -> bool:
        """Take an event of the watch, and return whether it changed anything.

        Raises:
          BrokenWatchError: if the watch cannot go on.
        """
        try:
            event = value_of(line.decode())
            kind, value = event["type"], event["object"]
            if kind == "ERROR":
                code = value.get("code")
                raise BrokenWatchError(str(value.get("message", "")), gone=code == _GONE)
            version = str(value["metadata"]["resourceVersion"])
            if kind == "BOOKMARK":
                self.version = version
                return False
            name = _name_of(value)
            if kind == "DELETED":
                changed = self._remove(name)
            elif kind in ("ADDED", "MODIFIED"):
                memory(value)
                item = {**value, "apiVersion": self.resource.version, "kind": self.resource.kind}
                changed = self._put({name: clean(item)})
            else:
                raise BrokenWatchError(f"an event of type {str(kind)[:50]}", gone=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TooLargeError) as error:
            # What this event said is lost, so the list is asked for anew.
            raise BrokenWatchError("an event that is none of a watch", gone=True) from error
        self.version = version
        return changed

    def _put(self, items: dict[_Name, dict[str, Any]]) -> bool:
        changed = False
        given = [Document(item, self._source) for item in items.values()]
        for name, item, document in zip(items, items.values(), each_reduced(given), strict=True):
            self._versions[name] = _version_of(item)
            before = self._documents.get(name)
            if before is None or before.data != document.data:
                self._documents[name] = document
                self.size += memory(document.data) - (memory(before.data) if before is not None else 0)
                changed = True
        if changed:
            self._sorted = None
        return changed

    def _remove(self, name: _Name) -> bool:
        self._versions.pop(name, None)
        gone = self._documents.pop(name, None)
        if gone is None:
            return False
        self._sorted = None
        self.size -= memory(gone.data)
        return True


def _name_of(item: dict[str, Any]) -> _Name:
    metadata = item["metadata"]
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _version_of(item: dict[str, Any]) -> str:
    version = item["metadata"].get("resourceVersion")
    return version if isinstance(version, str) else ""
