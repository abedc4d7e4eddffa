"""The elements of Services follow every change, and a lab without Services has nothing of them."""

import random
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest

from netlab.objects.services import LoadBalancerIngress, Service, ServicePort
from netlab.objects.types import Meta, Protocol
from netlab.ruleset import Compiler, compile_rulesets, differences

NODES = ("node-1", "node-2")


def service(draw, number):
    """Return a random Service; some share an external IP and port."""
    choice = draw.choice
    protocols: tuple[Protocol, ...] = choice((("TCP",), ("TCP", "UDP")))
    ports = tuple(
        ServicePort(80, 8000, protocol, node_port=choice((0, 30000 + 10 * number + at)))
        for at, protocol in enumerate(protocols)
    )
    return Service(
        Meta(f"s{number}", choice("xy")),
        {"app": choice("abc")},
        ports,
        (ip_address(f"10.96.0.{20 + number}"),),
        choice(("ClusterIP", "NodePort", "LoadBalancer")),
        external_ips=choice(((), (ip_address("203.0.113.1"),))),
        load_balancer=(LoadBalancerIngress(ip_address(f"198.18.0.{number + 1}")),),
        source_ranges=choice(((), (ip_network("192.0.2.0/24"),))),
        session_affinity=choice(("None", "ClientIP")),
        affinity_timeout=choice((10, 20)),
        internal_traffic_policy=choice(("Cluster", "Local")),
        external_traffic_policy=choice(("Cluster", "Local")),
        headless=draw.random() < 0.1,
    )


def clusters(build, seed):
    """Yield a history: Services and pods come, go and change."""
    draw = random.Random(seed)  # noqa: S311
    numbers = range(8)
    services = {}
    apps = {}
    for _ in range(25):
        for number in draw.sample(numbers, 2):
            services[number] = service(draw, number)
            if draw.random() < 0.4:
                del services[number]
        for number in draw.sample(range(24), 4):
            apps[number] = draw.choice("abc-")
        if draw.random() < 0.1:
            services.clear()
        pods = [
            build.pod(
                f"{'xy'[n % 2]}/p{n:02}", f"10.244.0.{n + 2}", labels=f"app={app}", attachment="overlay",
                node=NODES[n // 2 % 2],
            )
            for n, app in apps.items() if app != "-"
        ]  # fmt: skip
        found = build.cluster(pods, [], mode="overlay", nodes=NODES)
        ordered = sorted(services.values(), key=lambda one: (one.meta.namespace, one.meta.name))
        yield replace(found, services=tuple(ordered), service_cidrs=(ip_network("10.96.0.0/16"),))


def without_comments(ruleset):
    return {
        name: {key: element.value for key, element in elements.items()} for name, elements in ruleset.elements.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_a_history_leaves_no_trace(build, seed):
    """Each ruleset of a history has the tables and elements of one that is compiled anew."""
    compiler = Compiler()
    for cluster in clusters(build, seed):
        now, fresh = compiler.compile(cluster), compile_rulesets(cluster)
        for node in NODES:
            assert fresh[node].tables == now[node].tables
            assert without_comments(fresh[node]) == without_comments(now[node])


@pytest.mark.parametrize("seed", range(2))
def test_differences_give_the_same_rules_as_a_fresh_load(build, nft, seed):
    """The kernel loads each difference as a transaction."""
    compiler = Compiler()
    history = [compiler.compile(cluster) for cluster in clusters(build, seed)]
    steps = [differences(old, new)["node-1"].text for old, new in pairwise(history)]

    assert nft(history[-1]["node-1"].text()) == nft(history[0]["node-1"].text(), *filter(None, steps))


def test_a_lab_without_services_has_none_of_their_sets_and_chains(build):
    """A lab whose Services nodes do not translate has none either."""
    plain = build.cluster([build.pod("x/a", "10.244.0.2", labels="app=a")], [])
    headless = replace(plain, services=(Service(Meta("s", "x"), {"app": "a"}, headless=True),))

    assert "@service" not in compile_rulesets(plain)["node-1"].text()
    assert compile_rulesets(plain)["node-1"].text() == compile_rulesets(headless)["node-1"].text()


def test_a_service_that_goes_leaves_a_shared_address_to_the_next(build):
    """Two Services claim one external IP and port: the first by name has it."""
    base = build.cluster([build.pod("x/a", "10.244.0.2", labels="app=a")], [])
    a, b = (
        Service(
            Meta(name, "x"), {"app": "a"}, (ServicePort(80, target),), (ip_address(f"10.96.0.{target % 100}"),),
            external_ips=(ip_address("203.0.113.1"),),
        )
        for name, target in (("a", 8001), ("b", 8002))
    )  # fmt: skip
    compiler, key = Compiler(), (ip_address("203.0.113.1"), "tcp", 80)

    def owner(*services):
        elements = compiler.compile(replace(base, services=services))["node-1"].elements["services4"]
        return elements[key].comment

    assert "x/a 80/TCP" == owner(a, b)
    assert "x/b 80/TCP" == owner(b)
    assert "x/a 80/TCP" == owner(a, b)
    assert "x/a 80/TCP" == owner(a)
