"""A real etcd without machines, for tests that need no root."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from etcd_members import Member, member

from netlab.machines.etcd import Etcd
from netlab.store.etcd_settings import settings

__all__ = ["member"]
_numbers = itertools.count()


@pytest.fixture
def connect(member: Member) -> Iterator[Callable[[], Etcd]]:
    """Connect once more with an etcd that has no keys at first."""
    made: list[Etcd] = []
    prefix = f"/unit{next(_numbers)}/"

    def connected() -> Etcd:
        made.append(Etcd(settings([member.url], prefix=prefix, lease=2)))
        return made[-1]

    yield connected
    for one in made:
        one.close()
