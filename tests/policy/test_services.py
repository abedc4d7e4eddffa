"""Services: which endpoints a source reaches through them, which source address each hop sees, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from builders import cluster, flow, meta, peer, pod, policy, rule, topology

from netlab.cluster import Cluster
from netlab.cluster.find import find_service
from netlab.cluster.flows import Flow
from netlab.cluster.translate import Translated, translate
from netlab.cluster.translate.services import handling
from netlab.cluster.types import address_of
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Address, Pod
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate

DUAL = ("10.244.0.0/16", "fd00:10:244::/56")
IPS = {"ClusterIP": ("10.96.0.50", "fd00:10:96::50"), "load balancer": ("198.18.0.2", "fd00:198:18::2")}
EXTERNAL = ("203.0.113.2", "2001:db8::2")


def service(ref: str = "shop/db", text: str = "app=db", **more: Any) -> Service:
    """Return a Service of type LoadBalancer in both families, port 80 to the pods' port 8080, node port 30080."""
    found: dict[str, Any] = {
        "selector": dict([text.split("=")]) if text else {},
        "ports": (ServicePort(80, 8080, node_port=30080),),
        "type": "LoadBalancer",
        "cluster_ips": tuple(map(ip_address, IPS["ClusterIP"])),
        "ip_families": (4, 6),
        "ip_family_policy": "RequireDualStack",
        "load_balancer": tuple(LoadBalancerIngress(ip_address(one)) for one in IPS["load balancer"]),
        "external_ips": tuple(map(ip_address, EXTERNAL)),
    }
    return Service(meta(ref), **{**found, **more})


def lab(*extra: object, mode: str = "overlay", **of_service: Any) -> Cluster:
    return cluster(
        topology(["a", "b"], hosts={"client": ["192.0.2.10", "2001:db8:1::10"]}, mode=mode, cidrs=DUAL),
        pod("x/client", "app=client", node="a"),
        pod("shop/db-a", "app=db", node="a"),
        pod("shop/db-b", "app=db", node="b"),
        service(**of_service),
        *extra,
    )


def to(of: Cluster, source: str, frontend: str, family: int = 4, port: int = 80) -> Flow:
    """Return the flow from a source to a frontend of the Service; the nodePort is that of node a."""
    if frontend == "nodePort":
        return flow(of, source, "node:a", "30080/TCP", family)
    address = ip_address((EXTERNAL if frontend == "external IP" else IPS[frontend])[family == 6])
    return Flow(of.by_ref[source], None, family, "TCP", port, address)


def through(of: Cluster, asked: Flow) -> Translated:
    found = translate(of, asked)
    assert found is not None
    return found


def far(of: Cluster, family: int = 4) -> Address | None:
    """Return the address of node a at a pod of node b: over a tunnel, that of its end of the tunnel."""
    node = of.node("a")
    if not of.networks[0].traits.transport.tunnel:
        return address_of(node, family)
    return next(one[0] for one in node.pod_cidrs["default"] if one.version == family)


def decide(of: Cluster, source: str, frontend: str, family: int = 4, port: int = 80) -> Decision:
    return evaluate(of, to(of, source, frontend, family, port))


# Kubernetes pkg/proxy/nftables/proxier_test.go: a row for each source and frontend, a column for each pair of policies.
# "all" are the endpoints of all nodes, "local" those of the node; M: the node masquerades.
POLICIES: tuple[dict[str, Any], ...] = ({}, {"external_traffic_policy": "Local"}, {"internal_traffic_policy": "Local"})
CELLS = {
    ("pod", "ClusterIP"): ("all", "all", "local"),
    ("pod", "nodePort"): ("all M", "all", "all M"),
    ("pod", "load balancer"): ("all M", "all", "all M"),
    ("node", "ClusterIP"): ("all M", "all M", "local M"),
    ("node", "nodePort"): ("all M", "all M", "all M"),
    ("node", "load balancer"): ("all M", "all M", "all M"),
    ("outside", "ClusterIP"): ("all M", "all M", "local M"),
    ("outside", "nodePort"): ("all M", "local", "all M"),
    ("outside", "load balancer"): ("all M", "local", "all M"),
}
SOURCES = {"pod": "x/client", "node": "node:a", "outside": "host:client"}
ALL = [(*cell, fields, want) for cell, row in CELLS.items() for fields, want in zip(POLICIES, row, strict=True)]
NAMES = [f"{source} to {frontend}, {' '.join(fields) or 'cluster'}" for source, frontend, fields, _ in ALL]


@pytest.mark.parametrize(("source", "frontend", "fields", "want"), ALL, ids=NAMES)
def test_endpoints_and_masquerade(source: Any, frontend: Any, fields: dict[str, str], want: str) -> None:
    """The table has 27 cells."""
    of = service(**fields)
    does = handling(frontend, source, of.internal_traffic_policy, of.external_traffic_policy)

    assert want == f"{'local' if does.local else 'all'}{' M' if does.masqueraded else ''}"


@pytest.mark.parametrize("mode", ["overlay", "routed"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("source", "frontend", "fields", "want"), ALL, ids=NAMES)
def test_the_endpoints_and_the_source_that_they_see(
    source: str, frontend: str, fields: dict[str, str], want: str, family: int, mode: str
) -> None:
    """All 27 cells in both families; a masqueraded source is the node, and hosts have no route to cluster IPs."""
    of = lab(mode=mode, **fields)
    asked = to(of, SOURCES[source], frontend, family)
    found = through(of, asked)
    if (source, frontend) == ("outside", "ClusterIP"):
        assert () == found.flows
        assert f"{asked.address} is the ClusterIP of Service shop/db" in found.reason
        return
    own = address_of(asked.source, family)
    masqueraded = [address_of(of.node("a"), family), far(of, family)]

    assert found.node is of.node("a")
    assert ["shop/db-a", "shop/db-b"][: 1 if "local" in want else 2] == [way.backend.name for way in found.flows]
    assert [way.seen.destination for way in found.flows] == (masqueraded if "M" in want else [own, own])[
        : len(found.flows)
    ]
    assert all(way.path.connected and way.backend.port == 8080 for way in found.flows)
    if frontend == "load balancer":
        other = through(of, to(of, SOURCES[source], "external IP", family))
        assert [way.seen for way in found.flows] == [way.seen for way in other.flows]


@pytest.mark.parametrize("family", [4, 6])
def test_policy_on_the_node_that_translates_sees_the_clients_address(family: int) -> None:
    """Policy on another node sees the first node's address."""
    everyone = policy("shop/p", "app=db", ingress=[rule(peer("app=nobody"))])
    of = lab(everyone)
    for source in ("x/client", "host:client"):
        asked = to(of, source, "nodePort", family)
        on_a, on_b = (way.seen.destination_policy for way in through(of, asked).flows)
        assert (address_of(asked.source, family), far(of, family)) == (on_a, on_b)


def test_a_pod_of_another_node_counts_as_outside_if_it_has_its_nodes_address() -> None:
    """In overlay mode it has. In routed mode it keeps its own, and external policy Local gives it all endpoints."""
    client = pod("x/far", "app=client", node="b")
    overlay = lab(client, external_traffic_policy="Local")
    routed = lab(client, mode="routed", external_traffic_policy="Local")

    assert ["shop/db-a"] == [w.backend.name for w in through(overlay, to(overlay, "x/far", "nodePort")).flows]
    found = through(routed, to(routed, "x/far", "nodePort")).flows
    assert [True, False] == [way.path.connected for way in found]
    assert "shop/db-b would answer x/far without node:a, which translated node:a" == found[1].path.reason


def test_a_pod_that_reaches_itself_by_another_node_sees_that_nodes_address() -> None:
    """kube-proxy masquerades it in every case."""
    of = lab(mode="routed", external_traffic_policy="Local")
    _, itself = through(of, to(of, "shop/db-b", "nodePort")).flows

    assert (True, address_of(of.node("a"), 4)) == (itself.path.connected, itself.path.seen_as)


def test_a_pod_that_reaches_itself_by_another_node_is_not_exempt() -> None:
    """Its own node sees the other node's address, and cannot know whose packet it is."""
    of = cluster_with(lab(policy("shop/p", "app=db", ingress=[])), TopologyPolicy(hairpin="exempt"))

    assert ["deny", "deny"] == [one.verdict for one in decide(of, "shop/db-b", "nodePort").endpoints]


def test_a_pod_of_another_network_that_keeps_its_address_reaches_no_endpoint() -> None:
    """Nodes drop packets from one network's addresses to another's, whoever translates them."""
    networks = {"default": ("overlay", "10.244.0.0/16"), "lan": ("macvlan", "100.64.8.0/24")}
    of = cluster(
        topology(["a", "b"], networks),
        pod("x/far", node="b", network="lan"),
        pod("shop/db-a", "app=db", node="a"),
        pod("shop/db-b", "app=db", node="b"),
        service(
            cluster_ips=(ip_address("10.96.0.50"),),
            ip_families=(4,),
            ip_family_policy="SingleStack",
            external_ips=(),
            load_balancer=(),
        ),
    )

    ways = through(of, to(of, "x/far", "nodePort")).flows
    assert {"networks 'lan' and 'default' are not joined"} == {way.path.reason for way in ways}


def test_a_backend_is_allowed_by_the_clients_selector_through_a_cluster_ip() -> None:
    """Through the nodePort of the same Service, an endpoint of another node sees a node: a flaky Service."""
    of = lab(policy("shop/p", "app=db", ingress=[rule(peer("app=client", ""), ports=["8080"])]))

    assert "allow" == decide(of, "x/client", "ClusterIP").verdict
    assert "some" == decide(of, "x/client", "nodePort").verdict
    assert "allow" == decide(lab(), "x/client", "nodePort").verdict


def test_a_masqueraded_client_does_not_count_as_the_node() -> None:
    """A node always reaches its own pods. A host that it masquerades does not."""
    of = lab(policy("shop/p", "app=db", ingress=[]))

    assert ["allow", "deny"] == [one.verdict for one in decide(of, "node:a", "nodePort").endpoints]
    assert ["deny", "deny"] == [one.verdict for one in decide(of, "host:client", "nodePort").endpoints]


def test_an_ip_block_of_the_client_works_with_external_policy_local_only() -> None:
    block = policy("shop/p", "app=db", ingress=[rule(peer(cidr="192.0.2.0/24"))])

    assert "allow" == decide(lab(block, external_traffic_policy="Local"), "host:client", "nodePort").verdict
    assert "some" == decide(lab(block), "host:client", "nodePort").verdict


def test_egress_policy_sees_the_endpoint() -> None:
    """A rule for the Service's port, or for the cluster IP, matches nothing."""

    def verdict(*ports: str, cidr: str = "") -> str:
        peers = [peer(cidr=cidr)] if cidr else [peer("app=db", "")]
        out = policy("x/p", "app=client", egress=[rule(*peers, ports=ports)])
        return decide(lab(out), "x/client", "ClusterIP").verdict

    assert ["allow", "deny", "deny"] == [verdict("8080"), verdict("80"), verdict(cidr="10.96.0.50/32")]


def test_the_nodeport_of_another_node_is_a_port_of_that_node_for_egress() -> None:
    """The client's own node does not translate it."""
    client = pod("x/far", "app=client", node="b")
    to_node = policy("x/p", "app=client", egress=[rule(peer(cidr="100.64.0.1/32"), ports=["30080"])])
    to_pods = policy("x/p", "app=client", egress=[rule(peer("app=db", ""))])

    assert "allow" == decide(lab(client, to_node), "x/far", "nodePort").verdict
    assert "deny" == decide(lab(client, to_pods), "x/far", "nodePort").verdict


def test_a_pod_that_reaches_itself_is_subject_to_policy_unless_exempt() -> None:
    """The setting is spec.policy.hairpin; the source address is the node's choice."""
    deny = policy("shop/p", "app=db", ingress=[])
    of = lab(deny)
    exempt = cluster_with(of, TopologyPolicy(hairpin="exempt"))
    found = through(of, to(of, "shop/db-a", "ClusterIP"))

    assert [None, address_of(of.by_ref["shop/db-a"], 4)] == [way.seen.destination for way in found.flows]
    assert ["deny", "deny"] == [one.verdict for one in decide(of, "shop/db-a", "ClusterIP").endpoints]
    assert ["allow", "deny"] == [one.verdict for one in decide(exempt, "shop/db-a", "ClusterIP").endpoints]
    assert "allow" == decide(lab(), "shop/db-a", "ClusterIP").verdict


def test_a_pod_does_not_reach_itself_if_hairpins_are_unwired() -> None:
    """Whatever policies say. By another node, which masquerades it, the pod does."""
    unwired = cluster_with(lab(), TopologyPolicy(hairpin="unwired"))
    itself, other = decide(unwired, "shop/db-a", "ClusterIP").endpoints

    assert ("deny", "allow") == (itself.verdict, other.verdict)
    assert "shop/db-a does not reach itself through a Service (hairpin: unwired)" == itself.reason
    assert ["allow", "allow"] == [one.verdict for one in decide(unwired, "shop/db-b", "nodePort").endpoints]


def cluster_with(of: Cluster, settings: TopologyPolicy) -> Cluster:
    return replace(of, policy=settings)


SOURCE_RANGES: dict[str, Any] = {"source_ranges": (ip_network("192.168.0.0/24"), ip_network("203.0.113.0/25"))}


@pytest.mark.parametrize(
    ("source", "frontend", "want"),
    [
        ("x/client", "load balancer", "deny"),
        ("host:listed", "load balancer", "allow"),
        ("host:client", "load balancer", "deny"),
        ("host:client", "nodePort", "allow"),
        ("host:client", "external IP", "allow"),
        ("node:a", "load balancer", "deny"),
        ("x/client", "ClusterIP", "allow"),
    ],
)
def test_source_ranges_are_about_the_load_balancers_address_only(source: str, frontend: str, want: str) -> None:
    """Pods are dropped too."""
    of = cluster(
        topology(
            ["a"], hosts={"client": ["192.0.2.10"], "listed": ["203.0.113.7"]}, mode="overlay", cidrs=("10.244.0.0/16",)
        ),
        pod("x/client", node="a"),
        pod("shop/db", "app=db", node="a"),
        service(**SOURCE_RANGES, cluster_ips=(ip_address("10.96.0.50"),), ip_families=(4,), ip_family_policy=""),
    )
    found = decide(of, source, frontend)

    assert want == found.verdict
    if want == "deny":
        assert "loadBalancerSourceRanges of Service shop/db do not hold" in found.reason


def test_a_node_whose_address_is_in_the_source_ranges_reaches_the_load_balancer() -> None:
    of = lab(source_ranges=(ip_network("100.64.0.0/16"),))

    assert "allow" == decide(of, "node:a", "load balancer").verdict


def reason(of: Cluster, source: str, frontend: str, port: int = 80, family: int = 4) -> str:
    found = decide(of, source, frontend, family, port)
    assert "deny" == found.verdict
    return found.reason


def test_without_endpoints_the_verdict_is_deny_and_the_reason_says_why() -> None:
    of = lab(text="app=nobody")

    assert (
        "Service shop/db has no ready endpoint: no pod of namespace 'shop' with an IPv4 address has app=nobody, so"
        " nodes reject it" == reason(of, "x/client", "ClusterIP")
    )
    assert reason(of, "x/client", "nodePort") == reason(of, "host:client", "load balancer")
    assert "no selector, and the input has no endpoints" in reason(lab(text=""), "x/client", "ClusterIP")


def test_without_a_local_endpoint_a_node_drops() -> None:
    """The reason has the name of the traffic policy."""
    of = cluster(
        topology(["a", "b"], hosts={"client": ["192.0.2.10"]}, mode="overlay", cidrs=("10.244.0.0/16",)),
        pod("x/client", node="a"),
        pod("shop/db-b", "app=db", node="b"),
        service(
            internal_traffic_policy="Local",
            external_traffic_policy="Local",
            cluster_ips=(ip_address("10.96.0.50"),),
            ip_families=(4,),
            ip_family_policy="",
        ),
    )

    assert (
        "Service shop/db has no endpoint on node a, and its internalTrafficPolicy is Local: the node drops it"
        == reason(of, "x/client", "ClusterIP")
    )
    assert "its externalTrafficPolicy is Local" in reason(of, "host:client", "nodePort")
    assert "allow" == decide(of, "host:client", "load balancer").verdict, "the balancer asks node b"


def test_another_port_of_a_virtual_address_is_refused() -> None:
    """The reason lists the Service's ports."""
    of = lab()

    assert (
        "10.96.0.50 is the ClusterIP of Service shop/db, which has no port 8080/TCP (it has 80/TCP): nodes reject it"
        == reason(of, "x/client", "ClusterIP", 8080)
    )
    ping = Flow(of.by_ref["x/client"], None, 4, "ICMP", None, ip_address("10.96.0.50"))
    assert "10.96.0.50 is the ClusterIP of Service shop/db, and nodes translate no ICMP" == evaluate(of, ping).reason
    assert "10.96.0.51 is in the service range, and no Service has it" == (
        evaluate(of, Flow(of.by_ref["x/client"], None, 4, "TCP", 80, ip_address("10.96.0.51"))).reason
    )


def test_hosts_have_no_route_to_the_service_range() -> None:
    assert (
        "10.96.0.50 is the ClusterIP of Service shop/db, and the service range is not routed outside of the nodes"
        == reason(lab(), "host:client", "ClusterIP")
    )


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_nodes_translate_no_service_that_kube_proxy_ignores(label: str) -> None:
    of = service()
    of.meta.labels[label] = "x"  # type: ignore[index]
    found = cluster(topology(["a"], cidrs=DUAL), pod("x/client"), pod("shop/db", "app=db"), of)

    assert f"Service shop/db has the label {label}" in reason(found, "x/client", "ClusterIP")
    asked = Flow(
        found.by_ref["x/client"], None, 4, "TCP", 80, ip_address(IPS["ClusterIP"][0]), find_service(found, "shop/db")
    )
    assert evaluate(found, asked).reason == reason(found, "x/client", "ClusterIP")


HEADLESS = Service(meta("shop/db"), {"app": "db"}, (ServicePort(80, 8080),), headless=True)


def test_a_headless_service_says_which_pods_to_ask() -> None:
    of = cluster(pod("x/client"), pod("shop/db", "app=db"), HEADLESS)
    asked = Flow(of.by_ref["x/client"], None, 4, "TCP", 80, None, find_service(of, "shop/db"))

    assert (
        "Service shop/db is headless: nodes translate nothing, and its name leads to its pods: ask shop/db"
        == evaluate(of, asked).reason
    )


def test_a_macvlan_pod_reaches_no_service() -> None:
    """It does not reach its own node, which would translate."""
    of = lab(mode="macvlan")
    found = decide(of, "x/client", "ClusterIP")

    assert ("deny", False) == (found.verdict, found.endpoints[0].path.connected)


def test_an_endpoint_that_the_wiring_does_not_join_is_denied() -> None:
    """In bridge mode this is an endpoint of another node. On another network it is one of the same node too."""
    assert ["allow", "deny"] == [one.verdict for one in decide(lab(mode="bridge"), "x/client", "ClusterIP").endpoints]
    of = cluster(
        topology(["a"], {"default": ("bridge", "10.244.0.0/16"), "other": ("bridge", "10.245.0.0/16")}),
        pod("x/client", node="a"),
        pod("shop/db", "app=db", node="a", network="other"),
        service(cluster_ips=(ip_address("10.96.0.50"),), ip_families=(4,), ip_family_policy=""),
    )
    assert "networks 'default' and 'other' are not joined" == reason(of, "x/client", "ClusterIP")


def test_a_node_port_comes_before_a_host_port_of_the_same_number() -> None:
    """kube-proxy's chain is before that of the portmap plugin."""
    of = lab(pod("x/published", node="a", ports=["30080:9090", "30081:9090"]))

    assert [8080, 8080] == [way.backend.port for way in through(of, to(of, "x/client", "nodePort")).flows]
    assert [9090] == [w.backend.port for w in through(of, flow(of, "x/client", "node:a", "30081/TCP")).flows]


def test_an_address_with_ip_mode_proxy_is_not_translated() -> None:
    """No machine of the lab has the address."""
    proxy = (LoadBalancerIngress(ip_address("198.18.0.2"), ip_mode="Proxy"),)

    assert "ipMode Proxy" in reason(lab(load_balancer=proxy), "x/client", "load balancer")


# pkg/proxy/nftables/proxier_test.go: endpoints on the node (l) and on another one (r), as ready, terminating or gone;
# which of them a ClusterIP, a nodePort with policy Local, and one with policy Cluster lead to; "" is a denial.
TERMINATING = [
    ("ready ready", "ready", "l0 l1 r0", "l0 l1", "l0 l1 r0"),
    ("terminating terminating", "ready", "r0", "l0 l1", "r0"),
    ("", "terminating", "r0", "drop", "r0"),
    ("gone gone", "gone", "reject", "reject", "reject"),
    ("ready terminating", "terminating", "l0", "l0", "l0"),
]


@pytest.mark.parametrize(("local", "remote", "cluster_ip", "with_local", "with_cluster"), TERMINATING)
def test_endpoints_that_terminate_serve_while_no_other_does(
    local: str, remote: str, cluster_ip: str, with_local: str, with_cluster: str
) -> None:
    """For each policy by itself; an endpoint that does not serve is never used."""

    def one(name: str, node: str, state: str) -> Pod:
        made = pod(f"shop/{name}", "app=db", node=node)
        return replace(made, ready=state != "gone", terminating=state != "ready")

    def reached(frontend: str, policy: Any) -> str:
        of = cluster(
            topology(["a", "b"], hosts={"client": ["192.0.2.10", "2001:db8:1::10"]}, mode="overlay", cidrs=DUAL),
            pod("x/client", node="a"),
            *(one(f"l{i}", "a", state) for i, state in enumerate(local.split())),
            *(one(f"r{i}", "b", state) for i, state in enumerate(remote.split())),
            service(external_traffic_policy=policy),
        )
        found = through(of, to(of, "x/client" if frontend == "ClusterIP" else "host:client", frontend))
        names = " ".join(way.backend.name.removeprefix("shop/") for way in found.flows)
        return names or ("drop" if "drops it" in found.reason else "reject")

    assert cluster_ip == reached("ClusterIP", "Local")
    assert with_local == reached("nodePort", "Local")
    assert with_cluster == reached("nodePort", "Cluster")
