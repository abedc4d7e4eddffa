"""Endpoints of Services as the controllers make them, and which of them a node's kube-proxy uses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from builders import cluster, meta, node, objects, pod, spec, topology, workload

from netlab.cluster import Cluster, resolve
from netlab.cluster.services.endpoints import ServiceEndpoint, endpoints
from netlab.cluster.services.made_slices import made_slices
from netlab.cluster.services.selection import node_endpoints
from netlab.objects.services import (
    Endpoints,
    EndpointSlice,
    EndpointsSubset,
    Service,
    ServicePort,
    SliceEndpoint,
    SlicePort,
)
from netlab.objects.types import Meta

WEB = "app=web"
NAMED = (ServicePort(80, "http", name="web"),)
ZONES = [node(f"n{i}", f"topology.kubernetes.io/zone={zone}") for i, zone in enumerate("aabb")]
PORT_90 = (SlicePort(90, name="web"),)


def service(*ports: ServicePort, **fields: Any) -> Service:
    return Service(meta("x/web"), **{"selector": {"app": "web"}, "ports": ports or NAMED, **fields})


def stored(of: Cluster) -> Service:
    return next(one for one in of.services if one.meta.key == "x/web")


def ends(of: Cluster, port: int = 0, family: int = 4) -> list[ServiceEndpoint]:
    one = stored(of)
    return list(endpoints(of, one, one.ports[port], family))


def names(found: Any) -> list[str]:
    return [one.pod.removeprefix("x/") for one in found]


def web(name: str, *ports: str, **of_spec: Any) -> Any:
    return pod(f"x/{name}", WEB, ports=ports or ("http=8080",), **of_spec)


def in_state(name: str, *, ready: bool = True, terminating: bool = False, **of_spec: Any) -> Any:
    return replace(web(name, **of_spec), ready=ready, terminating=terminating)


def test_pods_of_the_namespace_with_all_labels_are_endpoints() -> None:
    """In the order of the cluster."""
    others = [pod("y/a", WEB, ports=["http=8080"]), pod("x/c", "app=db", ports=["http=8080"])]
    of = cluster(web("b"), web("a"), *others, service())

    assert ["a", "b"] == names(ends(of))
    assert {8080} == {one.port for one in ends(of)}


def test_a_named_port_is_looked_up_in_each_pod() -> None:
    """By name and protocol; a pod without it is no endpoint of that port."""
    of = cluster(
        web("a", "http=1"), web("b", "http=2", "http=3"), web("c", "http=4/UDP"), web("d", "other=5"), service()
    )

    assert [("a", 1), ("b", 2)] == [(one.pod[2:], one.port) for one in ends(of)]


def test_a_number_needs_no_declaration() -> None:
    """Without a target it is the Service's port."""
    of = cluster(web("a", "other=5"), service(ServicePort(80, 7, name="a"), ServicePort(81, name="b")))

    assert [7] == [one.port for one in ends(of)]
    assert [81] == [one.port for one in ends(of, 1)]


def test_a_host_network_pod_has_its_nodes_address() -> None:
    """And a pod without a network is no endpoint."""
    of = cluster(web("a", host=True), pod("x/b", WEB, network="none", ports=["http=8080"]), service())

    assert [("x/a", of.nodes[0].addresses[0])] == [(one.pod, one.address) for one in ends(of)]


def test_a_pod_without_the_family_is_no_endpoint_in_it() -> None:
    """Each family is by itself, and a Service has endpoints in its own families only."""
    dual = topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"])
    both = cluster(dual, web("a"), service(ip_family_policy="PreferDualStack"))
    one = cluster(dual, web("a"), service())

    assert [1, 1] == [len(ends(both, 0, family)) for family in (4, 6)]
    assert [1, 0] == [len(ends(one, 0, family)) for family in (4, 6)]


def test_finished_pods_are_no_endpoints() -> None:
    """Also with ``publishNotReadyAddresses``: an evicted pod has the phase Failed."""
    of = cluster(pod("x/a", WEB, phase="Failed"), web("b"), service(publish_not_ready=True))

    assert ["b"] == names(ends(of))


@pytest.mark.parametrize(
    ("state", "published", "conditions"),
    [
        ({}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"terminating": True}, False, (False, True, True)),
        ({"ready": False}, True, (True, False, False)),
        ({"ready": False, "terminating": True}, True, (True, False, True)),
    ],
)
def test_conditions(state: dict[str, bool], published: bool, conditions: tuple[bool, bool, bool]) -> None:
    """Ready, serving, terminating."""
    (one,) = ends(cluster(in_state("a", **state), service(publish_not_ready=published)))

    assert conditions == (one.ready, one.serving, one.terminating)


def test_a_hostname_needs_the_subdomain() -> None:
    """It is the name of the Service."""
    pods = [
        replace(web(name), spec=replace(spec(ports=["http=8080"]), hostname="h", subdomain=subdomain))
        for name, subdomain in (("a", "web"), ("b", "other"), ("c", ""))
    ]
    assert ["h", "", ""] == [one.hostname for one in ends(cluster(*pods, service()))]


def test_an_external_name_has_no_endpoints() -> None:
    """Whatever it selects."""
    assert [] == ends(cluster(web("a"), service(type="ExternalName", external_name="foo.example.com")))


# --- without a selector


def sliced(*things: Any, slices: Any = (), ends_of: Any = (), **fields: Any) -> Cluster:
    own = service(selector=fields.pop("selector", {}), **fields)
    return resolve(objects(*things, own, slices=slices, endpoints=ends_of))


def part(*texts: str, name: str = "web-1", ports: Any = PORT_90, of: str = "web", **fields: Any) -> EndpointSlice:
    found = tuple(SliceEndpoint((ip_address(text),), **fields) for text in texts)
    return EndpointSlice(meta(f"x/{name}"), found[0].addresses[0].version, found, ports, of)


def test_slices_of_the_input_count_without_a_selector() -> None:
    """Of pods, outside hosts, and addresses that no machine has."""
    hosts = topology(hosts={"out": ["192.0.2.1"]})
    base = cluster(hosts, web("a"))
    address = str(base.by_ref["x/a"].addresses[0])
    of = sliced(hosts, web("a"), slices=[part(address, "192.0.2.1", "203.0.113.9")])

    assert [("x/a", 90), ("host:out", 90), ("", 90)] == [(one.pod, one.port) for one in ends(of)]


def test_slices_do_not_count_with_a_selector() -> None:
    """Slices of another Service or namespace do not count either."""
    selected = sliced(web("a"), slices=[part("192.0.2.1")], selector={"app": "web"})
    other = sliced(web("a"), slices=[part("192.0.2.1", of="db"), part("192.0.2.2", of="")])

    assert (["a"], []) == (names(ends(selected)), ends(other))


def test_the_port_of_a_slice_has_the_name_of_the_services_port() -> None:
    """A port of a slice also needs the protocol and a number."""
    wrong = [(SlicePort(90),), (SlicePort(90, "UDP", "web"),), (SlicePort(0, name="web"),)]
    slices = [part(f"192.0.2.{i}", name=f"s{i}", ports=ports) for i, ports in enumerate([*wrong, PORT_90])]

    assert ["192.0.2.3"] == [str(one.address) for one in ends(sliced(web("a"), slices=slices))]


def test_a_slice_states_node_hints_and_conditions() -> None:
    """The node decides what is local; netlab adds the node's zone."""
    stated = part("192.0.2.1", node="n2", ready=False, hostname="h", zone_hints=("a",), node_hints=("n2",))
    (one,) = ends(sliced(*ZONES, web("a"), slices=[stated]))

    assert ("n2", "b", False, "h") == (one.node, one.zone, one.ready, one.hostname)
    assert (("a",), ("n2",)) == (one.zone_hints, one.node_hints)


def test_endpoints_are_mirrored() -> None:
    """A label can prevent it. Addresses that are not ready are endpoints that are not ready."""
    subset = EndpointsSubset(
        (SliceEndpoint((ip_address("10.0.0.24"),)),), (SliceEndpoint((ip_address("10.0.0.25"),)),), PORT_90
    )
    given = Endpoints(meta("x/web"), (subset,))
    skipped = replace(given, meta=Meta("web", "x", {"endpointslice.kubernetes.io/skip-mirror": "true"}))

    assert [("10.0.0.24", True), ("10.0.0.25", False)] == [
        (str(one.address), one.ready) for one in ends(sliced(web("a"), ends_of=[given]))
    ]
    assert [] == ends(sliced(web("a"), ends_of=[skipped]))


# --- selection


def used(of: Cluster, name: str) -> tuple[list[str], list[str], bool]:
    """Return the endpoints of policy Cluster and Local that a node uses, and whether there are any."""
    one = stored(of)
    found = node_endpoints(of, one, one.ports[0], 4, name)
    return names(found.cluster), names(found.local), found.anywhere


def test_local_endpoints_are_those_of_the_node() -> None:
    """All nodes share those of policy Cluster."""
    of = cluster(*ZONES, web("a", node="n0"), web("b", node="n1"), service())

    assert (["a", "b"], ["a"], True) == used(of, "n0")
    assert (["a", "b"], [], True) == used(of, "n3")


@pytest.mark.parametrize(
    ("pods", "on_n0"),
    [
        # table 1.3 of terminating endpoints
        ([("a", "n0", "ready"), ("b", "n0", "ready"), ("c", "n1", "ready")], (["a", "b", "c"], ["a", "b"], True)),
        ([("a", "n0", "leaving"), ("b", "n0", "leaving"), ("c", "n1", "ready")], (["c"], ["a", "b"], True)),
        ([("a", "n1", "leaving")], (["a"], [], True)),
        ([("a", "n0", "leaving")], (["a"], ["a"], True)),
        ([("a", "n0", "gone"), ("b", "n1", "unready")], ([], [], False)),
        ([("a", "n0", "unready"), ("b", "n0", "leaving")], (["b"], ["b"], True)),
    ],
)
def test_terminating_endpoints_may_serve(
    pods: list[tuple[str, str, str]], on_n0: tuple[list[str], list[str], bool]
) -> None:
    """They serve if no endpoint is ready; each traffic policy is judged by itself."""
    states = {
        "ready": {},
        "leaving": {"terminating": True},
        "gone": {"ready": False, "terminating": True},
        "unready": {"ready": False},
    }
    of = cluster(*ZONES, *(in_state(name, node=on, **states[state]) for name, on, state in pods), service())

    assert on_n0 == used(of, "n0")


@pytest.mark.parametrize("distribution", ["PreferSameZone", "PreferClose"])
def test_the_same_zone_is_preferred(distribution: str) -> None:
    """A node in a zone without endpoints uses all."""
    nodes = [*ZONES, node("n4", "topology.kubernetes.io/zone=c")]
    of = cluster(*nodes, web("a", node="n0"), web("b", node="n2"), service(traffic_distribution=distribution))

    assert (["a"], ["b"], ["a", "b"]) == tuple(used(of, name)[0] for name in ("n1", "n3", "n4"))


def test_the_same_node_is_preferred() -> None:
    """Then the same zone, then all."""
    nodes = [*ZONES, node("n4", "topology.kubernetes.io/zone=c")]
    pods = [web("a", node="n0"), web("b", node="n1"), web("c", node="n2")]
    of = cluster(*nodes, *pods, service(traffic_distribution="PreferSameNode"))

    assert [["a"], ["b"], ["c"], ["a", "b", "c"]] == [used(of, name)[0] for name in ("n0", "n1", "n3", "n4")]


def test_hints_count_if_every_ready_endpoint_has_one() -> None:
    """A pod on a node without a zone has none."""
    nodes = [*ZONES, node("n4")]
    of = cluster(*nodes, web("a", node="n0"), web("b", node="n4"), service(traffic_distribution="PreferSameZone"))

    assert ["a", "b"] == used(of, "n0")[0]


def test_topology_mode_shares_endpoints_among_zones() -> None:
    """In proportion to the nodes; it comes before ``trafficDistribution``."""
    auto = {"service.kubernetes.io/topology-mode": "Auto"}
    own = replace(service(traffic_distribution="PreferSameNode"), meta=meta("x/web", annotations=auto))
    of = cluster(*ZONES, *(web(name, node="n0") for name in "abcd"), own)

    assert (["c", "d"], ["a", "b"]) == (used(of, "n0")[0], used(of, "n2")[0])
    few = cluster(*ZONES, web("a", node="n0"), own)
    assert ["a"] == used(few, "n2")[0]


# --- slices as objects


def test_a_slice_for_each_family_and_set_of_ports() -> None:
    """Names are generated. A Service without endpoints has one empty slice."""
    dual = topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"])
    ports = (ServicePort(80, "svc1", name="one"), ServicePort(81, "svc2", name="two"))
    of = cluster(
        dual,
        web("a", "svc1=100"),
        web("b", "svc2=101"),
        service(*ports, ip_family_policy="PreferDualStack"),
        Service(meta("x/empty"), {"app": "none"}, NAMED),
    )
    found = [one for one in made_slices(of) if one.meta.namespace == "x"]

    assert ["empty-ipv4", "web-ipv4", "web-ipv4-2", "web-ipv6", "web-ipv6-2"] == [one.meta.name for one in found]
    assert [[("one", 100)], [("two", 101)]] == [[(p.name, p.port) for p in one.ports] for one in found[1:3]]
    assert ["x/a", "x/b"] == [one.endpoints[0].pod for one in found[1:3]]


def test_pods_of_workloads_are_endpoints() -> None:
    """Each pod of a workload is an endpoint."""
    of = cluster(workload("Deployment", "x/d", 3, WEB, ports=["http=8080"]), service())

    assert ["d-0", "d-1", "d-2"] == names(ends(of))
