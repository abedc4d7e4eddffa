"""Which endpoints a connection to a Service may reach, and which source address they see, by packets.

The table is that of kube-proxy (pkg/proxy/nftables/proxier_test.go): from a pod, a node and an outside host; to a
ClusterIP, a nodePort, and a load balancer's or external address; with both traffic policies ``Cluster``, with
``externalTrafficPolicy: Local`` and with ``internalTrafficPolicy: Local``. There is one endpoint on the node that
translates and one on another node. ``M``: the endpoint sees an address of the node that translates. ``-``: it sees the
client's own address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from services.bench import Bench
from services.conftest import up
from services.objects import pod, service, topology

TABLE = """
pod ClusterIP          all -   all -     local -
pod NodePort           all M   all -     all M
pod LoadBalancer       all M   all -     all M
node ClusterIP         all M   all M     local M
node NodePort          all M   all M     all M
node LoadBalancer      all M   all M     all M
outside ClusterIP      all M   all M     local M
outside NodePort       all M   local -   all M
outside LoadBalancer   all M   local -   all M
"""
POLICIES = ("both", "external", "internal")
SOURCES = {"pod": "s/client", "node": "node:n1", "outside": "host:out"}
EXTERNAL = {"both": ("203.0.113.1", "2001:db8:1::1"), "external": ("203.0.113.2", "2001:db8:1::2")}
EXTERNAL["internal"] = ("203.0.113.3", "2001:db8:1::3")
RANGES = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
CELLS = [
    pytest.param(source, to, policy, *cells[2 * i : 2 * i + 2], id=f"{source} to {to}, {policy}")
    for source, to, *cells in (line.split() for line in TABLE.strip().splitlines())
    for i, policy in enumerate(POLICIES)
]


@pytest.fixture(scope="module", params=["overlay", "routed", "bridge"])
def built(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Two nodes with an endpoint each, a client pod beside one of them, and an outside host.

    In bridge mode, where no node reaches pods of another one, there is the endpoint beside the client only.
    """
    remote = [] if request.param == "bridge" else ["s/remote"]
    lab = up(
        topology(f"table-{request.param}-{os.getpid():x}", request.param, (4, 6)),
        pod("s/client", node="n1"),
        pod("s/local", "app=s", "n1"),
        *(pod(ref, "app=s", "n2") for ref in remote),
        _service("both"),
        _service("external", externalTrafficPolicy="Local"),
        _service("internal", internalTrafficPolicy="Local"),
    )
    made = Bench(lab)
    try:
        made.serve(["s/local", *remote], 8080, families=(4, 6))
        for family in (4, 6):
            node = made.address("node:n1", family)
            others = [a for policy in POLICIES for a in _outer(made, policy, family)]
            for to in (RANGES[family], *others):
                made.ip("host:out", f"-{family}", "route", "replace", to, "via", node)
        yield made
    finally:
        made.close()
        lab.down()


def _service(name: str, **spec: str):
    return service(
        f"s/{name}", "app=s", ("80:8080",), dual=True, type="LoadBalancer", externalIPs=list(EXTERNAL[name]), **spec
    )


def _outer(made: Bench, name: str, family: int) -> list[str]:
    return [made.balancer(f"s/{name}", family), EXTERNAL[name][0 if family == 4 else 1]]


def _fronts(made: Bench, name: str, to: str, family: int) -> list[tuple[str, int]]:
    """Return the addresses and ports of a column."""
    if to == "ClusterIP":
        return [(made.cluster_ip(f"s/{name}", family), 80)]
    if to == "NodePort":
        return [(made.address("node:n1", family), made.node_port(f"s/{name}"))]
    return [(address, 80) for address in _outer(made, name, family)]


@pytest.mark.kernel
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("source", "to", "policy", "which", "source_seen"), CELLS)
def test_cell(built: Bench, source: str, to: str, policy: str, which: str, source_seen: str, family: int) -> None:
    """The endpoints that answer are those of the cell, and each sees the source address of the cell."""
    client = SOURCES[source]
    both = {"s/local", "s/remote"} & {one.ref for one in built.lab.cluster.pods}
    wanted = both if which == "all" else {"s/local"}
    for address, port in _fronts(built, policy, to, family):
        answers = built.answers(client, address, port)

        assert wanted == {one.endpoint or one.how for one in answers}
        own, of_node = built.address(client, family), built.own_addresses("node:n1")
        assert {one.seen for one in answers} <= ({own} if source_seen == "-" else of_node)
