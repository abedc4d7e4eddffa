"""Flows become packets, each different packet once."""

from __future__ import annotations

import pytest
from builders import cluster, flow, pod, topology

from netlab.probe.probes import Probe, ProbeMaker, Unsent
from netlab.probe.sockets import Sockets
from netlab.testing import FakeKernel


@pytest.fixture
def made():
    built = cluster(
        topology(["n1"], hosts={"client": ["192.0.2.10", "192.0.2.11"]}),
        pod("x/a"),
        pod("x/h1", host=True),
        pod("x/h2", host=True),
        pod("x/alone", network="none"),
    )
    sockets = Sockets(0, range(5000, 5004), FakeKernel().inside)
    yield built, ProbeMaker(built, "some-lab", sockets)
    sockets.close()


def test_flows_with_the_same_packet_share_a_probe(made):
    """Two pods in their node's namespace send the same to the same."""
    built, maker = made
    asked = {}  # type: ignore[var-annotated]
    probes = [maker.probe_of(flow(built, source, "x/a"), asked) for source in ("x/h1", "x/h2", "node:n1")]

    assert 1 == len({id(probe) for probe in probes})
    assert 1 == len(asked)


def test_flows_that_differ_have_their_own(made):
    """By port, protocol, destination, or an address of the same destination."""
    built, maker = made
    asked = {}  # type: ignore[var-annotated]
    for destination, service in [
        ("host:client", "80/TCP"),
        ("host:client", "81/TCP"),
        ("host:client", "80/UDP"),
        ("x/h1", "80/TCP"),
        ("192.0.2.11", "80/TCP"),
        ("192.0.2.10", "80/TCP"),
    ]:
        assert isinstance(maker.probe_of(flow(built, "x/a", destination, service), asked), Probe)

    assert 5 == len(asked)


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        ("x/alone", "x/a", "not sent: x/alone has a loopback interface only"),
        ("x/a", "x/alone", "not sent: x/alone has a loopback interface only"),
        ("x/alone", "x/alone", "not sent: x/alone has a loopback interface only"),
        ("x/a", "198.51.100.1", "not sent: no machine of the lab has 198.51.100.1"),
    ],
)
def test_a_flow_without_a_packet_is_denied(made, source, destination, reason):
    """There is no address to send from or to, or no machine has it."""
    built, maker = made

    answer = maker.probe_of(flow(built, source, destination), {})
    assert isinstance(answer, Unsent)
    assert ("deny", reason) == (answer.verdict, answer.reason)


def test_the_namespaces_are_those_of_the_lab(made):
    """The lab's name may be another than the cluster's."""
    built, maker = made

    assert "netlab.some-lab.pod.x.a" == maker.namespace(built.by_ref["x/a"])
