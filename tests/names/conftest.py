"""Labs of names: one for tests that leave it as it is, and labs of a test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import dns_objects
import pytest
from names.bench import Names, Program, running


@pytest.fixture(scope="session")
def program(forked: Program) -> Program:
    """A command of netlab in a fork: programs in pods are tested, not how Python starts."""
    return forked


@pytest.fixture
def lab_of(
    program: Program, unique: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], Names]:
    """Build a lab of YAML; it is removed after the test."""

    def build(text: str) -> Names:
        made = running(program, unique("dns"), tmp_path, text)
        request.addfinalizer(lambda: next(made, None))
        return next(made)

    return build


@pytest.fixture(scope="module", params=["overlay", "routed dual"])
def names(
    request: pytest.FixtureRequest, program: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Names]:
    """The lab of ``dns_objects``, for tests that leave it as it is."""
    mode, _, dual = request.param.partition(" ")
    name = f"names-{os.getpid():x}-{mode}"
    yield from running(program, name, tmp_path_factory.mktemp("names"), dns_objects.text(mode, dual=bool(dual)))
