"""DNS records of a cluster, in the order of the Kubernetes DNS specification."""

from __future__ import annotations

import json

import dns_objects
import pytest

from netlab.cluster.types import address_of
from netlab.programs import dns_records, dns_snapshot
from netlab.programs.dns_records import Record, Zone

ZONE = "cluster.local"


def zone(written: str = "") -> Zone:
    """Return the zone as a server has it: through JSON."""
    return Zone(json.loads(json.dumps(dns_snapshot.of(dns_objects.cluster(written)))))


@pytest.fixture(scope="module")
def names() -> Zone:
    return zone()


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """The IPv4 addresses of pods, and of Services."""
    found = dns_objects.cluster()
    services = {one.meta.key: str(one.cluster_ips[0]) for one in found.services if one.cluster_ips}
    return services | {f"pod {pod.ref}": str(address_of(pod, 4)) for pod in found.pods}


def data(names: Zone, name: str, kind: str) -> list[str]:
    found = names.find(name, kind)
    assert "NOERROR" == found.code
    return [record.data for record in found.records]


def test_a_service_has_its_cluster_ip(names: Zone, addresses: dict[str, str]) -> None:
    """It needs no endpoint."""
    assert [addresses["shop/front"]] == data(names, f"front.shop.svc.{ZONE}", "A")
    assert ["10.96.77.77"] == data(names, f"plain.shop.svc.{ZONE}", "A")


def test_a_named_port_has_an_srv_record_with_the_services_port(names: Zone) -> None:
    """The answer also has the target's address. A port without a name has no SRV record."""
    found = names.find(f"_http._tcp.front.shop.svc.{ZONE}", "SRV")

    assert [f"80 front.shop.svc.{ZONE}"] == [record.data for record in found.records]
    assert [f"front.shop.svc.{ZONE}"] == [record.name for record in found.extra]
    assert [f"81 front.shop.svc.{ZONE}"] == data(names, f"_u._udp.front.shop.svc.{ZONE}", "SRV")
    assert "NXDOMAIN" == names.find(f"_http._udp.front.shop.svc.{ZONE}", "SRV").code
    assert "NXDOMAIN" == names.find(f"_tcp.plain.shop.svc.{ZONE}", "SRV").code
    assert [] == data(names, f"_tcp.front.shop.svc.{ZONE}", "SRV")


def test_a_cluster_ip_has_its_services_name(names: Zone) -> None:
    assert [f"plain.shop.svc.{ZONE}"] == data(names, "77.77.96.10.in-addr.arpa", "PTR")


def test_a_headless_service_has_the_addresses_of_its_endpoints(names: Zone, addresses: dict[str, str]) -> None:
    wanted = {addresses["pod shop/web-a"], addresses["pod shop/web-b"]}

    assert wanted == {*data(names, f"web.shop.svc.{ZONE}", "A")}


def test_an_endpoint_is_named_by_its_hostname_or_by_its_address(names: Zone, addresses: dict[str, str]) -> None:
    """A hostname counts if the pod's subdomain is the Service. The pod's own name is no record."""
    first, second = addresses["pod shop/web-a"], addresses["pod shop/web-b"]

    assert [first] == data(names, f"first.web.shop.svc.{ZONE}", "A")
    assert [second] == data(names, f"{second.replace('.', '-')}.web.shop.svc.{ZONE}", "A")
    assert "NXDOMAIN" == names.find(f"web-b.web.shop.svc.{ZONE}", "A").code
    assert "NXDOMAIN" == names.find(f"first.front.shop.svc.{ZONE}", "A").code


def test_srv_records_of_a_headless_service_have_the_endpoints_own_ports(names: Zone, addresses: dict[str, str]) -> None:
    second = addresses["pod shop/web-b"].replace(".", "-")
    wanted = {f"8080 first.web.shop.svc.{ZONE}", f"9090 {second}.web.shop.svc.{ZONE}"}

    assert wanted == {*data(names, f"_http._tcp.web.shop.svc.{ZONE}", "SRV")}


WRITTEN = """
{apiVersion: v1, kind: Service, metadata: {name: stated, namespace: shop}, spec: {clusterIP: None PORTS}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: a, namespace: shop, labels: {kubernetes.io/service-name: stated}},
 endpoints: [{addresses: [192.0.2.4]}], ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: b, namespace: shop, labels: {kubernetes.io/service-name: stated}},
 endpoints: [{addresses: [192.0.2.8]}], ports: [{name: https, port: 443}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: c, namespace: shop, labels: {kubernetes.io/service-name: stated}},
 endpoints: [{addresses: [192.0.2.9]}]}
"""


@pytest.mark.parametrize("ports", ["", ", ports: [{name: other, port: 9}]"], ids=["without-ports", "with-others"])
def test_srv_records_follow_the_ports_of_slices_that_a_user_wrote(ports: str) -> None:
    """A headless Service without a selector may have no ports, or other ones; each endpoint has an address."""
    names = zone(dns_objects.text(more=WRITTEN.replace(" PORTS", ports)))
    below = f"stated.shop.svc.{ZONE}"

    assert ["192.0.2.4", "192.0.2.8", "192.0.2.9"] == sorted(data(names, below, "A"))
    assert [f"80 192-0-2-4.{below}"] == data(names, f"_http._tcp.{below}", "SRV")
    assert [f"443 192-0-2-8.{below}"] == data(names, f"_https._tcp.{below}", "SRV")
    assert [f"53 192-0-2-4.{below}"] == data(names, f"_dns._udp.{below}", "SRV")
    assert "NXDOMAIN" == names.find(f"_other._tcp.{below}", "SRV").code


def test_srv_records_follow_the_ports_of_endpoints_that_a_user_wrote() -> None:
    """As those of the slice that would mirror them."""
    stated = """{apiVersion: v1, kind: Endpoints, metadata: {name: stated, namespace: shop},
      subsets: [{addresses: [{ip: 192.0.2.4}], ports: [{name: http, port: 80}]}]}"""
    service = WRITTEN.partition("---")[0].replace(" PORTS", "")
    names = zone(dns_objects.text(more=f"{service}\n---\n{stated}"))

    assert [f"80 192-0-2-4.stated.shop.svc.{ZONE}"] == data(names, f"_http._tcp.stated.shop.svc.{ZONE}", "SRV")


def test_an_endpoint_of_a_headless_service_has_a_reverse_name(names: Zone, addresses: dict[str, str]) -> None:
    reverse = ".".join(reversed(addresses["pod shop/web-a"].split(".")))

    assert [f"first.web.shop.svc.{ZONE}"] == data(names, f"{reverse}.in-addr.arpa", "PTR")


def test_a_headless_service_without_ready_endpoints_does_not_exist(names: Zone) -> None:
    """A namespace that has no other Service does not exist either."""
    assert "NXDOMAIN" == names.find(f"empty.lonely.svc.{ZONE}", "A").code
    assert "NXDOMAIN" == names.find(f"lonely.svc.{ZONE}", "A").code


def test_an_external_name_is_an_alias_whose_target_is_found(names: Zone, addresses: dict[str, str]) -> None:
    """The target may be in the cluster, or the name of an outside host."""
    alias, target = f"bar.shop.svc.{ZONE}", f"front.shop.svc.{ZONE}"
    wanted = (Record(alias, "CNAME", target), Record(target, "A", addresses["shop/front"]))

    assert wanted == names.find(alias, "A").records
    assert [target] == data(names, alias, "CNAME")
    assert ["api.example.com", "100.64.9.9"] == data(names, f"outside.shop.svc.{ZONE}", "A")


def test_an_alias_of_a_name_outside_of_the_lab_stands_alone(names: Zone) -> None:
    assert ["www.example.org"] == data(names, f"unknown.shop.svc.{ZONE}", "A")


def test_a_circle_of_aliases_ends(names: Zone) -> None:
    assert {f"loop.shop.svc.{ZONE}"} == {*data(names, f"loop.shop.svc.{ZONE}", "A")}


def test_an_external_name_that_looks_like_an_address_is_not_resolved(names: Zone) -> None:
    assert "NXDOMAIN" == names.find(f"number.shop.svc.{ZONE}", "A").code


@pytest.mark.parametrize(
    ("name", "kind", "address"),
    [("10-1-2-3", "A", "10.1.2.3"), ("fd00-10--5", "AAAA", "fd00:10::5"), ("--1", "AAAA", "::1")],
)
def test_a_pods_name_is_its_address(names: Zone, name: str, kind: str, address: str) -> None:
    """It is not checked, as with kubeadm's CoreDNS; the namespace must exist."""
    assert [address] == data(names, f"{name}.shop.pod.{ZONE}", kind)
    assert "NXDOMAIN" == names.find(f"{name}.nowhere.pod.{ZONE}", kind).code


@pytest.mark.parametrize("name", ["10-1-2", "10-1-2-300", "a-b-c-d", "x.10-1-2-3", "-"])
def test_what_is_no_address_is_no_pod(names: Zone, name: str) -> None:
    assert "NXDOMAIN" == names.find(f"{name}.shop.pod.{ZONE}", "A").code


@pytest.mark.parametrize("name", ["svc", "shop.svc", "pod", "shop.pod", "_tcp.front.shop.svc", "_tcp.web.shop.svc"])
def test_a_name_above_others_exists_without_data(names: Zone, name: str) -> None:
    """The negative answer has the zone's SOA."""
    found = names.find(f"{name}.{ZONE}", "A")

    assert ("NOERROR", (), ZONE) == (found.code, found.records, found.authority)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("front.shop.svc", "AAAA"),
        ("front.shop.svc", "MX"),
        ("first.web.shop.svc", "TXT"),
        ("10-1-2-3.shop.pod", "AAAA"),
    ],
)
def test_another_type_of_a_name_has_no_data(names: Zone, name: str, kind: str) -> None:
    """With NXDOMAIN, resolvers that ask for A and AAAA would give up."""
    assert [] == data(names, f"{name}.{ZONE}", kind)


@pytest.mark.parametrize(
    "name", ["x", "nope.shop.svc", "x.y.nope.svc", "a.plain.shop.svc", "front.shop", "xsvc", "x.dns-version"]
)
def test_other_names_of_the_zone_do_not_exist(names: Zone, name: str) -> None:
    found = names.find(f"{name}.{ZONE}", "A")

    assert ("NXDOMAIN", ZONE) == (found.code, found.authority)


def test_case_does_not_matter_and_stays_as_asked(names: Zone) -> None:
    (record,) = names.find("Plain.SHOP.svc.Cluster.Local", "A").records

    assert Record("Plain.SHOP.svc.Cluster.Local", "A", "10.96.77.77") == record


def test_the_version_of_the_schema(names: Zone) -> None:
    assert ["1.1.0"] == data(names, f"dns-version.{ZONE}", "TXT")


def test_names_outside_are_refused_unless_a_host_has_them(names: Zone) -> None:
    assert ["100.64.9.9"] == data(names, "api.EXAMPLE.com", "A")
    assert [] == data(names, "api.example.com", "AAAA")
    assert ["api.example.com"] == data(names, "9.9.64.100.in-addr.arpa", "PTR")
    for name in ("example.com", "www.api.example.com", "localcluster.local", "com", ""):
        assert dns_records.REFUSED == names.find(name, "A")


def test_an_address_without_a_name_does_not_exist(names: Zone) -> None:
    """The lab knows all its addresses, so a reverse look-up gets NXDOMAIN and no time-out."""
    assert "NXDOMAIN" == names.find("1.1.1.1.in-addr.arpa", "PTR").code
    assert "REFUSED" == names.find("xin-addr.arpa", "PTR").code


def test_any_gives_all_records_of_a_name() -> None:
    found = zone(dns_objects.text(dual=True)).find(f"web.shop.svc.{ZONE}", "ANY")

    assert ["A", "A", "AAAA", "AAAA"] == sorted(record.type for record in found.records)


def test_a_dual_stack_lab_has_addresses_of_both_families() -> None:
    """The DNS Service has both, and an endpoint's name by its IPv6 address has dashes."""
    of = zone(dns_objects.text(dual=True))
    found = dns_objects.cluster(dns_objects.text(dual=True))
    pod = found.by_ref["shop/web-b"]
    six = next(str(address) for address in pod.addresses if address.version == 6)

    assert ["fd00:10:96::a"] == data(of, f"kube-dns.kube-system.svc.{ZONE}", "AAAA")
    assert [six] == data(of, f"{dns_records.dashed(six)}.web.shop.svc.{ZONE}", "AAAA")


def test_another_zone_is_the_one_of_the_topology() -> None:
    of = zone(dns_objects.text().replace("  hosts:", "  clusterDomain: k8s.test\n  hosts:"))

    assert ["10.96.77.77"] == data(of, "plain.shop.svc.k8s.test", "A")
    assert "REFUSED" == of.find(f"plain.shop.svc.{ZONE}", "A").code


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        Zone({"version": 0})
