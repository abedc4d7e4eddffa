"""Endpoints by the names that users write."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology, workload

from netlab.cluster import Cluster
from netlab.cluster.find import find, find_destination, find_ports, find_service
from netlab.cluster.unowned import why_unowned
from netlab.errors import UsageError
from netlab.objects.services import Service, ServicePort
from netlab.objects.types import Meta


@pytest.fixture(scope="module")
def lab() -> Cluster:
    """A deployment, bare pods in two namespaces, one that has finished, two nodes and a host."""
    return cluster(
        topology(["node-a", "node-b"], hosts={"internet": ["192.0.2.10"]}),
        workload("Deployment", "shop/web", 2),
        pod("shop/db", node="node-a"),
        pod("default/tool", node="node-b"),
        pod("other/agent", host=True, node="node-a"),
        pod("shop/migration", phase="Succeeded"),
    )


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("shop/db", "shop/db"),
        ("tool", "default/tool"),
        ("shop/web", "shop/web-0"),
        ("shop/web-1", "shop/web-1"),
        ("node:node-b", "node:node-b"),
        ("host:internet", "host:internet"),
    ],
)
def test_names(lab: Cluster, name: str, ref: str) -> None:
    """Pods with and without namespace, workloads (their first pod), nodes and hosts."""

    assert ref == find(lab, name).ref


def test_the_namespace_counts_for_bare_names_only(lab: Cluster) -> None:
    """``-n`` is the namespace of names without one."""

    assert "shop/db" == find(lab, "db", "shop").ref
    assert "default/tool" == find(lab, "default/tool", "shop").ref


def test_a_pod_goes_before_a_workload_of_its_name() -> None:
    """The pod is found, not the workload."""
    lab = cluster(pod("x/web"), workload("Job", "x/web", 1))

    assert "x/web" == find(lab, "x/web").ref


@pytest.mark.parametrize(
    ("address", "ref"), [("192.0.2.10", "host:internet"), ("10.244.0.2", "default/tool"), ("100.64.0.1", "node:node-a")]
)
def test_an_address_stands_for_the_machine_that_has_it(lab: Cluster, address: str, ref: str) -> None:
    """A node's address stands for the node, not for its host-network pods."""
    found = find_destination(lab, address)

    assert ref == getattr(found, "ref", found)


def test_an_address_that_no_machine_has_stays_an_address(lab: Cluster) -> None:
    """Policies have a verdict about it too."""

    assert ip_address("203.0.113.1") == find_destination(lab, "203.0.113.1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop/bd", "no pod or workload 'shop/bd'; did you mean shop/db"),
        ("db", "no pod or workload 'default/db'; did you mean shop/db?"),
        ("node:node-c", "no node 'node-c'; did you mean node:node-"),
        ("host:intranet", "no host 'intranet'; did you mean host:internet"),
        ("host:zzz", "no host 'zzz' (known: host:internet)"),
        ("zzz/zzz", "no pod or workload 'zzz/zzz' (known: default/tool, "),
        ("shop/migration", "pod shop/migration has finished: it has no address and is not in the lab"),
    ],
    ids=["typo", "other namespace", "node", "host", "another host", "nothing near", "finished"],
)
def test_an_unknown_name_is_an_error_with_a_hint(lab: Cluster, name: str, message: str) -> None:
    """The error has similar names, or else all names."""
    with pytest.raises(UsageError) as error:
        find_destination(lab, name)

    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("224.0.0.251", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "the unspecified address"),  # noqa: S104
        ("::", "the unspecified address"),
        ("255.255.255.255", "the broadcast address"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1", "a link-local address"),
    ],
)
def test_an_address_that_no_other_machine_can_have_is_an_error(lab: Cluster, address: str, kind: str) -> None:
    """A packet to it would show nothing about another machine."""
    with pytest.raises(UsageError) as error:
        find_destination(lab, address)

    assert f"{address} is {kind}: it names no other machine" == str(error.value)


def test_a_link_local_address_that_a_host_has_is_that_host() -> None:
    """Such as the metadata service of a cloud, which policies often block."""
    lab = cluster(topology(["n"], hosts={"metadata": ["169.254.169.254"]}), pod("x/a"))

    assert "host:metadata" == getattr(find_destination(lab, "169.254.169.254"), "ref", "")


def test_a_gateway_is_the_node_of_the_source() -> None:
    """The address is the same on every bridge. For a source on another network it is no machine's."""
    lab = cluster(
        topology(["a", "b"], hosts={"h": ["192.0.2.1"]}),
        pod("x/a", node="a"),
        pod("x/b", node="b"),
        pod("x/host", node="b", host=True),
        pod("x/none", node="a", network="none"),
    )
    gateway = ip_address("10.244.0.1")
    found = {ref: find_destination(lab, "10.244.0.1", source=end) for ref, end in lab.by_ref.items()}

    assert {
        "x/a": "node:a",
        "x/b": "node:b",
        "x/host": "node:b",
        "x/none": gateway,
        "node:a": "node:a",
        "node:b": "node:b",
        "host:h": gateway,
    } == {ref: getattr(one, "ref", one) for ref, one in found.items()}


def test_an_address_of_the_service_range_that_no_service_has() -> None:
    """The message says so."""
    lab = cluster(pod("x/a"))

    assert "10.96.0.77 is in the service range, and no Service has it" == why_unowned(lab, ip_address("10.96.0.77"))


SERVICE = Service(
    Meta("db", "x"),
    {"app": "db"},
    (ServicePort(5432, name="sql"), ServicePort(53, name="dns", protocol="UDP"), ServicePort(53, protocol="SCTP")),
    (ip_address("10.96.0.20"),),
)


def test_a_service_is_found_by_name_and_its_port_by_number_or_name() -> None:
    """A port that several protocols have stands for all of them, unless one is written."""
    lab = cluster(pod("x/a"), SERVICE)
    found = find_service(lab, "service:db", "x")

    assert "x/db" == found.meta.key
    assert [5432] == [port.port for port in find_ports(found, "5432")]
    assert [5432] == [port.port for port in find_ports(found, "sql")]
    assert ["UDP", "SCTP"] == [port.protocol for port in find_ports(found, "53")]
    assert ["SCTP"] == [port.protocol for port in find_ports(found, "53", "SCTP")]
    assert 3 == len(find_ports(found, None))


def test_an_unknown_service_or_port_has_a_message_with_what_there_is() -> None:
    lab = cluster(pod("x/a"), SERVICE)

    with pytest.raises(UsageError, match=r"no Service 'default/db'; did you mean service:x/db\?"):
        find_service(lab, "service:db")
    with pytest.raises(UsageError, match=r"Service x/db has no port 80; it has sql 5432/TCP, dns 53/UDP, 53/SCTP"):
        find_ports(find_service(lab, "x/db"), "80")
    with pytest.raises(UsageError, match="Service x/db has no port sql/UDP"):
        find_ports(find_service(lab, "x/db"), "sql", "UDP")


@pytest.mark.parametrize(
    "name", ["shop/front", "svc/front", "service/front", "front.shop", "front.shop.svc", "front.shop.svc.cluster.local"]
)
def test_a_destination_that_is_the_name_of_a_service_has_a_hint(name: str) -> None:
    """As kubectl or DNS has it; a source or a pod to run in is no Service."""
    of = cluster(pod("shop/web"), Service(Meta("front", "shop"), {}, (ServicePort(80),)))

    with pytest.raises(UsageError, match=r"did you mean service:shop/front\?$"):
        find_destination(of, name)
    with pytest.raises(UsageError) as error:
        find(of, name)
    assert "service:" not in str(error.value)


def test_without_hosts_the_message_says_where_they_are_written() -> None:
    with pytest.raises(
        UsageError, match=r"no host 'client'; the input has no hosts: add it to spec\.hosts of a Topology"
    ):
        find(cluster(pod("shop/web")), "host:client")


def test_a_service_is_no_source() -> None:
    """And no program runs in it."""
    with pytest.raises(UsageError, match="a Service is a destination only"):
        find(cluster(pod("shop/web")), "service:shop/db")


def test_a_service_with_a_port_is_no_name() -> None:
    """In a scenario, ``port`` has the port."""
    with pytest.raises(UsageError, match="an expectation has it in the field port"):
        find_service(cluster(pod("shop/web")), "service:shop/db:5432")


def test_a_workload_whose_pods_have_all_finished() -> None:
    """The message says so, and does not say that the name is unknown."""
    job = workload("Job", "x/migrate", 1)
    over = pod("x/migrate-abc", phase="Succeeded")
    lab = cluster(pod("x/a"), job, replace(over, meta=replace(over.meta, owner="Job migrate")))
    with pytest.raises(UsageError, match="all pods of x/migrate have finished: they have no address"):
        find_destination(lab, "x/migrate")


@pytest.mark.parametrize("text", ["2001:db8::1%eth0", "[2001:db8::1%}\nflush ruleset]", "fe80::1%\x1b[2J"])
def test_an_address_with_a_zone_is_no_address_of_the_lab(lab: Cluster, text: str) -> None:
    """A zone may be any text. It names an interface of one machine."""
    with pytest.raises(UsageError, match="no pod or workload"):
        find_destination(lab, text)
