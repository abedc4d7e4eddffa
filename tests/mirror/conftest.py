"""A mirror of an API server on loopback, whose lab is in a kernel in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from mirror.mirrors import Begin, Running, first_objects
from mirror.watched_server import WatchedServer
from sources.api_server import serving

# A forked process has it then, and does not import it for each test.
import netlab.kernel.kube_library  # noqa: F401
from netlab.mirror.mirror import Mirror, Source
from netlab.objects import Document
from netlab.sources.cluster import opened
from netlab.testing import FakeKernel


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedServer]:
    """Run a server with two nodes, two pods and a policy; the kubeconfig names it."""
    found = WatchedServer(first_objects())
    with serving(found, tmp_path) as path:
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found
        found.down = True
        found.break_watches()


@pytest.fixture
def begin(server: WatchedServer) -> Iterator[Begin]:
    """Return a function that makes a mirror; with ``build`` off, it has no lab yet."""
    with ExitStack() as stack:

        def started(*only: str, extra: Sequence[Document] = (), build: bool = True) -> Running:
            process = stack.enter_context(opened("cluster:", watches=True))
            machine = FakeKernel()
            running = Running(server, None, machine)  # type: ignore[arg-type]
            running.mirror = Mirror(Source(process, "cluster:prod", only), extra, running)
            if build:
                given, cluster, _ = running.mirror.read()
                stack.callback(running.mirror.build(given, cluster, "mirrored", machine).close)
            return running

        yield started


@pytest.fixture
def running(begin: Begin) -> Running:
    """Return a mirror with its lab, which follows."""
    return begin()
