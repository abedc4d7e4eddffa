"""Small labs on the real kernel, wired by the product's own plan, with a ruleset of the test's choice."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from builders import cluster, flow
from host_records import namespaces

from netlab.cluster import Cluster
from netlab.dataplane import names
from netlab.dataplane.node_rulesets import rulesets
from netlab.dataplane.plan import difference
from netlab.dataplane.wanted import wanted
from netlab.kernel import netns
from netlab.kernel.linux import Linux
from netlab.probe import Measurement, attempt, measure

_numbers = itertools.count()


@dataclass(frozen=True)
class RunningLab:
    """A lab that runs, and what tests do with one."""

    cluster: Cluster
    kernel: Linux

    def namespace(self, ref: str) -> str:
        return names.endpoint_namespace(self.cluster.name, self.cluster.by_ref[ref])

    def probe(self, source: str, destination: str, service: str = "80/TCP") -> Measurement:
        """Measure one flow."""
        (measured,) = measure(self.cluster, [flow(self.cluster, source, destination, service)])
        return measured

    def ip(self, ref: str, *arguments: str) -> str:
        """Run ``ip`` in the namespace of an endpoint."""
        with netns.inside(self.namespace(ref)):
            return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout

    def nft(self, ref: str, script: str) -> None:
        self.kernel.nft(self.namespace(ref), script)

    @contextlib.contextmanager
    def program(self, ref: str, port: int, kind: int) -> Iterator[socket.socket]:
        """A socket in the namespace of an endpoint that holds a port: a TCP one listens."""
        with netns.inside(self.namespace(ref)):
            held = socket.socket(socket.AF_INET, kind)
        with held:
            held.bind(("", port))
            if kind == socket.SOCK_STREAM:
                held.listen()
            yield held


@pytest.fixture
def lost_soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function after which probes wait less for packets that never come. No link of these labs is slow."""
    return lambda: monkeypatch.setattr(attempt, "WAITS", (0.05, 0.1, 0.2))


@pytest.fixture
def lab() -> Iterator[Callable[..., RunningLab]]:
    """Build a lab of any mixture of kinds; it is gone afterwards. ``nft``: rulesets by node instead of its own."""
    kernel = Linux()
    with contextlib.ExitStack() as labs:
        labs.callback(kernel.close)

        def build(*things: Any, nft: Mapping[str, str] | None = None) -> RunningLab:
            return _built(kernel, labs, cluster(*things), nft)

        yield build


def _built(kernel: Linux, labs: contextlib.ExitStack, of: Cluster, nft: Mapping[str, str] | None) -> RunningLab:
    running = replace(of, name=f"probe-{os.getpid():x}-{next(_numbers)}")
    plan = wanted(running)
    steps = difference({}, plan)
    labs.enter_context(namespaces(kernel, running.name))(steps.create)
    kernel.apply(steps.changes)
    own = nft if nft is not None else {node: rules.text() for node, rules in rulesets(running).items()}
    for node, text in own.items():
        kernel.nft(names.node_namespace(running.name, node), text)
    kernel.wait_until_ready(steps.create)
    return RunningLab(running, kernel)
