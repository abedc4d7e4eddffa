"""Random clusters with few endpoints, and random questions about them, for the evaluator and its fast versions.

``netlab.conformance.random_cases`` has fewer settings, as packets and the tracer must answer it in seconds: fixed
pods, one network, documents. These clusters vary all that the evaluator reads: several networks, modes, IP families,
host-network pods, published ports, outside hosts, settings of the Topology, cluster-wide policies, and policies that
netlab does not read. A seed always gives the same cluster. ``histories`` has sequences of clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from builders import (
    cluster,
    cluster_peer,
    cluster_policy,
    cluster_rule,
    labels,
    namespace,
    peer,
    pod,
    pods_peer,
    policy,
    rule,
    selector,
    topology,
    unread,
)

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.objects.cluster_policies import ClusterTier
from netlab.objects.topology import Topology, TopologyPolicy
from netlab.objects.unread import Subject
from netlab.verdicts import Action

_MODES = ("bridge", "overlay", "routed", "macvlan")
_LABELS = ("", "app=p", "app=q", "app=p,tier=db", "tier=web", "build=1", "build=2")
_PEERS = ("", "app=p", "app=q", "!app", "app in (p,q)", "tier notin (db)", "tier")
_SPACES = ("", "team=1", "!team", "team notin (1)", "kubernetes.io/metadata.name=x")
_BLOCKS = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.244.0.0/24",
    "10.244.0.2/32",
    "10.245.0.0/30",
    "100.64.0.0/16",
    "192.0.2.8/30",
)
_BLOCKS_6 = ("::/0", "fd00:10:244::/64", "fd00:10:244::2/128", "2001:db8::/32")
_HOST_NAMES = ((), ("api.example.com",), ("example.com", "a.b.example.com"))
_PORTS = ("80", "web", "80-82", "dns/UDP", "/TCP", "80/SCTP", "443")
_SERVED = ((), (), ("web=80",), ("web=81",), ("dns=53/UDP", "web=80"), ("8080:80",), ("web=9090:81",))
_ASKED = ((), (), (), (("TCP", 80),), (("TCP", 80), ("TCP", 443), ("ICMP", None)), (("TCP", 8080), ("TCP", 9090)))


def some_cluster(rng: Random, *, cluster_wide: bool = True) -> Cluster:
    """Return a cluster of few pods; every property has few values, so pods often agree in some and differ in others.

    ``cluster_wide``: half of the clusters have cluster-wide policies.
    """
    both = rng.random() < 0.4
    names = ("main", "other")[: rng.choice((1, 1, 2))]
    networks = {
        name: (rng.choice(_MODES), f"10.{244 + i}.0.0/16", *([f"fd00:10:{244 + i}::/56"] if both else []))
        for i, name in enumerate(names)
    }
    nodes = [f"node-{i}" for i in range(rng.choice((1, 2, 2, 3)))]
    addresses = ([["192.0.2.10"], ["192.0.2.11"], ["192.0.2.10", "2001:db8::1"], ["2001:db8::2"]])[: 4 if both else 2]
    hosts = {f"h{i}": own for i, own in enumerate(rng.sample(addresses, rng.randint(0, 2)))}
    hosts = {name: own for name, own in hosts.items() if name == "h0" or not {*own} & {*hosts["h0"]}}
    settings = TopologyPolicy(
        icmp=rng.choice(("rules-without-ports", "allow")),
        ip_block_pods=rng.choice(("match", "match", "ignore")),
        own_node=rng.choice(("allow", "enforce")),
        host_network_peers=rng.choice(("ignore", "match")),
    )
    spaces = [namespace(ns, rng.choice(("", "team=1", "team=2"))) for ns in "xyz"]
    policies = [_policy(rng, f"{rng.choice('xyz')}/p{i}") for i in range(rng.randint(0, 5))]
    others = [_unread(rng, f"x/u{i}") for i in range(rng.choice((0, 0, 1, 2, 3)))]
    of = replace(topology(nodes, networks, hosts), policy=settings)
    things = [*spaces, *_pods(rng, networks, nodes), *policies, *others]
    if rng.random() < 0.5 or not cluster_wide:
        return cluster(of, *things)
    return cluster(*_with_cluster_policies(rng, of), *things)


def _with_cluster_policies(rng: Random, of: Topology) -> Iterator[Any]:
    """Yield cluster-wide policies, and the Topology with settings, labels and names that such policies read."""
    settings = replace(
        of.policy,
        baseline=rng.choice(("per-direction", "unselected-pods")),
        baseline_admin=rng.choice(("first", "last")),
        directions=rng.choice(("both", "both", "both", "ingress-only")),
    )
    nodes = tuple(replace(node, labels=labels(rng.choice(("", "zone=a", "zone=b")))) for node in of.nodes)
    hosts = tuple(replace(host, hostnames=rng.choice(_HOST_NAMES)) for host in of.hosts)
    yield replace(of, policy=settings, nodes=nodes, hosts=hosts)
    for name in "abcd"[: rng.randint(1, 4)]:
        tier: ClusterTier = rng.choice(("Admin", "Admin", "Baseline"))
        yield cluster_policy(
            name,
            pods_peer(rng.choice((None, None, *_PEERS)), rng.choice((None, None, *_SPACES))),
            ingress=[_cluster_rule(rng, egress=False) for _ in range(rng.randint(0, 3))],
            egress=[_cluster_rule(rng, egress=True) for _ in range(rng.randint(0, 3))],
            tier=tier,
            priority=rng.choice((0, 10, 10, 20)),
            kind="BaselineAdminNetworkPolicy" if tier == "Baseline" and name == "a" else "ClusterNetworkPolicy",
        )


def _cluster_rule(rng: Random, *, egress: bool) -> Any:
    peers = [_cluster_peer(rng, egress=egress) for _ in range(rng.choice((1, 1, 2)))]
    names = all(peer.pods is not None for peer in peers)
    known = [port for port in _PORTS if not port.startswith("/") and (names or port[0].isdigit())]
    action: Action = rng.choice(("allow", "deny", "deny", "pass"))
    if any(peer.domain_names for peer in peers):
        action = "allow"
    return cluster_rule(action, *peers, ports=rng.sample(known, rng.choice((0, 0, 1, 2))), name=rng.choice(("", "r")))


def _cluster_peer(rng: Random, *, egress: bool) -> Any:
    kind = rng.randrange(8) if egress else rng.randrange(3, 9)
    if kind == 0:
        return cluster_peer(nodes=rng.choice(("", "zone=a", "zone", "!zone")))
    if kind == 1:
        return cluster_peer(names=[rng.choice(("*.example.com", "example.com", "api.example.com"))])
    # An ingress rule that fails closed has every address as its peers.
    if kind == 2 or kind == 8:
        blocks = ("0.0.0.0/0", "::/0") if kind == 8 else rng.sample((*_BLOCKS, *_BLOCKS_6), rng.randint(1, 2))
        return cluster_peer(networks=blocks)
    return cluster_peer(rng.choice((None, *_PEERS)), rng.choice((None, *_SPACES)))


def _unread(rng: Random, ref: str) -> Any:
    subjects = [
        Subject(
            rng.choice(("", "x", "y")),
            selector(rng.choice(_SPACES)),
            selector(rng.choice(_PEERS)),
            nodes=rng.random() < 0.2,
            denies=frozenset(rng.sample(("ingress", "egress"), rng.randint(0, 2))),
            allows=frozenset(rng.sample(("ingress", "egress"), rng.randint(0, 2))),
        )
        for _ in range(rng.randint(1, 2))
    ]
    return unread(ref, *subjects, protocols=rng.choice(("", "", "TCP")), outside=rng.random() < 0.2)


def _pods(rng: Random, networks: Mapping[str, tuple[str, ...]], nodes: list[str]) -> Iterator[Any]:
    published = False
    for ns in "xyz":
        for name in "abcde"[: rng.randint(1, 4)]:
            kind = rng.randrange(10)
            network = "none" if kind == 1 else rng.choice([*networks])
            serves = rng.choice(_SERVED)
            if any(":" in port for port in serves) and (kind < 2 or networks[network][0] == "macvlan" or published):
                serves = ("web=80",)
            published = published or any(":" in port for port in serves)
            of = {"host": True} if kind == 0 else {"network": network}
            yield pod(f"{ns}/{name}", rng.choice(_LABELS), ports=serves, node=rng.choice(nodes), **of)


def _policy(rng: Random, ref: str) -> Any:
    rules = {
        direction: [_rule(rng) for _ in range(rng.randint(0, 2))] if rng.random() < 0.7 else None
        for direction in ("ingress", "egress")
    }
    return policy(ref, rng.choice(_PEERS), ingress=rules["ingress"], egress=rules["egress"])


def _rule(rng: Random) -> Any:
    peers = [_peer(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
    return rule(*peers, ports=rng.sample(_PORTS, rng.choice((0, 0, 1, 2))))


def _peer(rng: Random) -> Any:
    kind = rng.randrange(4)
    if kind == 0:
        block = rng.choice((*_BLOCKS, *_BLOCKS_6))
        holes = {"0.0.0.0/0": ["10.244.0.0/30"], "::/0": ["fd00:10:244::/126"]}.get(block, [])
        return peer(cidr=block, but=holes if rng.random() < 0.5 else [])
    return peer(
        rng.choice(_PEERS) if kind != 1 else None,
        rng.choice(_SPACES) if kind != 2 else None,
    )


def some_questions(rng: Random) -> FlowSelection:
    """Return questions with random ports, IP families and options."""
    families = rng.choice(((), (), (4,)))
    return FlowSelection(rng.choice(_ASKED), families, nodes=rng.random() < 0.5, self_pairs=rng.random() < 0.4)
