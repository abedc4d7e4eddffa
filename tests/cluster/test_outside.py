"""Hosts outside of a cluster: one for each range of addresses that ipBlocks tell apart."""

from __future__ import annotations

import re
from ipaddress import ip_network
from random import Random

import pytest
from builders import cluster, peer, pod, policy, rule, topology

from netlab.cluster import Cluster, outside
from netlab.cluster.outside import outside_hosts, outside_ports, with_hosts


def of(*blocks: tuple[str, tuple[str, ...]], hosts: dict[str, list[str]] | None = None, both: bool = False) -> Cluster:
    networks = {"default": ("routed", "10.244.0.0/16", *(["fd00:10:244::/56"] if both else []))}
    rules = [rule(peer(cidr=cidr, but=but)) for cidr, but in blocks]
    return cluster(topology(["n"], networks, hosts), pod("x/a"), policy("x/p", egress=rules))


def found(*clusters: Cluster) -> dict[str, str]:
    return {host.name: str(host.addresses[0]) for host in outside_hosts(clusters)}


def test_without_an_ipblock_one_host_stands_for_all_addresses() -> None:
    """One for each IP family."""
    assert {"outside": "192.0.2.1"} == found(of())
    assert {"outside": "192.0.2.1", "outside-ipv6": "2001:db8::1"} == found(of(both=True))


def test_each_range_and_each_exception_has_a_host_that_is_in_no_smaller_range() -> None:
    """Ranges of any of the clusters count."""
    first, second = of(("0.0.0.0/0", ("192.0.2.0/24",))), of(("198.51.100.0/24", ("198.51.100.0/25",)))

    assert {
        "outside": "203.0.113.1",
        "outside-192-0-2-0-24": "192.0.2.1",
        "outside-198-51-100-0-24": "198.51.100.129",
        "outside-198-51-100-0-25": "198.51.100.1",
    } == found(first, second)


def test_a_range_inside_of_the_cluster_has_no_host() -> None:
    """Nor has one whose addresses are all taken, or are in smaller ranges."""
    blocks = [("10.244.0.0/24", ()), ("100.64.0.0/16", ()), ("192.0.2.10/32", ())]
    halves = [("198.51.100.0/24", ()), ("198.51.100.0/25", ()), ("198.51.100.128/25", ())]

    names = {*found(of(*blocks, *halves, hosts={"h": ["192.0.2.10"]}))}

    assert {"outside", "outside-198-51-100-0-25", "outside-198-51-100-128-25"} == names


def test_special_addresses_are_no_machines() -> None:
    """Loopback and multicast ranges have no host. A metadata service is one, at a link-local address."""
    names = {*found(of(("127.0.0.0/8", ()), ("169.254.169.254/32", ()), ("224.0.0.0/4", ())))}

    assert {"outside", "outside-169-254-169-254-32"} == names


def test_of_too_many_ranges_those_that_differ_have_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what a change of policies opens or closes."""
    monkeypatch.setattr(outside, "MOST_RANGES", 2)
    same = [("198.51.100.0/24", ()), ("198.51.101.0/24", ())]

    names = {*found(of(*same), of(*same, ("203.0.113.0/24", ())))}

    assert {"outside", "outside-203-0-113-0-24", "outside-198-51-100-0-24"} == names


def test_nested_ranges_have_each_an_address_of_their_own() -> None:
    """Random ranges: an address is in its range and in none that is smaller."""
    dice = Random(5)  # noqa: S311  the same ranges every time, not a secret
    blocks = [ip_network((0x0B000000 + dice.randrange(1 << 12), 32)).supernet(dice.randint(0, 12)) for _ in range(300)]

    hosts = outside_hosts([of(*((str(one), ()) for one in blocks))])

    assert len(hosts) > 50
    for host in hosts:
        around = [one for one in blocks if host.addresses[0] in one]
        smallest = max(around, key=lambda one: one.prefixlen, default=None)
        name = "outside" if smallest is None else "outside-" + re.sub("[./]", "-", str(smallest))
        assert name == host.name


def test_hosts_are_added_to_a_cluster_once() -> None:
    """A host of the input keeps its name and addresses."""
    one = of(hosts={"outside": ["203.0.113.9"]})

    two = with_hosts(one, outside_hosts([one]))

    assert [("outside", "203.0.113.9")] == [(host.name, str(host.addresses[0])) for host in two.hosts]


def test_hosts_are_asked_about_ports_of_rules_for_addresses_those_that_change_first() -> None:
    """Ports of rules for pods are left out."""

    def having(*ports: str) -> Cluster:
        rules = [rule(peer(cidr="0.0.0.0/0"), ports=[port]) for port in ports]
        return cluster(pod("x/a"), policy("x/p", egress=[*rules, rule(peer("app=a"), ports=["9000"])]))

    asked = outside_ports([having("25", "53/UDP", "8443"), having("25")])

    assert [("TCP", 80), ("TCP", 443), ("TCP", 8443), ("UDP", 53), ("TCP", 25)] == asked
