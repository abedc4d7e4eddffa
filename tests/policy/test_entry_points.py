"""Entry points of Services in random clusters let exactly the outside addresses through that the evaluator allows."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.cluster.services.routes import outer_addresses
from netlab.cluster.types import Host, Pod, address_of
from netlab.conformance import service_cases
from netlab.conformance.judges import cluster_of
from netlab.objects.services import Service
from netlab.policy.decision import Decision
from netlab.policy.entry_points import entry_points
from netlab.policy.evaluate import evaluate
from netlab.policy.inside_addresses import outside_addresses
from netlab.policy.openings import Openings, openings

ADDRESSES = ("8.8.8.8", "192.0.2.9", "203.0.113.7", "10.0.0.9", "172.16.0.1")


def reached(decision: Decision) -> Iterator[str]:
    """Yield the pods that some packets of a flow get to."""
    for one in decision.backends or (decision,):
        if one.verdict == "allow" and one.through is not None:
            yield one.through.backend.name


def flows(of: Cluster, service: Service, kind: str, host: Host) -> Iterator[Flow]:
    for port in service.ports:
        if kind == "nodePort" and port.node_port:
            for node in of.nodes:
                yield Flow(host, node, 4, port.protocol, port.node_port, address_of(node, 4))
        if kind == "load balancer":
            for address in outer_addresses(service):
                yield Flow(host, None, 4, port.protocol, port.port, address)


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_entries_of_services_agree_with_the_evaluator(mode: str) -> None:
    """Through each node port of each node. A load balancer may choose another node than the lab's does."""
    seen: set[tuple[str, bool]] = set()
    for case in service_cases.cases(max(16, samples(24)), 5, mode):
        found = cluster_of(case.stages[0].documents)
        for text in ADDRESSES:
            host = Host("new", (ip_address(text),))
            assert host.addresses[0] in outside_addresses(found)
            for service in found.services:
                for kind in ("nodePort", "load balancer"):
                    through = {
                        ref for one in flows(found, service, kind, host) for ref in reached(evaluate(found, one))
                    }
                    for pod in found.pods:
                        admitted = any(
                            host.addresses[0] in one.admitted
                            for one in entry_points(found, pod, ingress(found, pod))
                            if (one.service, one.kind) == (service.meta.key, kind)
                        )
                        seen.add((kind, admitted))

                        assert admitted == (pod.ref in through) or (kind == "load balancer" and admitted)
    assert {("nodePort", True), ("nodePort", False), ("load balancer", True), ("load balancer", False)} <= seen


def ingress(of: Cluster, pod: Pod) -> Openings:
    return openings(of, pod, "ingress")
