"""A lab whose text has every rule of the fragment of Services, and packets for these rules."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

from netlab.cluster.types import Network
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Meta
from netlab.ruleset import compile_rulesets
from netlab.ruleset.service_hash import PROBE_DSCP, chosen
from netlab.testing.tracer import Packet

PODS = {4: "10.244.0.{}", 6: "fd00:10:244::{}"}
CLIENT = {4: "10.244.0.99", 6: "fd00:10:244::99"}
OUT = {4: "192.0.2.10", 6: "2001:db8::10"}
NODE = {4: "100.64.0.1", 6: "fd00:100:64::1"}
OTHER = {4: "10.245.0.2", 6: "fd00:10:245::2"}
CLUSTER_IP = {4: "10.96.0.{}", 6: "fd00:96::{}"}
BALANCER = {4: "198.18.0.{}", 6: "fd00:198::{}"}
MOST = 8

KINDS = {
    "services": TopologyPolicy(hairpin="exempt"),
    "services, reevaluate": TopologyPolicy(hairpin="exempt", established="reevaluate"),
}


def service(number, name, selector, **more):
    """Return a dual-stack Service on TCP port 80, which leads to port 8000; numbers make its addresses."""
    own = tuple(ip_address(CLUSTER_IP[f].format(number)) for f in (4, 6))
    balancers = tuple(LoadBalancerIngress(ip_address(BALANCER[f].format(number))) for f in (4, 6))
    port = ServicePort(80, 8000, node_port=30000 + number)
    kind = {"type": "LoadBalancer", "ports": (port, replace(port, protocol="UDP")), "load_balancer": balancers}
    return Service(Meta(name, "x"), selector, cluster_ips=own, **{**kind, **more})


def lab(build, policy, sticky=None):
    """Return the text of node-1: eight pods, Services of one to eight of them, and one Service for each feature.

    A policy isolates the last pod.
    """
    members = [
        build.pod(
            f"x/p{i}", PODS[4].format(i), PODS[6].format(i),
            labels=" ".join([f"pod={i}", *(["l=1"] if i > 1 else []), *(f"c{k}=1" for k in range(i, MOST + 1))]),
            node="node-2" if i % 2 else "node-1", attachment="overlay",
        )
        for i in range(1, MOST + 1)
    ]  # fmt: skip
    two = {"c2": "1"}
    services = [service(k, f"s{k}", {f"c{k}": "1"}) for k in range(1, MOST + 1)]
    services += [
        service(21, "local", two, external_traffic_policy="Local"),
        service(22, "sticky", sticky or two, session_affinity="ClientIP", affinity_timeout=60),
        service(23, "ranged", two, source_ranges=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))),
        service(24, "nothing", {"c": "none"}),
        service(25, "elsewhere", {"pod": "1"}, internal_traffic_policy="Local"),
        service(
            26,
            "sticky-local",
            {"c4": "1"},
            external_traffic_policy="Local",
            session_affinity="ClientIP",
            affinity_timeout=60,
        ),
    ]
    policies = [build.policy("x/last", f"pod={MOST}", ingress=[])]
    cidrs = ("10.244.0.0/16", "fd00:10:244::/56")
    found = build.cluster(members, policies, mode="overlay", nodes=("node-1", "node-2"), cidrs=cidrs)
    nodes = tuple(
        replace(node, addresses=(*node.addresses, ip_address(f"fd00:100:64::{n}")))
        for n, node in enumerate(found.nodes, 1)
    )
    other = Network("other", "overlay", (ip_network("10.245.0.0/16"), ip_network("fd00:10:245::/56")))
    found = replace(
        found, nodes=nodes, policy=policy, networks=(*found.networks, other), services=tuple(services),
        service_cidrs=(ip_network("10.96.0.0/16"), ip_network("fd00:96::/112")),
    )  # fmt: skip
    return compile_rulesets(found)["node-1"].text()


def _port_to(source, index, count=2):
    """Return a source port that leads to the endpoint of an index."""
    return next(port for port in range(40000, 41000) if chosen(ip_address(source), port, count) == index)


def _of_family(f):
    cluster, balancer = CLUSTER_IP[f].format, BALANCER[f].format
    other = {index: _port_to(CLIENT[f], index) for index in (0, 1)}
    mine = {index: _port_to(NODE[f], index) for index in (0, 1)}
    yield from ((f"of {k}", Packet(CLIENT[f], cluster(k), "TCP", 80)) for k in range(1, MOST + 1))
    yield "from outside", Packet(OUT[f], cluster(2), "TCP", 80)
    yield "of the node", Packet(NODE[f], cluster(2), "TCP", 80, from_node=True)
    yield "nodePort", Packet(CLIENT[f], NODE[f], "TCP", 30002, for_node=True)
    yield "nodePort, of the node", Packet(NODE[f], NODE[f], "TCP", 30002, from_node=True, for_node=True)
    for index in (0, 1):
        port = _port_to(OUT[f], index)
        yield f"Local {index}", Packet(OUT[f], NODE[f], "TCP", 30021, for_node=True, source_port=port)
        yield f"Local, from a pod {index}", Packet(CLIENT[f], balancer(21), "TCP", 80, source_port=other[index])
    for index in (0, 1, 0):
        yield f"sticky {index}", Packet(CLIENT[f], cluster(22), "TCP", 80, source_port=other[index])
    for index in (1, 0, 1):
        yield (
            f"sticky, of the node {index}",
            Packet(NODE[f], cluster(22), "TCP", 80, source_port=mine[index], from_node=True),
        )
    for index in (0, 1, 0):
        port = _port_to(OUT[f], index)
        yield f"sticky, Local {index}", Packet(OUT[f], NODE[f], "TCP", 30026, for_node=True, source_port=port)
    # Probes neither leave an affinity nor follow one.
    dscp, prober = {f"{'ip' if f == 4 else 'ip6'} dscp": str(PROBE_DSCP)}, PODS[f].format(98)
    for name, index, fields in (("a probe", 0, dscp), ("after a probe", 1, {}), ("a second probe", 0, dscp)):
        port = _port_to(prober, index)
        yield name, Packet(prober, cluster(22), "TCP", 80, source_port=port, fields=fields)
    yield "elsewhere", Packet(CLIENT[f], cluster(25), "TCP", 80)
    yield "in the ranges", Packet(OUT[f], balancer(23), "TCP", 80)
    yield "not in the ranges", Packet(CLIENT[f], balancer(23), "TCP", 80)
    yield "no endpoints", Packet(CLIENT[f], balancer(24), "TCP", 80)
    yield "no endpoints, UDP", Packet(CLIENT[f], balancer(24), "UDP", 80)
    yield "no endpoints, of the node", Packet(NODE[f], balancer(24), "TCP", 80, from_node=True)
    yield "no endpoints, nodePort", Packet(CLIENT[f], NODE[f], "TCP", 30024, for_node=True)
    yield "wrong port", Packet(CLIENT[f], cluster(2), "TCP", 81)
    yield "wrong port, UDP, of the node", Packet(NODE[f], cluster(2), "UDP", 81, from_node=True)
    yield "unallocated", Packet(CLIENT[f], cluster(200 if f == 4 else "200"), "TCP", 80)
    last = PODS[f].format(MOST)
    yield "itself", Packet(last, cluster(MOST), "TCP", 80, source_port=_port_to(last, MOST - 1, MOST))
    yield "of another network", Packet(OTHER[f], cluster(1), "TCP", 80)


CASES = {f"{name}, IPv{f}": packet for f in (4, 6) for name, packet in _of_family(f)}

FAULTS = [
    # chain, old text, new text, packet, right verdict
    ("service4_2", "mod 2", "mod 1", "Local, from a pod 1, IPv4", "accept"),
    ("service_from4", "ip saddr != @service_pods4", "ip saddr @service_pods4", "of 2, IPv4", "accept"),
    ("service_from_outside", "== 0x0", "!= 0x0", "from outside, IPv4", "accept"),
    ("service_choose4", "0x0 : drop, ", "", "elsewhere, IPv4", "drop"),
    ("service_reject", "counter reject with icmpx port-unreachable", "accept", "no endpoints, UDP, IPv4", "drop"),
    ("service_check_source6", "counter drop", "accept", "not in the ranges, IPv6", "drop"),
    ("masquerade_pods", "!= 0x0 masquerade", "== 0x0 masquerade", "of the node, IPv6", "accept"),
    ("apart", "!= 0x0 counter drop", "!= 0x0 counter", "of another network, IPv4", "drop"),
]

_KEPT = "a removed endpoint: test_an_endpoint_that_leaves_loses_its_clients"
UNSEEN = (
    {
        (
            "service_remember_60",
            f"meta priority set {ip} daddr . meta l4proto . th dport map @affinity_ids{f}",
        ): _KEPT
        for f, ip in ((4, "ip"), (6, "ip6"))
    }
    | {
        (
            f"service_by_affinity{f}",
            f"meta nfproto ipv{f} delete @affinity{f} {{ {client} . {mark} : meta priority }}",
        ): _KEPT
        for f, client in ((4, "ip saddr"), (6, "@nh,96,96"))
        for mark in ("ct mark", "meta mark")
    }
    | {
        ("service_untranslated", f"{mark} != 0x0 return"): "it saves translated packets two lookups"
        for mark in ("meta mark", "ct mark")
    }
)
