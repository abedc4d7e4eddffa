"""Probes through Services: each endpoint by itself, evidence of each denial, and what packets cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from services.bench import Bench
from services.conftest import up
from services.objects import pod, service, topology

from netlab.cluster.flows import Flow, service_flow
from netlab.cluster.types import Pod, address_of
from netlab.conformance.shorthand import document, policy
from netlab.dataplane import names
from netlab.kernel import netns
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate
from netlab.probe import Measurement, service_ports
from netlab.ruleset.service_hash import chosen

pytestmark = pytest.mark.kernel

Build = Callable[..., Bench]
CONTROL = "never arrived; a control packet sent after it did"
MODES = ["bridge", "overlay", "routed"]


@pytest.fixture
def build(unique: Callable[[str], str]) -> Iterator[Build]:
    """Build a dual-stack lab of two nodes, an outside host and some objects; it is gone afterwards."""
    made: list[Bench] = []

    def make(*documents: Document, mode: str = "overlay", **more: Any) -> Bench:
        made.append(Bench(up(topology(unique("probe"), mode, (4, 6), **more), *documents)))
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.lab.down()


def ask(b: Bench, source: str, ref: str, family: int = 4, protocol: str = "TCP") -> Measurement:
    """Measure port 80 of a Service."""
    flow = service_flow(b.lab.cluster.by_ref[source], b.service(ref), protocol, 80, family)
    (found,) = b.lab.probe([flow])
    return found


def three(**spec: Any) -> list[Document]:
    """A Service of three pods, of which one is closed, and a client."""
    closed = policy("s/closed", "closed=yes", ingress=[])
    pods = [pod("s/p0", "app=s"), pod("s/p1", "app=s,closed=yes", "n2"), pod("s/p2", "app=s", "n2")]
    return [service("s/s", "app=s", ("t=80", "u=80/UDP", "x=80/SCTP"), dual=True, **spec), *pods, pod("s/c"), closed]


@pytest.mark.parametrize("affinity", ["None", "ClientIP"])
def test_each_endpoint_is_proven(build: Build, affinity: str) -> None:
    """This holds from a pod and from a node, in every protocol and both families, also with session affinity."""
    b = build(*three(sessionAffinity=affinity))

    for source, family, protocol in product(("s/c", "node:n1"), (4, 6), ("TCP", "UDP", "SCTP")):
        found = ask(b, source, "s/s", family, protocol)
        assert "some" == found.verdict, found.reason
        assert {"s/p0": "allow", "s/p1": "deny", "s/p2": "allow"} == {one.pod: one.verdict for one in found.backends}


def test_probes_follow_no_session_affinity_and_leave_none(build: Build) -> None:
    """A program stays with its endpoint; the probes of its pod reach all."""
    b = build(
        service("s/s", "app=s", sessionAffinity="ClientIP"), *(pod(f"s/p{i}", "app=s") for i in range(3)), pod("s/c")
    )
    b.serve([f"s/p{i}" for i in range(3)])
    to = b.cluster_ip("s/s")
    assert ["allow"] * 3 == [one.verdict for one in ask(b, "s/c", "s/s").backends]
    assert "elements" not in _listed(b, "affinity4")

    (own,) = b.endpoints("s/c", to)
    assert ["allow"] * 3 == [one.verdict for one in ask(b, "s/c", "s/s").backends]
    assert {own} == b.endpoints("s/c", to)


def _listed(b: Bench, name: str) -> str:
    from netlab.kernel import nft

    return nft.run(b.namespace("node:n1"), f"list map inet netlab {name}")


def test_a_choice_that_is_not_the_computed_one_is_inconclusive(
    build: Build, lost_soon: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another endpoint takes the packet."""
    b = build(service("s/s", "app=s"), pod("s/p0", "app=s"), pod("s/p1", "app=s"), pod("s/c"))
    monkeypatch.setattr(service_ports, "chosen", lambda source, port, count: 1 - chosen(source, port, count))
    lost_soon()
    found = ask(b, "s/c", "s/s")

    assert "inconclusive" == found.verdict
    assert "s/p0: inconclusive: s/p1 took the packet; s/p1: inconclusive: s/p0 took the packet" == found.reason


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hairpin", ["subject", "exempt", "unwired"])
def test_a_pod_that_reaches_itself_by_its_service(build: Build, hairpin: str, mode: str) -> None:
    """``policy.hairpin`` says whether policy applies to it; packets show the same."""
    b = build(
        service("s/s", "app=s", dual=True),
        pod("s/p", "app=s"),
        policy("s/closed", "", ingress=[]),
        mode=mode,
        policy={"hairpin": hairpin},
    )
    for family in (4, 6):
        found = ask(b, "s/p", "s/s", family)
        expected = evaluate(b.lab.cluster, found.flow).verdict

        assert ("allow" if hairpin == "exempt" else "deny") == expected
        assert expected == found.verdict, found.reason


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_a_published_port_does_not_exempt_a_pod_from_policy_on_its_service(
    build: Build, established: str, family: int
) -> None:
    """By its hostPort the pod always reaches itself; by the Service only as policy says."""
    published = pod("s/p", "app=s", ports=["80"])
    published.data["spec"]["containers"][0]["ports"][0]["hostPort"] = 8080
    b = build(
        service("s/s", "app=s", dual=True),
        published,
        policy("s/closed", "", ingress=[]),
        policy={"established": established},
    )
    own, node = b.lab.cluster.by_ref["s/p"], b.lab.cluster.node("n1")
    (by_port,) = b.lab.probe([Flow(own, node, family, "TCP", 8080, address_of(node, family))])

    assert "deny" == ask(b, "s/p", "s/s", family).verdict
    assert "allow" == by_port.verdict, by_port.reason


def test_a_bridge_that_does_not_send_frames_back_proves_no_denial(build: Build, lost_soon: Callable[[], None]) -> None:
    """The kernel's setting of the port is part of the evidence."""
    b = build(service("s/s", "app=s"), pod("s/p", "app=s"), policy("s/closed", "", ingress=[]))
    own = b.lab.cluster.by_ref["s/p"]
    assert isinstance(own, Pod)
    b.ip("node:n1", "link", "set", names.port_name(own), "type", "bridge_slave", "hairpin", "off")
    lost_soon()

    assert "the bridge of node:n1 does not send frames of s/p back to it" == ask(b, "s/p", "s/s").reason


@pytest.mark.parametrize("mode", MODES)
def test_a_service_without_endpoints_is_rejected_on_the_way(build: Build, mode: str) -> None:
    """The reject is the evidence, in each protocol. An outside host has no route."""
    ports = ("t=80", "u=80/UDP", "x=80/SCTP")
    b = build(service("s/s", "app=s", ports, dual=True), pod("s/c"), mode=mode)
    for family in (4, 6):
        found = {p: ask(b, "s/c", "s/s", family, p) for p in ("TCP", "UDP", "SCTP")}

        assert {"deny"} == {one.verdict for one in found.values()}
        assert all(one.reason.startswith("rejected on the way: ") for one in found.values()), found
        outside = ask(b, "host:out", "s/s", family)
        assert ("deny", True) == (outside.verdict, outside.reason.startswith("not sent: no route from source"))


@pytest.mark.parametrize("family", [4, 6])
def test_a_node_without_a_local_endpoint_drops(build: Build, family: int) -> None:
    """A control packet to the node that translates arrives."""
    b = build(service("s/s", "app=s", dual=True, internalTrafficPolicy="Local"), pod("s/p", "app=s", "n2"), pod("s/c"))

    found = ask(b, "s/c", "s/s", family)
    assert ("deny", CONTROL) == (found.verdict, found.reason)


@pytest.mark.parametrize("mode", MODES)
def test_a_node_that_does_not_forward_proves_no_denial(build: Build, lost_soon: Callable[[], None], mode: str) -> None:
    """A control packet from a pod to an endpoint of the same node passes the node too."""
    b = build(
        service("s/s", "app=s"), pod("s/p", "app=s"), pod("s/c"), policy("s/closed", "app=s", ingress=[]), mode=mode
    )
    assert ("deny", CONTROL) == (ask(b, "s/c", "s/s").verdict, ask(b, "s/c", "s/s").reason)

    with netns.inside(b.namespace("node:n1")), open("/proc/sys/net/ipv4/ip_forward", "w") as file:
        file.write("0")
    lost_soon()

    assert "inconclusive" == ask(b, "s/c", "s/s").verdict


def test_endpoints_of_another_nodes_bridge_have_no_path(build: Build) -> None:
    """Both ends prove that they carry traffic."""
    b = build(service("s/s", "app=s"), pod("s/near", "app=s"), pod("s/far", "app=s", "n2"), pod("s/c"), mode="bridge")
    found = {one.pod: one.verdict for one in ask(b, "s/c", "s/s").backends}

    assert {"s/near": "allow", "s/far": "deny"} == found
    assert "no path: bridge networks of n1 and n2 are not joined" in ask(b, "s/c", "s/s").reason


@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_an_answer_past_the_node_that_translated_is_a_denial(build: Build, mode: str) -> None:
    """With external policy Local, pods keep their source: an endpoint elsewhere answers them directly."""
    b = build(
        service("s/s", "app=s", type="NodePort", externalTrafficPolicy="Local"),
        pod("s/p", "app=s", "n2"),
        pod("s/c"),
        mode=mode,
    )
    here = b.lab.cluster
    node = here.node("n2")
    flow = Flow(here.by_ref["s/c"], node, 4, "TCP", b.node_port("s/s"), node.addresses[0])
    (found,) = b.lab.probe([flow])
    assert "allow" == found.verdict  # The endpoint is on the node that translates.

    b.apply(pod("s/q", "app=s", "n1"))
    b.delete("Pod s/p")
    (found,) = b.lab.probe([Flow(b.lab.cluster.by_ref["s/c"], *flow[1:])])
    expected = evaluate(b.lab.cluster, found.flow).verdict
    assert expected == found.verdict, found.reason


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_an_answer_that_is_lost_past_the_node_is_a_denial(build: Build, established: str, protocol: str) -> None:
    """The pod's own node drops what an outside host answers; a control packet passes on the same way."""
    slices = document(
        "EndpointSlice",
        "s/s-1",
        addressType="IPv4",
        endpoints=[{"addresses": ["192.0.2.10"]}],
        ports=[{"name": "a", "port": 80, "protocol": protocol}],
    )
    slices.data["metadata"]["labels"] = {"kubernetes.io/service-name": "s"}
    b = build(
        service("s/s", "", (f"a=80/{protocol}",), type="NodePort", externalTrafficPolicy="Local"),
        slices,
        pod("s/c"),
        policy("s/closed", "", ingress=[]),
        mode="routed",
        policy={"established": established},
    )
    node = b.lab.cluster.node("n2")
    port = b.node_port("s/s", protocol=protocol)
    flow = Flow(b.lab.cluster.by_ref["s/c"], node, 4, protocol, port, node.addresses[0])
    (found,) = b.lab.probe([flow])

    assert ("deny", "deny") == (evaluate(b.lab.cluster, flow).verdict, found.verdict), found.reason
