"""Endpoints by the names that users give them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from builders import cluster, pod, topology, workload

from netlab.cluster import Cluster
from netlab.cluster.find import find, find_destination
from netlab.errors import UsageError


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
    """Pods with and without their namespace, a workload for its first pod, nodes and hosts."""

    assert ref == find(lab, name).ref


def test_the_namespace_counts_for_bare_names_only(lab: Cluster) -> None:
    """``-n`` says where a name is looked for that has no namespace of its own."""

    assert "shop/db" == find(lab, "db", "shop").ref
    assert "default/tool" == find(lab, "default/tool", "shop").ref


def test_a_pod_goes_before_a_workload_of_its_name() -> None:
    """What runs is meant before what it belongs to."""
    lab = cluster(pod("x/web"), workload("Job", "x/web", 1))

    assert "x/web" == find(lab, "x/web").ref


@pytest.mark.parametrize(
    ("address", "ref"), [("192.0.2.10", "host:internet"), ("10.244.0.2", "default/tool"), ("100.64.0.1", "node:node-a")]
)
def test_an_address_means_who_has_it(lab: Cluster, address: str, ref: str) -> None:
    """A node's address means the node, not the host-network pods that share it."""
    found = find_destination(lab, address)

    assert ref == getattr(found, "ref", found)


def test_an_address_that_nobody_has_stays_an_address(lab: Cluster) -> None:
    """Policies have an answer for it all the same."""

    assert ip_address("203.0.113.1") == find_destination(lab, "203.0.113.1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop/bd", "no pod or workload 'shop/bd' in the lab; did you mean shop/db"),
        ("db", "no pod or workload 'default/db' in the lab; did you mean shop/db?"),
        ("node:node-c", "no node 'node-c' in the lab; did you mean node:node-"),
        ("host:intranet", "no host 'intranet' in the lab; did you mean host:internet"),
        ("zzz/zzz", "no pod or workload 'zzz/zzz' in the lab (known: default/tool, "),
        ("shop/migration", "pod shop/migration has finished: it has no address and takes no part"),
    ],
    ids=["typo", "other namespace", "node", "host", "nothing near", "finished"],
)
def test_what_is_not_there_is_an_error_with_a_way_on(lab: Cluster, name: str, message: str) -> None:
    """The error names what comes close, or what there is."""
    with pytest.raises(UsageError) as error:
        find_destination(lab, name)

    assert str(error.value).startswith(message)
