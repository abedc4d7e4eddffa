"""What is kept about Services: memory in proportion to sources and to ports of Services, not to their product."""

from __future__ import annotations

import tracemalloc
from ipaddress import ip_address

import pytest
from builders import cluster, meta, pod, topology

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.objects.services import Service, ServicePort
from netlab.policy.expand_services import ServiceExpansion
from netlab.report.columns import wide
from netlab.report.expanded import ServiceTexts
from netlab.report.rows import EndpointRow, Row, Tally

ASKED = FlowSelection(services=True, families=(4,))
SERVICES = 20


def lab(nodes: int, pods: int, app: str, ports: int) -> Cluster:
    """Some pods on each of some nodes, and 20 Services that select the pods with a label ``app``."""
    names = [f"n{number}" for number in range(nodes)]
    numbers = tuple(ServicePort(80 + port, name=f"p{port}") for port in range(ports))
    return cluster(
        topology(names),
        *(pod(f"x/{name}-{number}", "app=web", node=name) for name in names for number in range(pods)),
        *(
            Service(
                meta(f"x/s{last}"),
                cluster_ips=(ip_address(f"10.96.1.{last}"),),
                ip_families=(4,),
                selector={"app": app},
                ports=numbers,
            )
            for last in range(SERVICES)
        ),
    )


def most(of: Cluster) -> int:
    """Return the peak of memory in bytes while the rows of all sources are made, and dropped one by one."""
    tracemalloc.start()
    expansion, tally = ServiceExpansion(of, ASKED), Tally("reach")
    texts = ServiceTexts(expansion)
    for source in expansion.sources:
        for _ in texts.texts(source, tally):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tally.pairs == len(expansion.sources) * len(expansion.questions)
    return peak


def of_ports(nodes: int, pods: int, app: str) -> int:
    """Return the memory in bytes that 20 more ports for each Service take."""
    few, many = (most(lab(nodes, pods, app, ports)) for ports in (5, 25))
    return many - few


@pytest.mark.parametrize("app", ["none", "one"])
def test_a_port_takes_no_more_memory_if_there_are_more_nodes(app: str) -> None:
    """For a target in each node, 40 nodes would take 400 bytes x 40 x 400 ports: 6 MB."""
    of_ports(2, 1, app)  # modules and caches are in memory then

    assert of_ports(50, 1, app) - of_ports(10, 1, app) < 300_000


def test_a_port_takes_little_more_memory_if_there_are_more_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services share endpoints: 30 of their own for each of 400 ports would take 450 bytes x 30 x 400: 5 MB."""
    monkeypatch.setattr("netlab.report.expanded._KEPT", 100_000)
    monkeypatch.setattr("netlab.report.expanded._TEXT", 10_000)
    of_ports(1, 2, "web")

    assert of_ports(1, 40, "web") - of_ports(1, 10, "web") < 1_500_000


def test_wide_rows_with_many_endpoints_are_laid_out_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block has about as many characters as a bound says, so not all rows are read before the first is printed."""
    monkeypatch.setattr("netlab.report.columns._CHARACTERS", 100)
    read = []

    def rows() -> object:
        for number in range(5):
            read.append(number)
            endpoints = tuple(EndpointRow("x/a", "10.0.0.1", port) for port in range(20))
            yield Row("x/a", "service:x/b", 4, "TCP", number, "allow", endpoints=endpoints)

    lines = wide(rows(), "reach")  # type: ignore[arg-type]
    next(lines)

    assert read == [0]
    assert len(list(lines)) == 5
