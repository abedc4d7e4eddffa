"""Clusters of any size as values, for benchmarks of the ruleset."""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from netlab.cluster.types import Cluster, Network, Node, Pod
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, PodsPeer
from netlab.objects.policies import NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Direction, Meta

PORT = 5000
PER_NAMESPACE = 10
# Clients and servers have halves of the network, so that two routes are enough for a router.
NETWORK = IPv4Network("10.0.0.0/8")
CLIENTS, SERVERS = NETWORK.subnets(new_prefix=9)


@dataclass(frozen=True)
class Shop:
    """A cluster on one node. A namespace has five clients and five servers; ``policies`` policies isolate each pod.

    Each policy of a server allows ingress from the clients of its namespace on one UDP port. Each policy of a client
    allows egress to the servers in the same way. ``port`` is that of the last policy.

    ``cluster_policies``: so many cluster-wide policies select every pod, half of them in each tier. Each denies ingress
    from the namespaces of one team on its own port, and egress to an address that no pod has.
    """

    pods: int
    policies: int
    cluster_policies: int = 0

    @property
    def port(self) -> int:
        return PORT + self.policies - 1

    @property
    def namespaces(self) -> range:
        return range(self.pods // PER_NAMESPACE)

    def clients(self, namespace: int) -> list[IPv4Address]:
        return [CLIENTS[2 + namespace * 5 + i] for i in range(5)]

    def servers(self, namespace: int) -> list[IPv4Address]:
        return [SERVERS[2 + namespace * 5 + i] for i in range(5)]

    def pairs(self, count: int, seed: int) -> list[tuple[IPv4Address, IPv4Address]]:
        """Return ``count`` random pairs of a client and a server that it may reach, from all namespaces."""
        chance = random.Random(seed)  # noqa: S311  a sample, not a secret
        chosen = [chance.choice(self.namespaces) for _ in range(count)]
        return [(chance.choice(self.clients(n)), chance.choice(self.servers(n))) for n in chosen]

    def cluster(self) -> Cluster:
        """Return the cluster as netlab's compiler takes it."""
        node = Node("node-0", {}, (IPv4Address("100.64.0.1"),), {"default": (NETWORK,)})
        pods = [pod for namespace in self.namespaces for pod in self._pods(namespace)]
        return Cluster(
            name="bench",
            networks=(Network("default", "bridge", (NETWORK,)),),
            nodes=(node,),
            hosts=(),
            namespaces={
                f"shop-{n}": {"kubernetes.io/metadata.name": f"shop-{n}", "team": str(n % 100)} for n in self.namespaces
            },
            pods=tuple(pods),
            policies=tuple(policy for namespace in self.namespaces for policy in self._policies(namespace)),
            cluster_policies=tuple(map(_cluster_policy, range(self.cluster_policies))),
        )

    def _pods(self, namespace: int) -> list[Pod]:
        return [
            Pod(f"shop-{namespace}", f"{app}-{i}", {"app": app}, {}, "node-0", "bridge", "default", (address,))
            for app, addresses in (("client", self.clients(namespace)), ("server", self.servers(namespace)))
            for i, address in enumerate(addresses)
        ]

    def _policies(self, namespace: int) -> list[NetworkPolicy]:
        client, server = LabelSelector((("app", "client"),)), LabelSelector((("app", "server"),))
        found = []
        for number in range(self.policies):
            ports = (PolicyPort("UDP", PORT + number),)
            in_rule, out_rule = (Rule((Peer(peer),), ports, "rule") for peer in (client, server))
            meta_in, meta_out = (Meta(f"{way}-{number}", f"shop-{namespace}") for way in ("in", "out"))
            ways: tuple[Direction, Direction] = ("ingress", "egress")
            found.append(NetworkPolicy(meta_in, server, frozenset(ways[:1]), ingress=(in_rule,)))
            found.append(NetworkPolicy(meta_out, client, frozenset(ways[1:]), egress=(out_rule,)))
        return found


def _cluster_policy(number: int) -> ClusterPolicy:
    team = PodsPeer(LabelSelector((("team", str(number % 100)),)))
    ports = (PolicyPort("UDP", 6000 + number),)
    outside = ClusterPeer(networks=(IPv4Network(f"192.0.2.{number % 256}/32"),))
    return ClusterPolicy(
        Meta(f"tier-{number}"),
        "ClusterNetworkPolicy",
        "Admin" if number % 2 else "Baseline",
        number,
        PodsPeer(),
        (ClusterRule("deny", (ClusterPeer(team),), ports),),
        (ClusterRule("deny", (outside,)),),
    )
