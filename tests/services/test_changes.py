"""Changes of Services in a running lab: affinity that stays, connections that end, rules that follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from services.bench import Bench
from services.objects import pod, service, topology

from netlab.dataplane import names
from netlab.kernel import conntrack, netns
from netlab.kernel.machine import Front
from netlab.objects.types import Document

Build = Callable[..., Bench]
MODES = ["overlay", "routed"]


@pytest.fixture
def lab(build: Build, unique: Callable[[str], str]) -> Build:
    """Build a lab of two nodes, a client pod on the first of them, and the documents."""

    def make(*documents: Document, mode: str = "overlay") -> Bench:
        return build(topology(unique("changes"), mode, (4, 6)), pod("s/client"), *documents)

    return make


def _servers(number: int) -> list[Document]:
    return [pod(f"s/p{i}", "app=s", f"n{1 + i % 2}") for i in range(number)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", [4, 6])
def test_clients_of_an_endpoint_that_leaves_choose_again(lab: Build, mode: str, family: int) -> None:
    """Another client, of an endpoint that stays, keeps it, although indexes and their number changed."""
    affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}
    clients = [pod(f"s/client-{i}") for i in range(8)]
    b = lab(*_servers(4), *clients, service("s/s", "app=s", ("80:8080",), dual=True, **affinity), mode=mode)
    b.serve([f"s/p{i}" for i in range(4)], 8080, families=(4, 6))
    address = b.cluster_ip("s/s", family)

    def used() -> dict[str, set[str]]:
        return {f"s/client-{i}": b.endpoints(f"s/client-{i}", address, tries=3) for i in range(8)}

    before = used()
    assert all(1 == len(found) for found in before.values())
    (gone,) = before["s/client-0"]
    b.stop(gone)
    b.delete(f"Pod {gone}")
    after = used()

    assert all(1 == len(found) and found != {gone} for found in after.values())
    assert {c: e for c, e in before.items() if e != {gone}} == {c: e for c, e in after.items() if before[c] != {gone}}


def test_elements_that_packets_added_are_no_drift(lab: Build) -> None:
    """``up`` does not replace the rules because of them."""
    b = lab(*_servers(2), service("s/s", "app=s", ("80:8080",), sessionAffinity="ClientIP"))
    b.serve(["s/p0", "s/p1"], 8080)

    assert 1 == len(b.endpoints("s/client", b.cluster_ip("s/s")))
    assert [] == b.lab.drift()


def test_a_service_changes_its_own_elements_only(lab: Build) -> None:
    """One endpoint more among twenty Services: on each node the endpoint, the number of them, and itself."""
    others = [service(f"s/other-{i}", "app=s", (f"{100 + i}:8080",)) for i in range(20)]
    b = lab(*_servers(2), pod("s/own-0", "app=own"), pod("s/own-1"), service("s/own", "app=own", ("80:8080",)), *others)
    b.apply(pod("s/own-1", "app=own"))

    assert 0 == b.lab.changes.replaced
    assert 2 * 3 == b.lab.changes.elements
    assert [] == b.lab.drift()


def test_the_first_service_and_the_last_come_and_go(lab: Build) -> None:
    """The rules and routes go with the last one."""
    b = lab(*_servers(1))
    routes = b.ip("node:n1", "route")
    b.apply(service("s/s", "app=s", ("80:8080",), type="LoadBalancer"))
    b.serve(["s/p0"], 8080)

    assert {"s/p0"} == b.endpoints("host:out", b.balancer("s/s"), tries=2)
    assert {"s/p0"} == b.endpoints("s/client", b.cluster_ip("s/s"), tries=2)
    assert [] == b.lab.drift()
    b.delete("Service s/s")
    assert [] == b.lab.drift()
    assert routes == b.ip("node:n1", "route")


@pytest.mark.parametrize("source", ["s/client", "node:n1"])
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("family", [4, 6])
def test_without_endpoints_clients_are_refused_at_once(lab: Build, source: str, protocol: str, family: int) -> None:
    """At the ClusterIP, on the node itself too; an address without a Service is silent."""
    b = lab(service("s/s", "app=none", (f"80:8080/{protocol}",), dual=True))
    address = b.cluster_ip("s/s", family)
    unused = {4: "10.96.255.200", 6: "fd00:10:96::ff00"}[family]

    # The kernel tells a sender on the node itself that its datagram was stopped.
    refused = {"refused", "unreachable"} if (source, protocol) == ("node:n1", "UDP") else {"refused"}
    assert b.ask(source, address, 80, protocol).how in refused
    assert b.ask(source, address, 81, protocol).how in refused
    assert b.ask(source, unused, 80, protocol).how in ("silent", "unreachable")


def test_pods_of_another_network_do_not_reach_endpoints(build: Build, unique: Callable[[str], str]) -> None:
    """A Service does not join networks; a published port does."""
    networks = [
        {"name": "default", "mode": "overlay", "podCIDRs": ["10.244.0.0/16"]},
        {"name": "other", "mode": "overlay", "podCIDRs": ["10.245.0.0/16"]},
    ]
    stranger = pod("s/stranger")
    stranger.data["metadata"]["annotations"] = {"netlab/network": "other"}
    b = build(
        topology(unique("apart"), networks=networks), pod("s/client"), stranger, *_servers(1),
        service("s/s", "app=s", ("80:8080",)),
    )  # fmt: skip
    b.serve(["s/p0"], 8080)
    address = b.cluster_ip("s/s")

    assert {"s/p0"} == b.endpoints("s/client", address, tries=2)
    assert {"silent"} == b.endpoints("s/stranger", address, tries=1)


def test_only_connections_that_lead_elsewhere_are_forgotten(lab: Build) -> None:
    """The entry of an endpoint that stays is kept, and so are those of other addresses."""
    b = lab(*_servers(1), service("s/s", "app=s", ("80:8080/UDP", "t=81:8080/TCP")[:1]))
    b.serve(["s/p0"], 8080, "UDP")
    address, space = b.cluster_ip("s/s"), names.node_namespace(b.lab.name, "n1")
    assert "answered" == b.ask("s/client", address, 80, "UDP", own=4444).how
    served = b.lab.cluster.by_ref["s/p0"].addresses[0]
    front = Front(b.service("s/s").cluster_ips[0], "UDP", 80, frozenset({(served, 8080)}))

    assert 0 == conntrack.delete(space, [front])
    assert 0 == conntrack.delete(space, [Front(served, "UDP", 80)])
    with netns.inside(space), open("/proc/thread-self/net/nf_conntrack") as entries:
        assert any("sport=4444" in line for line in entries)
    assert 1 == conntrack.delete(space, [Front(front.address, "UDP", 80)])
    assert 0 == conntrack.delete(space, [Front(front.address, "UDP", 80)])
