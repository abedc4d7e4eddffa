"""What a policy selects, and which policies select a pod: names, kinds, peers."""

from __future__ import annotations

import pytest
from builders import (
    cluster,
    cluster_peer,
    cluster_policy,
    cluster_rule,
    namespace,
    peer,
    pod,
    pods_peer,
    policy,
    rule,
    topology,
    unread,
    workload,
)

from netlab.cluster import Cluster
from netlab.errors import UsageError
from netlab.objects.unread import Subject
from netlab.policy.selections import PodSelection, PolicySelection, find_selections
from netlab.report.formats import Page
from netlab.report.selections import SelectionReport


def shop() -> Cluster:
    return cluster(
        topology(["node-1"], hosts={"client": ["192.0.2.10"]}),
        namespace("shop"),
        namespace("edge", "team=x"),
        workload("Deployment", "shop/web", 2, "app=web"),
        pod("shop/db", "app=db", ports=["5432"]),
        pod("shop/agent", "app=db", host=True),
        pod("edge/mon", "app=mon"),
        policy(
            "shop/web",
            "app=web",
            ingress=[rule(peer("app=mon", "team=x"), peer(cidr="192.0.2.0/24"), ports=["80"]), rule()],
        ),
        policy("shop/deny", ingress=[], egress=[]),
        policy("edge/nobody", "app=nobody", ingress=[rule(peer("app=nobody"))]),
        unread("shop/l7", Subject("shop", denies=frozenset(("ingress",)))),
    )


def of_policy(text: str) -> PolicySelection:
    (found,) = find_selections(shop(), text)
    assert isinstance(found, PolicySelection)
    return found


def of_pod(text: str) -> PodSelection:
    (found,) = find_selections(shop(), text)
    assert isinstance(found, PodSelection)
    return found


def test_a_policy_selects_pods_and_its_rules_match_peers() -> None:
    """By item: pods with their namespaces, addresses with their hosts, everything."""
    found = of_policy("networkpolicy/shop/web")
    first, second = found.rules

    assert ["shop/web-0", "shop/web-1"] == [one.ref for one in found.pods]
    assert [["edge/mon"], []] == [[one.ref for one in peers.pods] for peers in first.peers]
    assert [[], ["host:client"]] == [[one.ref for one in peers.others] for peers in first.peers]
    assert ("edge",) == first.peers[0].namespaces
    assert [None] == [peers.peer for peers in second.peers]
    assert "every port" == str(second.ports)


def test_host_network_pods_are_not_selected() -> None:
    """Policies see them as their node."""
    assert ["shop/db", "shop/web-0", "shop/web-1"] == [one.ref for one in of_policy("shop/deny").pods]


def test_a_policy_and_a_peer_may_select_nothing() -> None:
    """The rule is there all the same."""
    found = of_policy("edge/nobody")

    assert () == found.pods
    assert () == found.rules[0].peers[0].pods


def test_a_pod_has_the_policies_that_isolate_it_by_direction() -> None:
    """Policies that netlab does not read are listed apart."""
    found = of_pod("shop/db")

    assert [("shop/deny", 1, 1)] == [(o.policy.meta.key, len(o.ingress), len(o.egress)) for o in found.policies]
    assert ["shop/l7"] == [one.meta.key for one in found.unread]
    assert () == found.free("ingress")


def test_a_workload_stands_for_all_its_pods() -> None:
    """So a policy may select a part of them."""
    found = of_pod("deployment/shop/web")

    assert [("shop/deny", 2, 2), ("shop/web", 2, 0)] == [
        (one.policy.meta.key, len(one.ingress), len(one.egress)) for one in found.policies
    ]


def test_a_pod_without_policies_is_free() -> None:
    """In both directions."""
    found = of_pod("edge/mon")

    assert (["edge/mon"], ["edge/mon"]) == tuple([p.ref for p in found.free(d)] for d in ("ingress", "egress"))


@pytest.mark.parametrize("text", ["pod/shop/db", "po/shop/db", "POD/shop/db", "shop/db"])
def test_a_kind_may_be_written_as_for_kubectl(text: str) -> None:
    """In any case of letters."""
    assert "shop/db" == of_pod(text).name


def test_a_name_without_a_namespace_is_in_the_given_one() -> None:
    """With its kind or without."""
    for text in ("db", "pod/db"):
        (found,) = find_selections(shop(), text, "shop")
        assert "shop/db" == getattr(found, "name", "")


def test_a_policy_and_a_workload_of_one_name_are_both_found() -> None:
    """People call a policy what its pods are called."""
    found = find_selections(shop(), "shop/web")

    assert ["PolicySelection", "PodSelection"] == [type(one).__name__ for one in found]


WRONG = {
    "shop/bd": r"no policy, pod or workload 'shop/bd'; did you mean shop/db",
    "edge/db": r"did you mean shop/db",
    "networkpolicy/shop/db": r"no networkpolicy 'shop/db'",
    "shop/l7": r"FooNetworkPolicy shop/l7 .* is a policy that netlab does not read",
    "service/shop/web": r"KIND is one of networkpolicy, pod, deployment",
    "a/b/c/d": r"write NAMESPACE/NAME or KIND/NAMESPACE/NAME",
    "shop/": r"write NAMESPACE/NAME",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_name_that_names_nothing_is_refused(text: str) -> None:
    """The message has what may be meant."""
    with pytest.raises(UsageError, match=WRONG[text]):
        find_selections(shop(), text)


def test_a_cluster_wide_policy_selects_pods_and_its_peers_match_endpoints() -> None:
    """By the word for its kind and its name; peers that are nodes, networks and names match endpoints too."""
    of = cluster(
        topology(["n1"], hosts={"h": ["192.0.2.1"]}),
        namespace("x", "team=x"),
        pod("x/a", "app=a"),
        pod("y/b", "app=b"),
        cluster_policy(
            "closed",
            pods_peer(None, "team=x"),
            ingress=[cluster_rule("deny", cluster_peer("app=b"), ports=["80", "web"])],
            egress=[cluster_rule("allow", cluster_peer(networks=["192.0.2.0/24"]), cluster_peer(nodes=""))],
        ),
        cluster_policy("base", tier="Baseline", ingress=[cluster_rule("deny")]),
    )

    assert [
        "ClusterNetworkPolicy closed, tier Admin, priority 10, selects every pod of namespaces with team=x: x/a",
        "  ingress: deny 80/TCP, web from  spec.ingress[0]",
        "    pods with app=b of every namespace: y/b",
        "  egress: allow every port to  spec.egress[0]",
        "    networks 192.0.2.0/24: host:h",
        "    every node: node:n1",
    ] == [*SelectionReport("lab", find_selections(of, "clusternetworkpolicy/closed")).table(Page())]
    (judged,) = find_selections(of, "pod/x/a")
    assert isinstance(judged, PodSelection)
    assert ["closed", "base"] == [one.policy.meta.name for one in judged.cluster_policies]
    with pytest.raises(UsageError, match="no ClusterNetworkPolicy 'close'; did you mean closed"):
        find_selections(of, "cnp/close")
