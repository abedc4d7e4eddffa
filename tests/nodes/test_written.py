"""When netlab writes in an object that lacks something, by what it wrote there before."""

from __future__ import annotations

import operator
from typing import Any

from netlab.control_plane.nodes.written import Written

KEY = ("shop", "a")


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def at(version: int, name: str = "a") -> dict[str, Any]:
    metadata = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata}


def test_a_write_is_not_repeated_before_the_watch_brings_a_change():
    """However long that takes."""
    clock = Clock()
    written = Written(operator.eq, clock)

    assert written.is_due(at(1), "Running")
    clock.now += 60
    assert not written.is_due(at(1), "Running")
    assert not written.any_late


def test_another_write_is_due_at_once():
    """The one before may be under way."""
    written = Written(operator.eq, Clock())

    assert [True, True, True] == [written.is_due(at(1), wanted) for wanted in ("Running", "Ready", "Running")]


def test_a_write_that_another_writer_undid_is_repeated_once_a_second():
    """The object is late until then."""
    clock = Clock()
    written = Written(operator.eq, clock)
    done = []
    for version in range(100):
        done.append(written.is_due(at(version), "Running"))
        assert done[-1] != written.any_late
        assert ([] if done[-1] else [KEY]) == list(written.take_late())
        clock.now += 0.125

    assert 13 == sum(done)


def test_a_write_that_failed_is_due_again():
    """The object did not change."""
    written = Written(operator.eq, Clock())

    assert written.is_due(at(1), "Running")
    written.forget("uid-a")
    assert written.is_due(at(1), "Running")


def test_only_objects_that_exist_are_kept():
    """Else each pod that ever was would take memory."""
    written = Written(operator.eq, Clock())
    assert written.is_due(at(1, "a"), "Running")
    assert written.is_due(at(1, "b"), "Running")
    written.keep({"uid-b"})

    assert 1 == len(written)
    assert not written.is_due(at(1, "b"), "Running")
