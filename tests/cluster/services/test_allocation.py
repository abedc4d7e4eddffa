"""What the API server allocates: cluster addresses, node ports, load-balancer addresses; and its messages."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from builders import cluster, meta, objects, peer, pod, policy, rule, source, topology

from netlab.cluster import Cluster, resolve, resolve_input, try_resolve
from netlab.cluster.services.pool import Pool, Taken
from netlab.objects.input import Input
from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.topology import Topology

DUAL = topology(cidrs=["10.244.0.0/16", "fd00:10:244::/56"])
DEFAULTS = frozenset({"underlayCIDRs", "serviceCIDRs", "loadBalancerCIDRs"})


def service(name: str = "web", *ports: ServicePort, ip: str = "", **fields: Any) -> Service:
    """Return Service x/NAME; ``ip`` has its written addresses, or is ``None``."""
    addresses = () if ip in ("", "None") else tuple(map(ip_address, ip.split(",")))
    return Service(
        meta(f"x/{name}"),
        {"app": "web"},
        ports or (ServicePort(80),),
        addresses,
        headless=ip == "None",
        source=source(1, "s.yaml", spec__clusterIP=3),
        **fields,
    )


def of(found: Cluster, name: str = "web") -> Service:
    """Return a Service of the cluster by its name in namespace x."""
    return next(one for one in found.services if one.meta.key == f"x/{name}")


def stored(*things: Any) -> Service:
    return of(cluster(pod("x/a"), *things))


def refused(*things: Any, before: Cluster | None = None) -> list[str]:
    """Return the problems as ``PATH: MESSAGE``; ``before`` is the running lab."""
    keep = {one.meta.key: one for one in before.services} if before else {}
    _, problems = try_resolve(objects(pod("x/a"), *things), services=keep)
    return [f"{problem.path}: {problem.message}" for problem in problems]


def after(before: Cluster, *things: Any) -> Cluster:
    """Return the cluster of changed objects in a running lab."""
    keep = {one.meta.key: one for one in before.services}
    return resolve(objects(pod("x/a"), *things), {}, keep)


NODE_PORT = {"type": "NodePort"}


def test_dynamic_addresses_are_in_the_upper_band() -> None:
    """The first 256 addresses of a /16 are for Services that write theirs."""
    found = cluster(pod("x/a"), *(service(f"s{i}") for i in range(300)))

    own = [int(of(found, f"s{i}").cluster_ips[0]) - int(ip_address("10.96.0.0")) for i in range(300)]
    assert 300 == len({*own})
    assert min(own) > 256


def test_one_more_service_moves_no_other() -> None:
    """Addresses and node ports follow from the Service's own name."""
    many = [service(f"s{i}", **NODE_PORT) for i in range(50)]
    without, having = cluster(pod("x/a"), *many), cluster(pod("x/a"), service("a-new", **NODE_PORT), *many)

    assert [of(without, f"s{i}") for i in range(50)] == [of(having, f"s{i}") for i in range(50)]


def test_written_addresses_and_ports_are_kept() -> None:
    """A written address may be in the lower band too."""
    found = stored(service("web", ServicePort(80, node_port=30001), ip="10.96.0.20", **NODE_PORT))

    assert ("10.96.0.20", 30001) == (found.cluster_ip, found.ports[0].node_port)


@pytest.mark.parametrize(
    ("fields", "families"),
    [
        ({}, (4,)),
        ({"ip_families": (6,)}, (6,)),
        ({"ip_families": (6, 4), "ip_family_policy": "RequireDualStack"}, (6, 4)),
        ({"ip_family_policy": "PreferDualStack"}, (4, 6)),
        ({"ip_families": (6,), "ip_family_policy": "PreferDualStack"}, (6, 4)),
        ({"ip": "fd00:10:96::99"}, (6,)),
        ({"ip": "None"}, (4,)),
    ],
)
def test_families_in_a_dual_stack_cluster(fields: dict[str, Any], families: tuple[int, ...]) -> None:
    """From ``ipFamilies``, the policy, the written addresses, and the order of the podCIDRs."""
    found = stored(DUAL, service(**fields))

    assert families == found.ip_families
    assert found.headless or families == tuple(address.version for address in found.cluster_ips)


def test_a_headless_service_without_a_selector_has_both_families() -> None:
    """This holds in a single-stack cluster too."""
    found = stored(replace(service(ip="None"), selector={}))

    assert ((4, 6), "RequireDualStack", ()) == (found.ip_families, found.ip_family_policy, found.cluster_ips)


def test_prefer_dual_stack_is_single_in_a_single_stack_cluster() -> None:
    """The Service has the one family of the cluster."""
    assert (4,) == stored(service(ip_family_policy="PreferDualStack")).ip_families


@pytest.mark.parametrize(
    ("things", "message"),
    [
        (
            [service(ip="10.99.0.5")],
            'spec.clusterIPs: Invalid value: ["10.99.0.5"]: failed to allocate IP 10.99.0.5: the provided IP'
            " (10.99.0.5) is not in the valid range. The range of valid IPs is 10.96.0.0/16",
        ),
        (
            [service("a", ip="10.96.0.5"), service("b", ip="10.96.0.5")],
            'spec.clusterIPs: Invalid value: ["10.96.0.5"]: failed to allocate IP 10.96.0.5: provided IP is already'
            " allocated (by Service x/a)",
        ),
        (
            [service(ip="10.96.0.1")],
            'spec.clusterIPs: Invalid value: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already'
            " allocated (by Service default/kubernetes)",
        ),
        (
            [service(ip="fd00:10:96::5")],
            'spec.clusterIPs[0]: Invalid value: ["fd00:10:96::5"]: IPv6 is not configured on this cluster',
        ),
        ([service(ip_families=(6,))], 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        (
            [service(ip_family_policy="RequireDualStack")],
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack'
            " services",
        ),
        (
            [service("web", ServicePort(80, node_port=80), **NODE_PORT)],
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid"
            " ports is 30000-32767",
        ),
        (
            [
                service("a", ServicePort(80, node_port=30080), **NODE_PORT),
                service("b", ServicePort(80, protocol="UDP", node_port=30080), **NODE_PORT),
            ],
            "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated (by Service x/a)",
        ),
    ],
)
def test_the_api_servers_messages(things: list[Any], message: str) -> None:
    """An address outside of a written range, or one that is taken, is an error."""
    assert [message] == refused(topology(), *things)


def test_a_problem_has_the_line_of_the_field() -> None:
    """A Service that writes ``clusterIP`` has its address there."""
    _, (problem,) = try_resolve(objects(topology(), pod("x/a"), service(ip="10.99.0.5")))

    assert ("s.yaml", 3, "Service x/web") == (problem.file, problem.line, problem.object)


def test_a_full_range_is_an_error() -> None:
    """The message says how many Services have no address."""
    small = replace(topology(), service_cidrs=(ip_network("10.96.0.0/28"),))
    found = refused(small, *(service(f"s{i}") for i in range(20)))

    assert ["spec.serviceCIDRs: range is full: 10.96.0.0/28 has nothing left for 8 more"] == found


def test_full_node_ports_are_an_error() -> None:
    """The message says how many ports have no node port."""
    few = replace(topology(), node_ports=(30000, 30003))
    found = refused(few, *(service(f"s{i}", **NODE_PORT) for i in range(6)))

    assert ["spec.nodePortRange: range is full: 30000-30003 has nothing left for 2 more"] == found


def test_one_port_has_one_node_port_for_all_protocols() -> None:
    """TCP and UDP of port 80 share it; port 81 has its own."""
    ports = (ServicePort(80, name="t"), ServicePort(80, name="u", protocol="UDP"), ServicePort(81, name="o"))
    found = stored(service("web", *ports, **NODE_PORT)).ports

    assert found[0].node_port == found[1].node_port != found[2].node_port
    assert all(30086 <= port.node_port <= 32767 for port in found)


def test_a_load_balancer_may_have_no_node_ports() -> None:
    """``allocateLoadBalancerNodePorts: false``; written ones stay."""
    ports = (ServicePort(80, name="a"), ServicePort(81, name="b", node_port=30081))
    found = stored(service("web", *ports, type="LoadBalancer", allocate_node_ports=False))

    assert [0, 30081] == [port.node_port for port in found.ports]


def test_a_load_balancer_has_the_addresses_of_its_status() -> None:
    """Else one of ``loadBalancerCIDRs`` for each of its families, of whatever class it is."""
    status = (LoadBalancerIngress(ip_address("203.0.113.1")),)
    own = stored(service(type="LoadBalancer", load_balancer=status, load_balancer_class="example.com/internal-vip"))
    given = stored(DUAL, service(type="LoadBalancer", ip_family_policy="PreferDualStack", load_balancer_class="a/b"))

    assert status == own.load_balancer
    assert [True, True] == [
        one.address in cidr for one, cidr in zip(given.load_balancer, DUAL.load_balancer_cidrs, strict=True)
    ]


def test_a_health_check_port_is_for_load_balancers_with_policy_local() -> None:
    """The health check's port is from the range of node ports."""
    fields = {"type": "LoadBalancer", "external_traffic_policy": "Local"}

    assert 30086 <= stored(service(**fields)).health_check_node_port <= 32767
    assert 30001 == stored(service(health_check_node_port=30001, **fields)).health_check_node_port
    assert 0 == stored(service(type="LoadBalancer")).health_check_node_port


# --- a running lab


def test_a_running_lab_keeps_addresses_and_ports() -> None:
    """An address that the lab has wins over the one that follows from the name."""
    ports = (ServicePort(80, name="http", node_port=30500),)
    before = cluster(pod("x/a"), service("web", *ports, ip="10.96.7.7", type="LoadBalancer"))
    changed = after(before, service("web", ServicePort(81, name="http"), type="LoadBalancer"))

    assert ("10.96.7.7", 30500) == (of(changed).cluster_ip, of(changed).ports[0].node_port)
    assert of(before).load_balancer == of(changed).load_balancer


def test_types_change_as_on_a_cluster() -> None:
    """A Service that becomes ExternalName loses its addresses. One that becomes ClusterIP loses its node ports."""
    before = cluster(pod("x/a"), service(**NODE_PORT))
    external = after(before, service(type="ExternalName", external_name="foo.example.com"))
    plain = after(before, service())

    assert ((), 0, ()) == (of(external).cluster_ips, of(external).ports[0].node_port, of(external).ip_families)
    assert (of(before).cluster_ips, 0) == (of(plain).cluster_ips, of(plain).ports[0].node_port)
    assert of(after(external, service(**NODE_PORT))).cluster_ips


def test_a_protocol_that_is_added_shares_the_node_port() -> None:
    """The added port gets the node port of the port with the same number."""
    before = cluster(pod("x/a"), service("web", ServicePort(80, name="t"), **NODE_PORT))
    both = (ServicePort(80, name="t"), ServicePort(80, name="u", protocol="UDP"))
    found = of(after(before, service("web", *both, **NODE_PORT))).ports

    assert [of(before).ports[0].node_port] * 2 == [port.node_port for port in found]


def test_changes_that_the_api_server_refuses() -> None:
    """The primary address, headless or not, and the primary family may not change."""
    before = cluster(DUAL, pod("x/a"), service("web", ip="10.96.7.7"))
    once = "may not change once set"

    assert [f'spec.clusterIPs[0]: Invalid value: ["10.96.7.8"]: {once}'] == refused(
        DUAL, service("web", ip="10.96.7.8"), before=before
    )
    assert [f'spec.clusterIPs[0]: Invalid value: ["None"]: {once}'] == refused(
        DUAL, service("web", ip="None"), before=before
    )
    assert [f'spec.ipFamilies[0]: Invalid value: "IPv6": {once}'] == refused(
        DUAL, service("web", ip_families=(6,)), before=before
    )


def test_a_headless_service_stays_headless() -> None:
    """This holds if the new object writes no ``clusterIP``."""
    before = cluster(pod("x/a"), service(ip="None"))

    assert of(after(before, service())).headless


def test_a_second_family_comes_and_goes() -> None:
    """The primary address stays."""
    before = cluster(DUAL, pod("x/a"), service())
    both = after(before, DUAL, service(ip_family_policy="PreferDualStack"))
    one = after(both, DUAL, service(ip_family_policy="SingleStack"))

    assert of(before).cluster_ips == of(both).cluster_ips[:1] == of(one).cluster_ips
    assert (4, 6) == of(both).ip_families
    assert [
        "spec.ipFamilyPolicy: Invalid value: \"PreferDualStack\": must be set to 'SingleStack' when releasing the"
        " secondary ipFamily"
    ] == refused(DUAL, service(ip_families=(4,)), before=both)


def test_a_new_service_cannot_take_what_another_has() -> None:
    """This holds for allocated values too."""
    before = cluster(pod("x/a"), service(**NODE_PORT))
    number = of(before).ports[0].node_port
    new = service("new", ServicePort(80, node_port=number), **NODE_PORT)

    why = f"Invalid value: {number}: provided port is already allocated (by Service x/web)"
    assert [f"spec.ports[0].nodePort: {why}"] == refused(service(**NODE_PORT), new, before=before)


# --- ranges


def unwritten(**fields: Any) -> Topology:
    return replace(topology(), unwritten=DEFAULTS, **fields)


@pytest.mark.parametrize(
    ("written", "cidr"),
    [
        (["10.96.0.20"], "10.96.0.0/16"),
        (["10.96.0.20", "10.103.4.5"], "10.96.0.0/13"),
        (["10.43.0.9", "10.43.200.7"], "10.43.0.0/16"),
        (["34.118.224.7", "34.118.224.10"], "34.118.0.0/16"),
    ],
)
def test_the_default_range_follows_written_addresses(written: list[str], cidr: str) -> None:
    """Services keep the addresses that they write."""
    found = cluster(unwritten(), pod("x/a"), *(service(f"s{i}", ip=ip) for i, ip in enumerate(written)))

    assert (ip_network(cidr),) == found.service_cidrs
    assert written == [of(found, f"s{i}").cluster_ip for i in range(len(written))]


def test_default_ranges_avoid_what_is_written() -> None:
    """podCIDRs, addresses of hosts, and ranges of load balancers are avoided."""
    wired = topology(cidrs=["10.96.0.0/16"], hosts={"h": ["198.18.0.7"]})
    found = cluster(replace(wired, unwritten=DEFAULTS), pod("x/a"), service())

    assert (ip_network("10.97.0.0/16"),) == found.service_cidrs
    assert (ip_network("198.19.255.0/24"),) == found.load_balancer_cidrs


def test_default_pod_ranges_avoid_written_service_ranges() -> None:
    """They avoid addresses that Services write too."""
    written = Topology(service_cidrs=(ip_network("10.244.0.0/16"),), unwritten=frozenset({"underlayCIDRs"}))

    assert ip_network("10.245.0.0/16") == cluster(written, pod("x/a"), service()).networks[0].pod_cidrs[0]
    assert ip_network("10.245.0.0/16") == cluster(pod("x/a"), service(ip="10.244.0.9")).networks[0].pod_cidrs[0]


def test_an_address_that_no_default_range_can_hold_moves() -> None:
    """A warning has the address and the ipBlocks with the old address."""
    wired = replace(topology(cidrs=["10.40.0.0/13"]), unwritten=DEFAULTS)
    block = policy("x/p", egress=[rule(peer(cidr="10.43.0.5/32"))])
    found = objects(wired, pod("x/a"), service(ip="10.43.0.5"), block)
    made, warnings = resolve_input(Input(found, ()))

    assert of(made).cluster_ips[0] in ip_network("10.96.0.0/16")
    (moved,) = (one for one in warnings if one.rule == "address-moved")
    assert f"Service x/web has 10.43.0.5 on the cluster and {of(made).cluster_ip} in the lab" in moved.message
    assert "10.43.0.5/32 in NetworkPolicy x/p, spec.egress[0].to[0]" in moved.message


def test_the_order_of_families_is_that_of_the_default_network() -> None:
    """The first one is the default of Services."""
    six_first = topology(cidrs=["fd00:10:244::/56", "10.244.0.0/16"])

    assert (6,) == stored(six_first, service()).ip_families


EXTERNAL = service("a", ip="10.96.0.20"), service("b", external_ips=(ip_address("10.96.0.20"),))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_external_ip_may_be_a_cluster_ip_of_another_service(order: tuple[int, int]) -> None:
    """As on the API server, in any order of the input, and also if one of the two is added to a lab."""
    services = [EXTERNAL[at] for at in order]
    first = cluster(pod("x/a"), services[0])

    for found in (cluster(pod("x/a"), *services), after(first, *services)):
        assert "10.96.0.20" == of(found, "a").cluster_ip
        assert "10.96.0.20" != of(found, "b").cluster_ip


def test_an_external_ip_of_two_services_stays_taken_until_both_are_gone() -> None:
    """No Service gets it as its own address meanwhile."""
    external = ip_address("10.96.0.20")
    one, two = (service(name, external_ips=(external,)) for name in "ab")
    taken = Taken.of([one, two])
    pool = Pool(Topology(), taken)

    taken.release(one)
    assert not pool.is_free(external)
    taken.release(two)
    assert pool.is_free(external)


def balancer(address: str, name: str = "web", **fields: Any) -> Service:
    """Return a Service of type LoadBalancer that asks for an address."""
    return service(name, type="LoadBalancer", load_balancer_ip=ip_address(address), **fields)


def balancers(found: Cluster, name: str = "web") -> list[str]:
    return [str(one.address) for one in of(found, name).load_balancer]


def test_a_load_balancer_has_the_address_that_it_asks_for() -> None:
    """For its IP family; the other family has a free one. The status has precedence."""
    two = stored(DUAL, balancer("198.18.0.77", ip_family_policy="PreferDualStack"))
    status = (LoadBalancerIngress(ip_address("203.0.113.1")),)

    assert ["198.18.0.77"] == balancers(cluster(pod("x/a"), balancer("198.18.0.77")))
    assert [4, 6] == [one.address.version for one in two.load_balancer if one.address is not None]
    assert "198.18.0.77" == str(two.load_balancer[0].address)
    assert ["203.0.113.1"] == balancers(cluster(pod("x/a"), balancer("198.18.0.77", load_balancer=status)))


def test_a_running_lab_follows_the_address_that_a_load_balancer_asks_for() -> None:
    """A Service that asks for none keeps what it has."""
    first = cluster(pod("x/a"), balancer("198.18.0.77"))
    changed = after(first, balancer("198.18.0.78"))

    assert ["198.18.0.78"] == balancers(changed)
    assert ["198.18.0.78"] == balancers(after(changed, service(type="LoadBalancer")))


def test_no_other_load_balancer_gets_an_address_that_one_asks_for() -> None:
    """Also if the other one comes first in the input."""
    usual = balancers(cluster(pod("x/a"), service("a", type="LoadBalancer")), "a")[0]
    found = cluster(pod("x/a"), service("a", type="LoadBalancer"), balancer(usual, "b"))

    assert [usual] == balancers(found, "b")
    assert [usual] != balancers(found, "a")


WRITTEN = Topology(load_balancer_cidrs=(ip_network("198.18.0.0/24"),), unwritten=DEFAULTS - {"loadBalancerCIDRs"})


@pytest.mark.parametrize(
    ("things", "message"),
    [
        (
            [WRITTEN, balancer("192.0.2.9")],
            'spec.loadBalancerIP: Invalid value: "192.0.2.9": failed to allocate IP 192.0.2.9: the provided IP'
            " (192.0.2.9) is not in the valid range. The range of valid IPs is 198.18.0.0/24",
        ),
        (
            [balancer("198.18.0.9", "a"), balancer("198.18.0.9", "b")],
            'spec.loadBalancerIP: Invalid value: "198.18.0.9": failed to allocate IP 198.18.0.9: provided IP is already'
            " allocated (by Service x/a)",
        ),
        (
            [balancer("fd00:198:18::9")],
            'spec.loadBalancerIP: Invalid value: "fd00:198:18::9": failed to allocate IP fd00:198:18::9: the Service'
            " has no IPv6 address",
        ),
    ],
    ids=["range", "taken", "family"],
)
def test_addresses_that_a_load_balancer_cannot_have(things: list[Any], message: str) -> None:
    """The messages are those about cluster IPs."""
    assert [message] == refused(*things)


def test_an_address_outside_a_default_range_of_load_balancers_is_a_warning() -> None:
    """The load balancer has another one."""
    found, problems = try_resolve(objects(pod("x/a"), balancer("192.0.2.9")), warn=True)
    own = balancers(found)[0]

    assert own.startswith("198.18.0.")
    assert [("warning", "spec.loadBalancerIP")] == [(one.severity, one.path) for one in problems]
    assert "load balancer of Service x/web" in problems[0].message
    assert own in problems[0].message
