"""resolv.conf and hosts of pods: the kubelet's table, its limits and its form."""

from __future__ import annotations

from dataclasses import replace

import dns_objects
import pytest

from netlab.cluster import Cluster, Pod
from netlab.objects.types import DnsConfig, DnsPolicy
from netlab.programs import pod_files

SEARCH = "search shop.svc.cluster.local svc.cluster.local cluster.local\n"
CLUSTER_FIRST = f"{SEARCH}nameserver 10.96.0.10\noptions ndots:5\n"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return dns_objects.cluster()


def resolv(of: Cluster, policy: DnsPolicy = "ClusterFirst", config: DnsConfig | None = None, host: bool = False) -> str:
    return files(of, policy, config, host).resolv


def files(of: Cluster, policy: DnsPolicy, config: DnsConfig | None = None, host: bool = False) -> pod_files.PodFiles:
    pod = of.by_ref["shop/client"]
    assert isinstance(pod, Pod)
    attachment = "host" if host else pod.attachment
    return pod_files.of(of, replace(pod, dns_policy=policy, dns_config=config, attachment=attachment))


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_cluster_first_asks_the_cluster_only(cluster: Cluster) -> None:
    assert CLUSTER_FIRST == resolv(cluster)
    assert CLUSTER_FIRST == resolv(cluster, "ClusterFirstWithHostNet", host=True)


def test_default_is_the_nodes_resolver_which_has_no_server(cluster: Cluster) -> None:
    """A host-network pod with ClusterFirst has it too."""
    assert [] == lines(resolv(cluster, "Default")) == lines(resolv(cluster, "ClusterFirst", host=True))


def test_a_pod_in_its_nodes_network_has_the_nodes_hostname(cluster: Cluster) -> None:
    """Its own hostname is ignored, as by the kubelet."""
    assert "client" == files(cluster, "Default").hostname
    assert cluster.nodes[0].name == files(cluster, "Default", host=True).hostname


def test_none_is_what_the_pod_says(cluster: Cluster) -> None:
    config = DnsConfig(("1.1.1.1",), ("resolv.conf.local",), (("ndots", "2"), ("edns0", "")))

    assert "search resolv.conf.local\nnameserver 1.1.1.1\noptions ndots:2 edns0\n" == resolv(cluster, "None", config)
    assert [] == lines(resolv(cluster, "None"))


def test_the_pods_configuration_is_added_and_wins(cluster: Cluster) -> None:
    """Servers and search domains are appended without duplicates; options are merged by name."""
    config = DnsConfig(("10.96.0.10", "1.1.1.1"), ("cluster.local", "x.y"), (("ndots", "2"), ("single-request", "")))

    assert [
        f"{SEARCH.strip()} x.y",
        "nameserver 10.96.0.10",
        "nameserver 1.1.1.1",
        "options ndots:2 single-request",
    ] == lines(resolv(cluster, "ClusterFirst", config))


def test_three_servers_fit(cluster: Cluster) -> None:
    found = files(cluster, "ClusterFirst", DnsConfig(("1.1.1.1", "1.1.1.2", "1.1.1.3")))

    assert 3 == found.resolv.count("nameserver ")
    assert "shop/client: only 3 name servers fit: 10.96.0.10 1.1.1.1 1.1.1.2" == found.warnings[0]


def test_search_domains_fit_by_number_by_length_and_together(cluster: Cluster) -> None:
    """32 domains, none over 253 letters, 2,048 letters together; Kubernetes accepts ``_`` in them."""
    many = tuple(f"_a{i}.b" for i in range(32))
    long = tuple(f"{'a' * 70}.{i}" for i in range(32))
    huge = ("x" * 254, "short")

    assert 33 == len(lines(resolv(cluster, "ClusterFirst", DnsConfig((), many)))[0].split())
    assert 2048 >= len(lines(resolv(cluster, "ClusterFirst", DnsConfig((), long)))[0].removeprefix("search ")) > 1980
    assert f"{SEARCH.strip()} short" == lines(resolv(cluster, "ClusterFirst", DnsConfig((), huge)))[0]
    assert ["exceed the limits" in w for w in files(cluster, "ClusterFirst", DnsConfig((), huge)).warnings] == [True]
    assert () == files(cluster, "ClusterFirst", DnsConfig((), many[:20])).warnings


def test_a_lab_without_dns_has_no_server() -> None:
    of = dns_objects.cluster(dns_objects.text().replace("  hosts:", "  dns: false\n  hosts:"))

    assert "# No name server: the lab answers no DNS.\n" == resolv(of)


def test_hosts_of_a_pod(cluster: Cluster) -> None:
    """The hostname; with a subdomain also its whole name, even if no Service of that name exists."""
    client, first = cluster.by_ref["shop/client"], cluster.by_ref["shop/web-a"]
    plain, full = pod_files.of(cluster, client), pod_files.of(cluster, first)

    assert plain.hosts.startswith(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost"
    )
    assert f"\n{client.addresses[0]}\tclient\n" in plain.hosts
    assert plain.hosts.endswith("\n\n# Entries added by HostAliases.\n10.9.9.9\tfoo.local\tbar.local\n")
    assert f"\n{first.addresses[0]}\tfirst.web.shop.svc.cluster.local\tfirst\n" in full.hosts
    assert ("client", "first") == (plain.hostname, full.hostname)


def test_hosts_of_machines_name_all_machines(cluster: Cluster) -> None:
    """Nodes, outside hosts with their hostnames, and host-network pods."""
    node, host = pod_files.of(cluster, cluster.by_ref["node:node-1"]), pod_files.of(cluster, cluster.by_ref["host:api"])

    assert node.hosts == host.hosts
    assert [] == lines(node.resolv)
    assert ["node-1", "node-2", "api"] == [line.split("\t")[1] for line in lines(node.hosts)[6:]]
    assert "100.64.9.9\tapi\tapi.example.com\n" in node.hosts
    assert node.hosts in files(cluster, "ClusterFirst", host=True).hosts
