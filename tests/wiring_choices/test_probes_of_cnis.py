"""Four probes that tell CNIs apart, with Topologies that spell the choices out: by the evaluator and by packets."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from iproute2 import ip
from wiring_choices.choices import Choice, topology_of

from netlab.cluster.types import address_of
from netlab.conformance.cases import Cell
from netlab.conformance.judges import flow_of
from netlab.conformance.shorthand import block, document, policy, rule
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.lab.temporary import temporary
from netlab.objects import decode
from netlab.policy.evaluate import evaluate
from netlab.probe.neighbours import Neighbours
from netlab.probe.probes import Probe
from netlab.probe.worker import Worker

pytestmark = pytest.mark.kernel

_VETH, _SOURCE = {"attachment": "routed"}, {"remoteNodeSource": "tunnel"}
_OUTSIDE = {"outsideRoutes": True}
CNIS = {
    "docker": Choice("bridge", {"masquerade": "outside-and-nodes"} | _OUTSIDE, {"unpublished": "drop"}),
    "flannel": Choice("overlay", {"masquerade": "outside-and-nodes"} | _SOURCE | _OUTSIDE),
    "calico with VXLAN": Choice("overlay", {"masquerade": "outside-and-nodes"} | _VETH | _SOURCE | _OUTSIDE),
    "calico without encapsulation": Choice("routed", {"masquerade": "outside-and-nodes", "remoteNodeSource": "node"}),
    "cilium with eBPF masquerade": Choice(
        "overlay",
        {"masquerade": "outside"} | _VETH | _SOURCE | _OUTSIDE,
        {"ipBlockPods": "ignore", "ipBlockNodes": "ignore"},
    ),
    "weave": Choice("overlay", {"transport": "flat-vxlan", "remoteNodeSource": "bridge"} | _OUTSIDE),
    "an overlay with the node's address": Choice("overlay", {"remoteNodeSource": "node"} | _OUTSIDE),
    "kube-router": Choice("bridge", {"transport": "routes", "masquerade": "outside", "remoteNodeSource": "node"}),
}
# By probe: another node that an ipBlock of its address allows (5), and one of the pods' range (6); the source that
# another node sees of a pod (15); an outside host to a pod's address without a policy (16).
EXPECTED = {
    "docker": ("deny", "deny", "node", "deny"),
    "flannel": ("deny", "allow", "node", "allow"),
    "calico with VXLAN": ("deny", "allow", "node", "allow"),
    "calico without encapsulation": ("allow", "deny", "node", "allow"),
    "cilium with eBPF masquerade": ("deny", "deny", "pod", "allow"),
    "weave": ("deny", "allow", "node", "allow"),
    "an overlay with the node's address": ("allow", "deny", "node", "allow"),
    "kube-router": ("allow", "deny", "pod", "allow"),
}
_RANGES = [block("10.244.0.0/16"), block("fd00:10:244::/56")]
_NODES = [block("100.64.0.2/32"), block("fd00:100:64::2/128")]


@pytest.fixture(scope="module", params=[*CNIS])
def cni(request: pytest.FixtureRequest) -> Iterator[tuple[str, Lab]]:
    """A dual-stack lab with the wiring of a CNI: a pod on each of two nodes, and policies on two others."""
    topology = topology_of(CNIS[request.param])
    (network,), (host,) = topology.data["spec"]["networks"], topology.data["spec"]["hosts"]
    network["podCIDRs"], host["addresses"] = ["10.244.0.0/16", "fd00:10:244::/56"], ["192.0.2.10", "2001:db8::10"]
    pods = [("a", "node-1"), ("b", "node-2"), ("five", "node-1"), ("six", "node-1")]
    made = [document("Pod", f"x/{name}", {"nodeName": node}, labels=f"app={name}") for name, node in pods]
    rules = {"five": _NODES, "six": _RANGES}
    of_probes = [policy(f"x/{n}", f"app={n}", ingress=[rule("ingress", peers)]) for n, peers in rules.items()]
    objects, problems = decode([topology, *made, *of_probes])
    assert [] == problems
    with temporary(objects) as lab:
        yield request.param, lab


def both(lab: Lab, cell: Cell) -> str:
    """Return the verdict of the evaluator, which packets must confirm."""
    flow = flow_of(lab.cluster, cell)
    decision = evaluate(lab.cluster, flow)
    (measured,) = lab.probe([flow])

    assert decision.verdict == measured.verdict, (decision.reason, measured.reason)
    return decision.verdict


@pytest.mark.parametrize("family", [4, 6])
def test_probe_5_an_ip_block_of_another_nodes_address(cni: tuple[str, Lab], family: int) -> None:
    """It matches only where pods see that address. With docker nothing gets to the policy."""
    name, lab = cni

    assert EXPECTED[name][0] == both(lab, Cell("node:node-2", "x/five", family=family))


@pytest.mark.parametrize("family", [4, 6])
def test_probe_6_an_ip_block_of_the_range_of_pods(cni: tuple[str, Lab], family: int) -> None:
    """It matches another node where pods see its tunnel, whose address is in the range."""
    name, lab = cni

    assert EXPECTED[name][1] == both(lab, Cell("node:node-2", "x/six", family=family))


@pytest.mark.parametrize("family", [4, 6])
def test_probe_15_the_source_that_another_node_sees_of_a_pod(cni: tuple[str, Lab], family: int) -> None:
    """The pod's own address, or that of its node."""
    name, lab = cni
    here = "x/a" if EXPECTED[name][2] == "pod" else "node:node-1"

    assert str(address_of(lab.cluster.by_ref[here], family)) == arrived_from(lab, "x/a", "node:node-2", family)


@pytest.mark.parametrize("family", [4, 6])
def test_probe_16_an_outside_host_to_the_address_of_a_pod(cni: tuple[str, Lab], family: int) -> None:
    """All but docker route it; docker drops it, as no port is published."""
    name, lab = cni

    assert EXPECTED[name][3] == both(lab, Cell("host:out", "x/b", family=family))


@pytest.mark.parametrize("family", [4, 6])
def test_packets_of_a_node_have_the_source_that_its_kernel_would_choose(cni: tuple[str, Lab], family: int) -> None:
    """What the prober sends, what arrives, and what ``ip route get`` says, are one address."""
    name, lab = cni
    if name == "docker":
        return
    of = lab.cluster
    to = str(address_of(of.by_ref["x/a"], family))
    (route,) = ip("route", "get", to, namespace=names.node_namespace(lab.name, "node-2"))

    assert route["prefsrc"] == arrived_from(lab, "node:node-2", "x/a", family)


def arrived_from(lab: Lab, source: str, destination: str, family: int) -> str:
    """Return the source address of a datagram where it arrives."""
    cell = Cell(source, destination, "UDP", 53, family)
    neighbours = Neighbours(lab.cluster, lab.name, netns.inside)
    worker = Worker(0, 1 << 20, lab.cluster, lab.name, neighbours, netns.inside)
    try:
        block = worker.prepare([flow_of(lab.cluster, cell)])
        worker.measure(block, lambda done: None)
        (probe,) = block.by_flow
        assert isinstance(probe, Probe)
        assert probe.arrival is not None, probe.reason
        return str(ip_address(probe.arrival.peer))
    finally:
        worker.close()
        neighbours.close()
