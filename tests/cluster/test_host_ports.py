"""One pod publishes a port of a node, and only if the node reaches the pod."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, objects, pod, source, topology, workload

from netlab.cluster import try_resolve
from netlab.cluster.host_ports import published, published_at
from netlab.errors import InputError
from netlab.objects.types import ContainerPort

PORT = "spec__containers[0]__ports[0]"
LINES = {f"{PORT}__hostPort": 9, f"{PORT}__hostIP": 9}


def _wrong(*things):
    with pytest.raises(InputError) as raised:
        cluster(*things)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("one", "other"),
    [("8080:80", "8080:81"), ("8080:80", "100.64.0.1:8080:80"), ("100.64.0.1:8080:80", "100.64.0.1:8080:80")],
    ids=["everywhere", "everywhere and one address", "one address"],
)
def test_two_pods_may_not_publish_one_port(one, other):
    """The error is at the line of the second one."""
    pods = [
        pod(f"x/{name}", node="a", ports=[text], source=source(3, **LINES)) for name, text in (("a", one), ("b", other))
    ]

    assert [
        "test.yaml:9: Pod x/b: spec.containers[0].ports[0].hostPort: 8080/TCP of node a is published by pod x/a already"
    ] == _wrong(topology(["a", "b"]), *pods)


@pytest.mark.parametrize(
    ("other", "node"),
    [("8080:80", "b"), ("8081:80", "a"), ("8080:80/UDP", "a")],
    ids=["other node", "other port", "other protocol"],
)
def test_different_ports_may_be_published(other, node):
    """Ports of different nodes and protocols do not clash."""
    made = cluster(topology(["a", "b"]), pod("x/a", node="a", ports=["8080:80"]), pod("x/b", node=node, ports=[other]))

    assert 2 == len(made.pods)


def test_replicas_of_one_port_need_as_many_stated_nodes():
    """The scheduler would leave the others Pending, so they are errors."""
    web = workload("Deployment", "x/web", 3, ports=["80:80"], source=source(3))
    (wrong,) = _wrong(topology(["a", "b"]), web)

    assert 2 == len(cluster(topology(["a", "b", "c"]), web).nodes) - 1
    assert "80/TCP of node a is published by pod x/web-0 already, and no other node that admits the pod has it" in wrong


def test_made_up_nodes_leave_a_port_unpublished():
    """As netlab chose the number of nodes, the first pod has the port, and one warning names the others."""
    of, problems = try_resolve(
        objects(
            workload("Deployment", "x/web", 3, ports=["80:80", "8443:443"], source=source(3)),
            pod("x/zz", ports=["8443:443"]),
            pod("x/y", node="w"),
        ),
        warn=True,
    )

    assert [("x/web-0", 80), ("x/web-0", 8443)] == [(p.pod.ref, p.port.host_port) for p in published(of)]
    assert [80, 443] == [p.port for p in of.by_ref["x/web-2"].ports]  # type: ignore[union-attr]
    (told,) = problems
    assert "warning" == told.severity
    assert "it stays unpublished for x/web-1 and 2 more pods; state more nodes to publish it" in told.message


def test_a_node_publishes_no_port_of_a_pod_that_it_does_not_reach():
    """Neither ports of macvlan pods nor of pods in mode none."""
    networks = {"lan": ("macvlan", "10.1.0.0/16")}
    lines = source(3, **LINES)
    pods = [
        pod("x/a", ports=["8080:80"], source=lines),
        pod("x/b", ports=["8081:80"], network="none", source=lines),
        pod("x/c", ports=["1.2.3:8082:80"], source=lines, network="lan"),
    ]
    where = "test.yaml:9: Pod x/{}: spec.containers[0].ports[0].hostPort: a node cannot publish a port of a pod {}"

    assert [
        where.format("a", "on macvlan network 'lan'"),
        where.format("b", "without a network"),
        where.format("c", "on macvlan network 'lan'"),
    ] == _wrong(topology(["a"], networks), *pods)


def test_a_host_ip_must_be_an_address():
    """The error is at its line."""
    wrong = pod("x/a", ports=["1.2.3:8080:80"], source=source(3, **LINES))

    assert ["test.yaml:9: Pod x/a: spec.containers[0].ports[0].hostIP: '1.2.3' is not an IP address"] == _wrong(wrong)


def test_a_host_ip_has_no_zone():
    """A zone may be any text, and the address is a key of an nftables set."""
    address = "2001:db8::1%}\n flush ruleset"
    port = ContainerPort(80, host_port=8080, host_ip=address, path=PORT.replace("__", "."))
    one = pod("x/a", source=source(3, **LINES))
    wrong = replace(one, spec=replace(one.spec, ports=(port,)))

    assert [
        r"test.yaml:9: Pod x/a: spec.containers[0].ports[0].hostIP: "
        r"'2001:db8::1%}\n flush ruleset' is not an IP address"
    ] == _wrong(wrong)


def test_a_host_ip_has_precedence_over_every_address():
    """The pod that a port leads to depends on the node, the address and the protocol."""
    made = cluster(
        topology(["a", "b"]),
        pod("x/a", node="a", ports=["100.64.0.1:8080:80"]),
        pod("x/b", node="b", ports=["8080:80"]),
    )

    def found(node, address, protocol="TCP", port=8080):
        one = published_at(made, node, ip_address(address), protocol, port)
        return one and one.pod.ref

    assert "x/a" == found("a", "100.64.0.1")
    assert found("a", "10.244.0.1") is None
    assert "x/b" == found("b", "100.64.0.2")
    assert found("b", "100.64.0.2", "UDP") is None
    assert found("b", "100.64.0.2", port=80) is None
