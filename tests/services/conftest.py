"""Labs with Services on the real kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from host_records import record
from services.bench import Bench

from netlab.lab.lab import Lab
from netlab.objects import Document, decode


def up(*documents: Document) -> Lab:
    """Build the lab of documents."""
    objects, problems = decode(documents)
    assert [] == [problem for problem in problems if problem.severity == "error"]
    return Lab.up(objects)


@pytest.fixture
def build() -> Iterator[Callable[..., Bench]]:
    """Build a lab of documents; it is gone afterwards."""
    made: list[Bench] = []

    def make(*documents: Document) -> Bench:
        made.append(Bench(up(*documents)))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.lab.down()
    record.tidy()
