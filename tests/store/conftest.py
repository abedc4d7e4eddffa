"""The stores of these tests: the files of a directory, and a real etcd with another prefix for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from etcd_members import Member, etcd, member

from netlab.kernel.store import Store as Files
from netlab.store.etcd import EtcdStore
from netlab.store.etcd_settings import settings
from netlab.store.local import LocalStore
from netlab.store.protocol import Store

# A second user of a store: another process would make one too.
Open = Callable[[], Store]
__all__ = ["member"]
_numbers = itertools.count()


@pytest.fixture(params=["local", pytest.param("etcd", marks=pytest.mark.machines)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open one more connection with the store of the test."""
    made: list[Store] = []
    if request.param == "etcd":
        urls, prefix = [request.getfixturevalue("member").url], f"/test{next(_numbers)}/"

    def opened() -> Store:
        if request.param == "local":
            made.append(LocalStore(Files(tmp_path / "labs")))
        else:
            made.append(EtcdStore(settings(urls, prefix=prefix, lease=2)))
        return made[-1]

    yield opened
    for one in made:
        one.close()


@pytest.fixture
def store(open_store: Open) -> Store:
    """Return the store of the test, empty."""
    return open_store()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Member]:
    """An etcd of one member for one test, which may end it."""
    with etcd(tmp_path) as members:
        yield members[0]
