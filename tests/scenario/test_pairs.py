"""Which flows an expectation asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import cluster, meta, pod, topology, workload

from netlab.cluster import Cluster
from netlab.errors import UsageError
from netlab.objects.scenarios import Expectation
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import ContainerPort, Pod
from netlab.scenario.pairs import flows_of


@pytest.fixture(scope="module")
def lab() -> Cluster:
    """Two namespaces with three pods, of which one declares three ports, a node and two hosts."""
    return cluster(
        topology(["n1"], hosts={"left": ["192.0.2.1"], "right": ["192.0.2.2"]}),
        pod("a/web", ports=["80", "443", "53/UDP"]),
        pod("a/db"),
        pod("b/web"),
        workload("Deployment", "c/app", 2),
    )


def asked(of: Cluster, source: str, destination: str, *, any_protocol: bool = True, **more: Any) -> list[str]:
    """Return the flows as ``SOURCE DESTINATION PORT/PROTOCOL``."""
    expectation = Expectation(source, destination, **more)
    flows = flows_of(of, expectation, any_protocol=any_protocol)
    return [f"{f.source.ref} {f.target} {f.port}/{f.protocol}" for f in flows]


def pairs(of: Cluster, source: str, destination: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in asked(of, source, destination, port=1)}


def test_names_are_one_pair(lab: Cluster) -> None:
    """A port is asked as it is written, declared or not."""

    assert ["a/db a/web 5432/TCP"] == asked(lab, "a/db", "a/web", port=5432)


def test_without_a_port_every_declared_port_is_asked(lab: Cluster) -> None:
    """TCP 80 where a destination declares none."""

    assert ["a/db a/web 80/TCP", "a/db a/web 443/TCP", "a/db a/web 53/UDP"] == asked(lab, "a/db", "a/web")
    assert ["a/web a/db 80/TCP"] == asked(lab, "a/web", "a/db")


def test_a_protocol_without_a_port_narrows_the_declared_ports(lab: Cluster) -> None:
    """``protocol: UDP`` alone is about the UDP ports that there are."""

    assert ["a/db a/web 53/UDP"] == asked(lab, "a/db", "a/web", protocol="UDP", any_protocol=False)


def test_icmp_has_no_port(lab: Cluster) -> None:
    """One echo request, whatever the destination declares."""

    assert ["a/db a/web None/ICMP"] == asked(lab, "a/db", "a/web", protocol="ICMP", any_protocol=False)


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("a/*", "b/*", {"a/web b/web", "a/db b/web"}),
        ("*/web", "*/web", {"a/web b/web", "b/web a/web"}),
        ("b/web", "c/app-*", {"b/web c/app-0", "b/web c/app-1"}),
        ("?/db", "b/web", {"a/db b/web"}),
        ("a/db", "host:*", {"a/db host:left", "a/db host:right"}),
        ("host:l*", "a/*", {"host:left a/web", "host:left a/db"}),
        ("node:*", "a/db", {"node:n1 a/db"}),
        ("c/app", "a/db", {"c/app-0 a/db"}),
        ("a/db", "192.0.2.1", {"a/db host:left"}),
        ("a/db", "203.0.113.9", {"a/db 203.0.113.9"}),
    ],
)
def test_globs(lab: Cluster, source: str, destination: str, expected: set[str]) -> None:
    """``*/*`` means pods: nodes and hosts have to be named, or matched by ``node:*`` and ``host:*``."""

    assert expected == pairs(lab, source, destination)


def test_a_star_does_not_cross_the_slash(lab: Cluster) -> None:
    """Namespace and name are matched each on its own."""

    assert {"b/web a/web", "b/web a/db"} == pairs(lab, "b/*", "a/*")
    assert 5 == len({pair.split()[0] for pair in pairs(lab, "*/*", "*/*")})


def test_a_glob_never_matches_a_pair_of_a_pod_with_itself(lab: Cluster) -> None:
    """A pod always reaches itself, which would make ``deny`` between all pods impossible to expect."""

    assert {"a/web a/db", "a/db a/web"} == pairs(lab, "a/*", "a/*")
    assert {"a/db a/web"} == pairs(lab, "a/db", "a/*")


def test_a_pod_with_itself_is_asked_where_both_are_named(lab: Cluster) -> None:
    """Whoever writes it means it."""

    assert {"a/db a/db"} == pairs(lab, "a/db", "a/db")


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (Expectation("x/*", "a/db"), "matches no pair: 'x/*' matches nothing"),
        (Expectation("*", "a/db"), "matches no pair: '*' matches nothing, in namespace 'default'"),
        (Expectation("a/d?b", "a/web"), "matches no pair: 'a/d?b' matches nothing"),
        (Expectation("b/*", "b/*"), "matches no pair: nothing to ask from 'b/*' to 'b/*' on TCP"),
        (Expectation("a/web", "a/db", protocol="UDP"), "matches no pair: nothing to ask from 'a/web' to 'a/db' on UDP"),
        (Expectation("a/db", "a/web", 80, family=6), "matches no pair: nothing to ask"),
        (Expectation("a/dbb", "a/web"), "no pod or workload 'a/dbb'; did you mean a/db"),
        (Expectation("a/db", "host:middle"), "no host 'middle'"),
    ],
    ids=["namespace", "bare glob", "name", "only itself", "no such port", "no such family", "typo", "host"],
)
def test_an_expectation_about_nothing_is_an_error(lab: Cluster, expectation: Expectation, message: str) -> None:
    """An expectation that asks nothing would always be met."""
    with pytest.raises(UsageError) as error:
        flows_of(lab, expectation)

    assert str(error.value).startswith(message)


def test_an_address_is_asked_as_it_is_written() -> None:
    """In brackets or not, in its own family, and not another address of its owner."""
    of = cluster(
        topology(["n1"], hosts={"h": ["192.0.2.1", "192.0.2.2", "2001:db8::1"]}, cidrs=["10.244.0.0/16", "fd00::/56"]),
        pod("x/a"),
    )
    for name, address in [("192.0.2.2", "192.0.2.2"), ("[2001:db8::1]", "2001:db8::1"), ("[fd00::1]", "fd00::1")]:
        (flow,) = flows_of(of, Expectation("x/a", name, port=80))

        assert (address, flow.address.version) == (str(flow.address), flow.family)  # type: ignore[union-attr]


def test_an_address_that_no_machine_has_is_an_error(lab: Cluster) -> None:
    """As it is on the command line."""
    with pytest.raises(UsageError, match=r"127\.0\.0\.1 is a loopback address"):
        flows_of(lab, Expectation("a/db", "127.0.0.1", port=80))


@pytest.fixture(scope="module")
def shop() -> Cluster:
    """A Service with three ports, another one with one, and two pods; one of them names its port."""
    ports = (
        ServicePort(80, "http", name="http"),
        ServicePort(53, name="dns", protocol="UDP"),
        ServicePort(53, name="tcp"),
    )
    return cluster(
        topology(["n1"], cidrs=("10.244.0.0/16", "fd00:10:244::/56")),
        pod("a/web", "app=web"),
        pod("a/db", "app=db"),
        Service(meta("a/all"), {"app": "db"}, ports, ip_family_policy="PreferDualStack"),
        Service(meta("b/one"), {"app": "db"}, (ServicePort(1, name="http"),)),
    )


def test_a_service_is_asked_by_name(shop: Cluster) -> None:
    """On each of its ports, in each of its families."""
    flows = ["53/TCP", "53/UDP", "80/TCP"]

    assert sorted(f"a/web service:a/all {one}" for one in flows * 2) == sorted(asked(shop, "a/web", "service:a/all"))
    assert 1 == len(asked(shop, "a/web", "service:b/one"))


@pytest.mark.parametrize(
    ("more", "ports"),
    [({"port": 53}, {"53/TCP"}), ({"port": "dns"}, {"53/UDP"}), ({"port": 53, "protocol": "UDP"}, {"53/UDP"})],
)
def test_a_port_of_a_service_is_a_number_or_a_name(shop: Cluster, more: dict[str, Any], ports: set[str]) -> None:
    """A name means its protocol too; a number is TCP, unless the protocol is written."""
    named = isinstance(more["port"], str)
    found = asked(shop, "a/web", "service:a/all", family=4, any_protocol=named, **more)

    assert {f"a/web service:a/all {one}" for one in ports} == set(found)


def test_a_glob_matches_services_by_namespace_and_name(shop: Cluster) -> None:
    """But none that netlab added, as kube-dns."""
    found = asked(shop, "a/web", "service:*/*", port="http", family=4)

    assert ["a/web service:a/all 80/TCP", "a/web service:b/one 1/TCP"] == found


def test_a_service_of_the_system_is_asked_by_its_name(shop: Cluster) -> None:
    """It is not hidden, only in no glob."""

    assert "a/web service:kube-system/kube-dns 53/UDP" in asked(shop, "a/web", "service:kube-system/kube-dns")


def test_a_port_of_a_pod_may_be_a_name() -> None:
    """Each pod's own port of that name is asked; a pod without one is left out."""

    def named(ref: str, port: int) -> Pod:
        plain = pod(ref)
        return replace(plain, spec=replace(plain.spec, ports=(ContainerPort(port, "TCP", "http"),)))

    lab = cluster(named("a/x", 8080), named("a/y", 9090), pod("a/z"))

    assert ["a/z a/x 8080/TCP", "a/z a/y 9090/TCP"] == asked(lab, "a/z", "a/*", port="http")
