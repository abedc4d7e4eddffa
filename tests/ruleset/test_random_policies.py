"""The compiled text against a plain reading of the rules, pair by pair, for random policies."""

from ipaddress import ip_address

import pytest
from sizes import samples

from netlab.conformance import random_cases
from netlab.conformance.judges import cluster_of
from netlab.ruleset import compile_rulesets
from netlab.testing.tracer import Packet, Tracer

OUTSIDE = ("10.244.0.200", "192.0.2.10", "0.0.0.0", "255.255.255.255")  # noqa: S104
PROBES = [("TCP", 80), ("TCP", 81), ("TCP", 8080), ("UDP", 80), ("UDP", 53), ("SCTP", 80), ("ICMP", None)]


def side_allows(cluster, direction, subject, peer, destination, protocol, port):
    """Return whether one side allows a flow, after the words of the Kubernetes API reference; pods are by address."""
    pods = {str(p.addresses[0]): p for p in cluster.pods}
    pod, other, target = pods.get(subject), pods.get(peer), pods.get(destination)

    def peer_matches(item, namespace):
        if item.ip_block:
            return item.ip_block.contains(ip_address(peer))
        if other is None:
            return False
        in_namespace = (
            other.namespace == namespace
            if item.namespace_selector is None
            else item.namespace_selector.matches(cluster.namespaces[other.namespace])
        )
        return in_namespace and (item.pod_selector is None or item.pod_selector.matches(other.labels))

    def port_matches(item):
        if item.protocol != protocol:
            return False
        if isinstance(item.port, str):
            named = [p.port for p in (target.ports if target else ()) if (p.name, p.protocol) == (item.port, protocol)]
            return named[:1] == [port]
        if port is None:
            return False
        return item.port is None or item.port <= port <= (item.end_port or item.port)

    if pod is None:
        return True
    isolating = [
        p
        for p in cluster.policies
        if direction in p.policy_types and p.meta.namespace == pod.namespace and p.pod_selector.matches(pod.labels)
    ]
    return not isolating or any(
        (not rule.peers or any(peer_matches(item, policy.meta.namespace) for item in rule.peers))
        and (not rule.ports or any(map(port_matches, rule.ports)))
        for policy in isolating
        for rule in (policy.ingress if direction == "ingress" else policy.egress)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_text_agrees_with_a_plain_reading(seed):
    """For every pair, protocol and port of a random cluster."""
    for case in random_cases.cases(samples(10), seed):
        cluster = cluster_of(case.stages[0].documents)
        tracer = Tracer(compile_rulesets(cluster)["node-1"])
        own = [str(p.addresses[0]) for p in cluster.pods]
        wrong = [
            (source, destination, *probe)
            for source in (*own, *OUTSIDE)
            for destination in (*own, *OUTSIDE)
            if source != destination and (source in own or destination in own)
            for probe in PROBES
            if (tracer.verdict(Packet(source, destination, *probe)).verdict == "accept")
            != (
                side_allows(cluster, "egress", source, destination, destination, *probe)
                and side_allows(cluster, "ingress", destination, source, destination, *probe)
            )
        ]

        assert [] == wrong, case.name
