"""Labs on the real kernel, and what tests of the wiring do with them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import objects
from iproute2 import Facts, ip

from netlab.cluster.flows import every_pair
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.policy.evaluate import evaluate


@pytest.fixture
def lab(unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Build a lab of any mixture of kinds; it is gone afterwards."""
    made: list[Lab] = []

    def build(*things: Any) -> Lab:
        running = Lab.up(objects(*things), name=unique("wiring"))
        made.append(running)
        return running

    yield build
    for running in made:
        running.down()


@pytest.fixture
def inside() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Enter the network namespace of an endpoint for a block."""

    def enter(running: Lab, ref: str) -> contextlib.AbstractContextManager[None]:
        return netns.inside(names.endpoint_namespace(running.name, running.cluster.by_ref[ref]))

    return enter


@pytest.fixture
def command(inside: Callable[..., contextlib.AbstractContextManager[None]]) -> Callable[..., str]:
    """Run a program in the network namespace of an endpoint and return what it printed."""

    def run(running: Lab, ref: str, *argv: str) -> str:
        with inside(running, ref):
            return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture
def facts(inside: Callable[..., contextlib.AbstractContextManager[None]]) -> Callable[..., Facts]:
    """Run ``ip``, or another program of iproute2, in the network namespace of an endpoint."""

    def ask(running: Lab, ref: str, *words: str, program: str = "ip") -> Facts:
        with inside(running, ref):
            return ip(*words, program=program)

    return ask


@pytest.fixture
def disagreements() -> Callable[..., list[str]]:
    """Probe every pair of a lab and return where packets differ from the evaluator."""

    def ask(running: Lab, **how: Any) -> list[str]:
        found = []
        asked = 0
        for measured in running.probe(every_pair(running.cluster, **how)):
            asked += 1
            flow = measured.flow
            expected = evaluate(running.cluster, flow)
            if expected.verdict != measured.verdict:
                what = f"{flow.source.ref} to {flow.target} {flow.protocol} {flow.port}"
                found.append(f"{what}: {expected.verdict} ({expected.reason}), {measured.verdict} ({measured.reason})")
        assert asked
        return found

    return ask


@pytest.fixture
def connection(inside: Callable[..., contextlib.AbstractContextManager[None]]) -> Callable[..., tuple[str, str]]:
    """Open a TCP connection to a listening pod; return the peers that the server and the client see."""

    def connect(
        running: Lab, client: str, address: str, port: int, server: str, listens: int, seconds: float = 5
    ) -> tuple[str, str]:
        with contextlib.ExitStack() as stack:
            with inside(running, server):
                listener = stack.enter_context(socket.create_server(("", listens)))
            with inside(running, client):
                caller = stack.enter_context(socket.socket())
            listener.settimeout(seconds)
            caller.settimeout(seconds)
            caller.connect((address, port))
            accepted, seen = listener.accept()
            stack.enter_context(accepted)
            return seen[0], caller.getpeername()[0]

    return connect
