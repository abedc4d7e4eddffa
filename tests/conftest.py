"""Fixtures that every test may use; the builders of objects are in ``builders.py``."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import forked as forks
import hypothesis
import kernel_marks
import memos
import pytest
from click.testing import CliRunner, Result
from host_records import namespaces
from sizes import FAST, HANGS

from netlab.cli import cli
from netlab.kernel.linux import Linux

# A shell without job control starts background programs with interrupts ignored, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# So does nohup, with hangups.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Programs that tests start read their bytecode, as those of users do; to compile all of it takes longer than a command.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What pytest collects stays until the end: the garbage collector looks at it once, and then no more.
gc.disable()

# The option --hypothesis-profile replaces it.
hypothesis.settings.load_profile(FAST)

REPOSITORY = Path(__file__).parents[1]
Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
_numbers = itertools.count()


def pytest_itemcollected(item: pytest.Item) -> None:
    kernel_marks.mark(item)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the virtual machine elsewhere: they are no tests of this host."""
    elsewhere = {item for item in items if kernel_marks.elsewhere(item)}
    if elsewhere:
        config.hook.pytest_deselected(items=list(elsewhere))
        items[:] = [item for item in items if item not in elsewhere]


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if reason := kernel_marks.missing(item):
        # As root in CI nothing may be missing: a skipped test proves nothing.
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)(reason)


@pytest.fixture(autouse=True)
def _no_memos() -> Iterator[None]:
    """Clear the caches of netlab's modules after each test."""
    yield
    memos.clear()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Make names that no other test, and no other run on this host, uses; short enough for a lab."""
    return lambda word="t": f"{word[:16]}-{os.getpid():x}-{next(_numbers)}"  # type: ignore[misc]


@pytest.fixture
def kernel() -> Iterator[Linux]:
    """The real kernel; closed afterwards."""
    linux = Linux()
    yield linux
    linux.close()


@pytest.fixture
def spaces(unique: Callable[[str], str], kernel: Linux) -> Iterator[Callable[..., list[str]]]:
    """Make network namespaces on the real kernel; remove them after the test."""
    lab = unique("t")
    with namespaces(kernel, lab) as create:

        def make(*words: str) -> list[str]:
            names = [f"netlab.{lab}.{unique(word)}" for word in words]
            create(names)
            return names

        yield make


@pytest.fixture
def netlab() -> Call:
    """Call the command line in this process: for what needs no kernel."""
    return lambda *arguments, **more: CliRunner().invoke(cli, list(map(str, arguments)), **more)


@pytest.fixture(scope="session")
def program() -> Program:
    """Start ``python -m netlab`` from the repository, and wait for its end."""

    def run(*arguments: object, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "netlab", *map(str, arguments)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": "120", **environment},
            timeout=HANGS,
        )

    return run


@pytest.fixture(scope="session")
def forked() -> Program:
    """Do as ``program`` does, in a fork of this process and a quarter of the time.

    It is for tests that do not ask how Python starts. A folder or a module of such tests overrides ``program`` with it.
    """
    forks.import_netlab()
    return forks.run


@pytest.fixture(scope="module")
def shared_lab(program: Program) -> Iterator[str]:
    """A lab of the example shop, for tests that do not change it."""
    name = f"cli-{os.getpid():x}-shared"
    try:
        done = program("up", "-f", "examples/shop", "--lab", name)
        assert 0 == done.returncode, done.stderr
        yield name
    finally:
        program("down", name)


@pytest.fixture
def lab(program: Program, unique: Callable[[str], str]) -> Iterator[str]:
    """A lab of the example shop with a name of its own; removed after the test."""
    name = unique("cli")
    try:
        done = program("up", "-f", "examples/shop", "--lab", name)
        assert 0 == done.returncode, done.stderr
        yield name
    finally:
        program("down", name)
