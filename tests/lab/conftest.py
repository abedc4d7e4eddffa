"""Commands of these tests are forks: what labs become is tested, not how Python starts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def program(forked: Program) -> Program:
    """A command of netlab in a fork."""
    return forked
