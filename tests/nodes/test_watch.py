"""Following the objects of a kind: broken, forgotten and silent watches, and kinds that come later."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from netlab.control_plane import watch
from netlab.control_plane.api import ApiError, Client
from netlab.control_plane.watch import ApiWatch
from netlab.errors import HostError
from netlab.sources.cluster_kinds import Resource

RESOURCE = Resource("v1", "Pod", "pods", True)


def one(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "a", "resourceVersion": version, "managedFields": []}}


class Server(Client):
    """An API server that answers from two scripts: its lists, and the events of its watches."""

    def __init__(self, lists: list[Any], events: list[Any]) -> None:
        self.lists, self.events = lists, events
        self.asked: list[dict[str, str]] = []

    def get(self, path: str, **query: str) -> dict[str, Any]:
        self.asked.append({"path": path, **query})
        found = self.lists.pop(0)
        if isinstance(found, Exception):
            raise found
        return dict(found)

    @contextlib.contextmanager
    def lines(self, path: str, seconds: float, **query: str) -> Iterator[Iterator[dict[str, Any]]]:
        self.asked.append({"path": path, **query})
        yield self._events(self.events.pop(0))

    def _events(self, found: list[Any]) -> Iterator[dict[str, Any]]:
        for event in found:
            if isinstance(event, Exception):
                raise event
            yield event


def listed(*names: str, more: str = "") -> dict[str, Any]:
    return {"items": [one(name) for name in names], "metadata": {"resourceVersion": "10", "continue": more}}


def changes(server: Server, count: int, *resources: Resource) -> list[tuple[str, list[str]]]:
    """Return the first changes: the verb and the names."""
    following = ApiWatch(server, resources or (RESOURCE,)).changes()
    return [(c.verb, [o["metadata"]["name"] for o in c.objects]) for c in itertools.islice(following, count)]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIRST_PAUSE", 0.0)


def test_a_list_comes_first_and_then_each_event():
    """Bookmarks are no change; the watch begins where the list ended."""
    events = [
        {"type": "ADDED", "object": one("b")},
        {"type": "BOOKMARK", "object": one("", "20")},
        {"type": "MODIFIED", "object": one("a")},
        {"type": "DELETED", "object": one("b")},
    ]
    server = Server([listed("a")], [events])

    assert [("all", ["a"]), ("set", ["b"]), ("set", ["a"]), ("gone", ["b"])] == changes(server, 4)
    assert "10" == server.asked[1]["resourceVersion"]


def test_a_watch_that_ends_goes_on_where_it_was():
    """The API server ends each watch after some minutes."""
    server = Server(
        [listed("a")], [[{"type": "ADDED", "object": one("b", "11")}], [{"type": "ADDED", "object": one("c")}]]
    )

    assert [("all", ["a"]), ("set", ["b"]), ("set", ["c"])] == changes(server, 3)
    assert "11" == server.asked[2]["resourceVersion"]


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}},
        {"type": "ERROR", "object": {"code": 500, "reason": "InternalError", "message": "etcd"}},
        HostError("the API server does not answer"),
        ConnectionResetError(),
        ValueError("half a line"),
    ],
    ids=["gone", "error", "silence", "reset", "cut"],
)
def test_a_watch_that_breaks_costs_one_list_and_loses_nothing(failure):
    """What was deleted meanwhile is not in the list."""
    server = Server([listed("a", "b"), listed("b", "c")], [[failure], [{"type": "ADDED", "object": one("d")}]])

    assert [("all", ["a", "b"]), ("all", ["b", "c"]), ("set", ["d"])] == changes(server, 3)


def test_a_list_of_many_pages_is_one_change():
    """So a reader never sees half of the objects."""
    server = Server([listed("a", more="next"), listed("b")], [[]])

    assert [("all", ["a", "b"])] == changes(server, 1)
    assert "next" == server.asked[1]["continue"]


def test_a_kind_that_is_not_served_has_no_objects_until_it_is():
    """It comes with a CustomResourceDefinition."""
    not_served = ApiError(404, "NotFound", "no such kind")
    server = Server([not_served, not_served, listed("a")], [[]])

    assert [("all", []), ("all", ["a"])] == changes(server, 2)


def test_a_kind_that_is_not_served_any_more_has_no_objects():
    """Its CustomResourceDefinition went while no watch ran, so nobody said that its objects are gone."""
    not_served = ApiError(404, "NotFound", "no such kind")
    server = Server([listed("a"), not_served, not_served, listed("b")], [[ConnectionResetError()], []])

    assert [("all", ["a"]), ("all", []), ("all", ["b"])] == changes(server, 3)


def test_an_older_version_serves_where_the_newer_one_is_missing():
    """The newer one is asked first."""
    newer, older = (Resource(f"policy/{version}", "Policy", "policies", False) for version in ("v1", "v1beta1"))
    server = Server([ApiError(404, "NotFound", ""), listed("a")], [[]])

    assert [("all", ["a"])] == changes(server, 1, newer, older)
    assert ["/apis/policy/v1/policies", "/apis/policy/v1beta1/policies"] == [asked["path"] for asked in server.asked]
