"""Labs on the real kernel for tests of profiles, and what iproute2 and packets say about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import objects
from iproute2 import Facts, ip

from netlab.cluster.flows import every_pair
from netlab.dataplane import names
from netlab.lab.lab import Lab
from netlab.policy.evaluate import evaluate


@pytest.fixture
def lab(unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Build a lab of any mixture of kinds; it is gone afterwards."""
    made: list[Lab] = []

    def build(*things: Any) -> Lab:
        running = Lab.up(objects(*things), name=unique("profile"))
        made.append(running)
        return running

    yield build
    for running in made:
        running.down()


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """Run ``ip -j``, or another program of iproute2, in the network namespace of an endpoint."""

    def ask(running: Lab, ref: str, *words: str, program: str = "ip") -> Facts:
        namespace = names.endpoint_namespace(running.name, running.cluster.by_ref[ref])
        return ip(*words, namespace=namespace, program=program)

    return ask


@pytest.fixture
def disagreements() -> Callable[..., list[str]]:
    """Probe every pair of a lab, nodes and hosts included, and return where packets differ from the evaluator."""

    def ask(running: Lab) -> list[str]:
        found = []
        for measured in running.probe(every_pair(running.cluster, nodes=True)):
            flow, expected = measured.flow, evaluate(running.cluster, measured.flow)
            if expected.verdict != measured.verdict:
                what = f"{flow.source.ref} to {flow.target} {flow.protocol} {flow.port}"
                found.append(f"{what}: {expected.verdict} ({expected.reason}), {measured.verdict} ({measured.reason})")
        return found

    return ask
