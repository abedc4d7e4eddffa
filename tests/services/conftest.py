"""Labs with Services on the real kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from host_records import record
from services.bench import Bench
from services.objects import pod, topology

from netlab.lab.lab import Lab
from netlab.objects import Document, decode


def up(*documents: Document) -> Lab:
    """Build the lab of documents."""
    objects, problems = decode(documents)
    assert [] == [problem for problem in problems if problem.severity == "error"]
    return Lab.up(objects)


@pytest.fixture
def build() -> Iterator[Callable[..., Bench]]:
    """Return a function that builds a lab of documents. Labs are removed after the test."""
    made: list[Bench] = []

    def make(*documents: Document) -> Bench:
        made.append(Bench(up(*documents)))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.lab.down()
    record.tidy()


@pytest.fixture
def lab(build: Callable[..., Bench], unique: Callable[[str], str]) -> Callable[..., Bench]:
    """Return a function that builds a lab of two nodes, two client pods, an outside host and objects."""

    def make(*documents: Document, mode: str = "overlay", families: tuple[int, ...] = (4,), **more: Any) -> Bench:
        clients = [pod("u/c1", node="n1"), pod("u/c2", node="n2")]
        return build(topology(unique("up"), mode, families, **more), *clients, *documents)

    return make
