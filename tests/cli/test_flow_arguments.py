"""Endpoints and ports, as users type them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology

from netlab.cli.flow_arguments import (
    ProtocolPort,
    ServiceTarget,
    Target,
    every_pair,
    one_pair,
    parse_destination,
    parse_port,
    parse_target,
)
from netlab.cluster import Cluster
from netlab.errors import UsageError
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Meta


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("shop/db:5432", Target("shop/db", ("TCP", 5432))),
        ("shop/db:53/UDP", Target("shop/db", ("UDP", 53))),
        ("shop/db:53/udp", Target("shop/db", ("UDP", 53))),
        ("shop/db", Target("shop/db")),
        ("db", Target("db")),
        ("db:80", Target("db", ("TCP", 80))),
        ("shop/db/ICMP", Target("shop/db", ("ICMP", None))),
        ("shop/db:/ICMP", Target("shop/db", ("ICMP", None))),
        ("shop/db:ICMP", Target("shop/db", ("ICMP", None))),
        ("shop/icmp", Target("shop/icmp")),
        ("node:a", Target("node:a")),
        ("node:a:80", Target("node:a", ("TCP", 80))),
        ("node:a/ICMP", Target("node:a", ("ICMP", None))),
        ("host:internet:443/TCP", Target("host:internet", ("TCP", 443))),
        ("192.0.2.1", Target("192.0.2.1")),
        ("192.0.2.1:53/UDP", Target("192.0.2.1", ("UDP", 53))),
        ("192.0.2.1/ICMP", Target("192.0.2.1", ("ICMP", None))),
        ("fd00::1", Target("fd00::1")),
        ("[fd00::1]", Target("fd00::1")),
        ("[fd00::1]:80", Target("fd00::1", ("TCP", 80))),
        ("[fd00::1]:53/UDP", Target("fd00::1", ("UDP", 53))),
        ("[fd00::1]/ICMP", Target("fd00::1", ("ICMP", None))),
    ],
)
def test_targets(text: str, target: Target) -> None:
    """A pod, a node, a host or an address; with a port, a protocol, both or neither."""

    assert target == parse_target(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("service:shop/db:5432", ServiceTarget("service:shop/db", "5432")),
        ("service:shop/db:53/udp", ServiceTarget("service:shop/db", "53", "UDP")),
        ("service:shop/db:sql", ServiceTarget("service:shop/db", "sql")),
        ("service:db:dns/TCP", ServiceTarget("service:db", "dns", "TCP")),
        ("service:shop/db", ServiceTarget("service:shop/db")),
        ("service:shop/db/ICMP", ServiceTarget("service:shop/db", None, "ICMP")),
        ("service:shop/db:ICMP", ServiceTarget("service:shop/db", None, "ICMP")),
        ("shop/db:80", Target("shop/db", ("TCP", 80))),
    ],
)
def test_services(text: str, target: Target | ServiceTarget) -> None:
    """A port of a Service has a number or a name, and a protocol if several have it."""

    assert target == parse_destination(text)


@pytest.mark.parametrize(
    "text", ["service:", "service:a/b/c/d", "service:shop/db:", "service:shop/db:80/FOO", "service:x:8:9"]
)
def test_invalid_services(text: str) -> None:
    with pytest.raises(UsageError, match="service:"):
        parse_destination(text)


def test_a_service_is_asked_in_its_own_families_on_its_ports() -> None:
    """The flow has the Service, its cluster IP and the number of the port."""
    ports = (ServicePort(80, name="http"), ServicePort(53, name="dns", protocol="UDP"))
    of = Service(Meta("db", "x"), {"app": "db"}, ports, (ip_address("10.96.0.20"),))
    lab = cluster(topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"]), pod("x/a"), of)
    found = one_pair(lab, "a", "service:db", "x")

    assert [("service:x/db", 4, "TCP", 80), ("service:x/db", 4, "UDP", 53)] == [
        (f.target, f.family, f.protocol, f.port) for f in found
    ]
    assert {ip_address("10.96.0.20")} == {f.address for f in found}
    assert [80] == [f.port for f in one_pair(lab, "a", "service:x/db:http", "x")]
    assert [53] == [f.port for f in one_pair(lab, "a", "service:db", "x", ["53/UDP"])]
    assert [(None, 6)] == [(f.address, f.family) for f in one_pair(lab, "a", "service:db:80", "x", family="6")]
    with pytest.raises(UsageError, match="has no port 81; it has http 80/TCP, dns 53/UDP"):
        one_pair(lab, "a", "service:db:81", "x")


@pytest.mark.parametrize(
    "text", ["shop/db:", "shop/db:0", "shop/db:65536", "shop/db:-1", "shop/db:8\u0660", "[fd00::1]80"]
)
def test_invalid_targets(text: str) -> None:
    """An invalid port is an error, and not a part of the name."""
    with pytest.raises(UsageError, match="port"):
        parse_target(text)


@pytest.mark.parametrize("text", ["http://shop.example/", "HTTPS://web:8443/x"])
def test_a_url_is_no_destination(text: str) -> None:
    """The message says which commands take one."""
    with pytest.raises(UsageError, match=r"`netlab explain URL --from SRC`.*`netlab exec SRC -- curl URL`"):
        parse_destination(text)


@pytest.mark.parametrize(
    ("text", "port"),
    [("80", ("TCP", 80)), ("53/UDP", ("UDP", 53)), ("ICMP", ("ICMP", None)), ("icmp", ("ICMP", None))],
)
def test_ports_with_protocols(text: str, port: ProtocolPort) -> None:
    """The default protocol is TCP."""

    assert port == parse_port(text)


def test_icmp_has_no_ports() -> None:
    """ICMP with a port is an error."""
    with pytest.raises(UsageError, match="ICMP has no ports"):
        parse_port("80/ICMP")


@pytest.fixture(scope="module")
def lab() -> Cluster:
    return cluster(
        topology(["n1"], mode="routed", cidrs=["10.244.0.0/16", "fd00:10:244::/56"], hosts={"h": ["192.0.2.1"]}),
        pod("x/a"),
        pod("x/b", ports=["80", "53/UDP"]),
    )


def test_a_pair_is_asked_in_every_family_on_every_declared_port(lab: Cluster) -> None:
    """The target or an option narrows them."""
    flows = one_pair(lab, "a", "b", "x")

    assert [(4, "TCP", 80), (4, "UDP", 53), (6, "TCP", 80), (6, "UDP", 53)] == [
        (f.family, f.protocol, f.port) for f in flows
    ]
    assert [(6, 443)] == [(f.family, f.port) for f in one_pair(lab, "a", "b:443", "x", family="6")]
    assert [(4, None), (6, None)] == [(f.family, f.port) for f in one_pair(lab, "a", "b", "x", ["ICMP"])]


def test_an_address_is_asked_in_its_own_family(lab: Cluster) -> None:
    """Also an address that no endpoint has."""
    (known,) = one_pair(lab, "x/a", "192.0.2.1:80", "default")
    (unknown,) = one_pair(lab, "x/a", "[2001:db8::9]:80", "default")

    assert ("host:h", 4) == (known.target, known.family)
    assert (None, "2001:db8::9", 6) == (unknown.destination, unknown.target, unknown.family)
    assert ip_address("2001:db8::9") == unknown.address


def test_a_port_is_named_once(lab: Cluster) -> None:
    """A port in the target and ``--port`` together are an error."""
    with pytest.raises(UsageError, match="names a port, and so does --port"):
        one_pair(lab, "x/a", "x/b:80", "x", ["443"])


@pytest.mark.parametrize(
    ("target", "family"), [("[fd00:10:244::2]:80", "4"), ("10.244.0.2:80", "6"), ("2001:db8::9", "4")]
)
def test_an_address_is_of_one_family(target: str, family: str) -> None:
    """Another ``--family`` is an error; the address is not left out."""
    lab = cluster(topology(cidrs=("10.244.0.0/16", "fd00:10:244::/56")), pod("x/a"), pod("x/b"))
    with pytest.raises(UsageError, match="address, but --family is"):
        one_pair(lab, "x/a", target, "x", family=family)


@pytest.mark.parametrize("self_pairs", [False, True])
@pytest.mark.parametrize("nodes", [False, True])
@pytest.mark.parametrize("family", [None, "4", "6"])
@pytest.mark.parametrize("ports", [(), ("80", "53/UDP", "ICMP")])
def test_pairs_are_counted_without_being_made(
    ports: tuple[str, ...], family: str | None, nodes: bool, self_pairs: bool
) -> None:
    """The count is exact, in a lab with endpoints of one family, of both and of none."""
    lab = cluster(
        topology(
            ["n1", "n2"],
            cidrs=("10.244.0.0/16", "fd00:10:244::/56"),
            hosts={"four": ["192.0.2.10"], "six": ["2001:db8::10"], "both": ["192.0.2.11", "2001:db8::11"]},
        ),
        pod("x/a", ports=["80", "53/UDP"]),
        pod("x/b"),
        pod("x/onhost", host=True),
        pod("x/alone", network="none"),
    )
    pairs = every_pair(lab, ports, family, nodes, self_pairs)

    assert len(list(pairs)) == len(pairs)


def test_an_address_with_a_zone_is_invalid(lab: Cluster) -> None:
    """It would be text in a rule."""
    with pytest.raises(UsageError):
        one_pair(lab, "shop/web", "2001:db8::1%}\n flush ruleset", "default")
