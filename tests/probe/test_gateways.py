"""A pod's gateway is its node, and is probed like the node's other addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import cluster, flow, peer, pod, policy, rule, topology

from netlab.cluster.find import find_destination
from netlab.cluster.flows import Flow
from netlab.dataplane import names
from netlab.objects.topology import TopologyPolicy
from netlab.policy.evaluate import evaluate
from netlab.probe import Measurement, measure
from netlab.probe.probes import ProbeMaker, Unsent
from netlab.probe.sockets import Sockets
from netlab.testing import FakeKernel

CIDRS = ["10.244.0.0/16", "fd00:10:244::/56"]


def ask(running, source: str, address: str, port: int) -> tuple[str, Measurement]:
    """Return the evaluator's and the measured verdict for an address, as for the command line."""
    of = running.cluster
    end = find_destination(of, address, source=of.by_ref[source])
    asked = flow(of, source, address, f"{port}/TCP")._replace(destination=end)  # type: ignore[arg-type]
    (measured,) = measure(of, [asked])
    return evaluate(of, asked).verdict, measured


@pytest.mark.parametrize("mode", ["bridge", "overlay"])
@pytest.mark.parametrize("place", [0, 1], ids=["IPv4", "IPv6"])
def test_the_gateway_of_a_pod_is_its_node(lab, mode, place):
    """It answers on each node and under every policy."""
    running = lab(
        topology(["n1", "n2"], mode=mode, cidrs=CIDRS),
        *(pod(f"x/{n}", node=n) for n in ("n1", "n2")),
        policy("x/deny", types="ingress egress"),
    )
    for node in running.cluster.nodes:
        gateway = names.gateway_of(node.pod_cidrs["default"][place])
        expected, measured = ask(running, f"x/{node.name}", str(gateway), 81)

        assert ("allow", "allow", node.ref) == (expected, measured.verdict, measured.flow.target), measured.reason


@pytest.mark.parametrize("peers", ["ignore", "match"])
def test_egress_to_the_gateway_is_judged_by_its_address(lab, peers):
    """Where egress policies cover a pod's own node; selectors do not match the gateway."""
    shape = topology(["n1"])
    running = lab(
        replace(shape, policy=TopologyPolicy(own_node="enforce", host_network_peers=peers)),
        pod("x/a"),
        pod("x/host", host=True),
        policy(
            "x/out",
            egress=[rule(peer(cidr="10.244.0.1/32"), ports=["81"]), rule(peer(""), ports=["82"])],
        ),
    )

    found = [
        (expected, measured.verdict) for expected, measured in (ask(running, "x/a", "10.244.0.1", p) for p in (81, 82))
    ]
    assert [("allow", "allow"), ("deny", "deny")] == found


@pytest.mark.parametrize(
    ("mode", "address", "words"),
    [
        ("bridge", "10.244.0.1", "10.244.0.1 is the gateway of network 'default' on each node: ask node:NAME instead"),
        ("overlay", "10.244.1.1", "10.244.1.1 is the gateway of network 'default' on its node: ask node:n2 instead"),
    ],
)
def test_another_gateway_is_inconclusive(mode, address, words):
    """A node has the address, and no packet is sent."""
    of = cluster(topology(["n1", "n2"], mode=mode, hosts={"h": ["192.0.2.1"]}), pod("x/a", node="n1"))
    sockets = Sockets(0, range(5000, 5004), FakeKernel().inside)
    asked: Flow = flow(of, "host:h", address)

    assert Unsent("inconclusive", f"not sent: {words}") == ProbeMaker(of, "some-lab", sockets).probe_of(asked, {})
    assert words == evaluate(of, asked).reason
    sockets.close()
