"""Unknown labels: those of namespaces outside the input, and those that controllers set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    cluster,
    cluster_peer,
    cluster_policy,
    cluster_rule,
    decide,
    flow,
    namespace,
    peer,
    pod,
    pods_peer,
    policy,
    rule,
    workload,
)

from netlab.cluster import Cluster
from netlab.objects.types import Namespace
from netlab.policy.explain import explain
from netlab.policy.unknown_labels import caveats
from netlab.policy.warnings import warnings

WEB = pod("shop/web", "app=web", ports=["80"])
ETL = pod("data/etl", "app=etl")


def undeclared(*names: str) -> list[Namespace]:
    return [replace(namespace(name), declared=False) for name in names]


def lab(*things: Any, spaces: tuple[str, ...] = ("shop", "data")) -> Cluster:
    return cluster(WEB, ETL, *undeclared(*spaces), *things)


def told(of: Cluster) -> list[str]:
    """Return the warnings of this kind only."""
    words = ("namespace ", "namespaces ", "a controller sets ")
    return [f"{p.object}: {p.path}: {p.message}" for p in warnings(of) if p.message.startswith(words)]


def test_labels_of_a_namespace_that_is_not_in_the_input() -> None:
    """A policy has one warning, with all labels that it reads and how to add them."""
    of = lab(
        policy(
            "shop/web",
            "app=web",
            ingress=[rule(peer("app=none")), rule(peer(ns="team in (data,ops)")), rule(peer(ns="env notin (test)"))],
        )
    )

    assert [
        "NetworkPolicy shop/web: spec.ingress[1].from[0].namespaceSelector: namespaces data, shop are not in the "
        "input, so netlab does not know whether they have the labels team, env; netlab assumes that they do not; add "
        "the output of: kubectl get namespaces data shop -o yaml"
    ] == told(of)


def test_of_one_namespace() -> None:
    """If pod labels exclude the other namespaces; for egress as for ingress."""
    of = lab(policy("shop/web", "app=web", egress=[rule(peer("app=etl", "team"))]))

    assert [
        "NetworkPolicy shop/web: spec.egress[0].to[0].namespaceSelector: namespace data is not in the input, so "
        "netlab does not know whether it has the label team; netlab assumes that it does not; add the output of: "
        "kubectl get namespaces data -o yaml"
    ] == told(of)


def test_a_warning_names_the_first_namespaces_and_counts_the_others() -> None:
    """The proposed command then has no names."""
    spaces = tuple(f"n{i}" for i in range(8))
    of = lab(*(pod(f"{name}/a") for name in spaces), policy("shop/p", ingress=[rule(peer(ns="team=a"))]), spaces=spaces)
    (one,) = told(of)

    assert "namespaces n0, n1, n2, n3, n4 and 3 more are not in the input" in one
    assert one.endswith("kubectl get namespaces -o yaml")


@pytest.mark.parametrize(
    "selector",
    [
        "kubernetes.io/metadata.name=data",
        "kubernetes.io/metadata.name in (data)",
        "",
        "!team,kubernetes.io/metadata.name=ops",
    ],
)
def test_the_name_is_known(selector: str) -> None:
    """If the name excludes the namespace, other labels do not matter."""
    assert [] == told(lab(policy("shop/web", ingress=[rule(peer(ns=selector))])))


def test_declared_namespaces_are_known() -> None:
    """A declared namespace without labels has none. Namespaces without matching pods do not matter."""
    given = policy("shop/web", ingress=[rule(peer(ns="team=data"))])
    assert [] == told(cluster(WEB, ETL, namespace("shop"), namespace("data"), given))
    assert [] == told(lab(policy("shop/web", ingress=[rule(peer("app=x", "team=data"))])))
    assert [] == told(lab(given, spaces=()))


@pytest.mark.parametrize(
    ("selector", "service", "verdict", "unsure"),
    [
        ("team=data", "80/TCP", "deny", True),
        ("team notin (data)", "80/TCP", "allow", True),
        ("!team", "80/TCP", "allow", True),
        ("kubernetes.io/metadata.name=data", "80/TCP", "allow", False),
        ("team=data", "81/TCP", "deny", False),
    ],
)
def test_explain_lists_unknown_labels_that_could_change_the_verdict(
    selector: str, service: str, verdict: str, unsure: bool
) -> None:
    """And no others."""
    of = lab(policy("shop/web", "app=web", ingress=[rule(peer(ns=selector), ports=["80"])]))
    text = str(explain(of, flow(of, "data/etl", "shop/web", service)))

    assert verdict == decide(of, "data/etl", "shop/web", service).verdict
    assert unsure == (
        "Not known\n  whether NetworkPolicy shop/web spec.ingress[0] matches data/etl: it reads team of namespace "
        "data, which is not in the input; netlab assumes that it has no such label" in text
    )
    assert unsure == ("Not known" in text)


def test_unknown_labels_do_not_matter_if_another_peer_or_rule_allows() -> None:
    """Then explain does not list them."""
    for rules in ([rule(peer(ns="team=a"), peer(ns=""))], [rule(peer(ns="!team")), rule(peer(cidr="10.0.0.0/8"))]):
        of = lab(policy("shop/web", "app=web", ingress=rules))
        assert [] == caveats(of, decide(of, "data/etl", "shop/web"))


def test_a_mismatch_says_that_the_namespace_is_not_in_the_input() -> None:
    """As "found no label" is an assumption."""
    of = lab(policy("shop/web", "app=web", ingress=[rule(peer(ns="team=data"))]))

    assert "found no team (namespace data is not in the input)" in str(explain(of, flow(of, "data/etl", "shop/web")))


# --- labels of controllers ------------------------------------------------------------------------------------------

HASHED = [workload("Deployment", "x/web", 2, "app=web"), pod("x/db", "app=db")]


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("pod-template-hash=abc", "spec.ingress[0].from[0].podSelector"),
        ("app=web,pod-template-hash notin (abc)", "spec.ingress[0].from[0].podSelector"),
    ],
)
def test_a_selector_that_asks_for_a_hash(selector: str, path: str) -> None:
    """The warning lists the pods that it may match."""
    of = cluster(*HASHED, policy("x/p", "app=db", ingress=[rule(peer(selector))]))

    assert [
        f"NetworkPolicy x/p: {path}: a controller sets pod-template-hash to a value that no manifest has; the "
        "selector may match x/web-0, x/web-1 or not"
    ] == told(of)
    assert [
        "whether NetworkPolicy x/p spec.ingress[0] matches x/web-0: "
        "a controller sets pod-template-hash, to a value that "
        "no manifest states"
    ] == caveats(of, decide(of, "x/web-0", "x/db"))


def test_a_policy_that_selects_by_a_hash() -> None:
    """Explain says so for each pod that it may select."""
    of = cluster(*HASHED, policy("x/p", "app=web,pod-template-hash=abc", ingress=[]))

    assert ["NetworkPolicy x/p: spec.podSelector: a controller sets pod-template-hash"] == [
        one.partition(" to a value")[0] for one in told(of)
    ]
    assert [
        "whether NetworkPolicy x/p selects x/web-0: a controller sets pod-template-hash, to a value that no manifest "
        "states"
    ] == caveats(of, decide(of, "x/db", "x/web-0"))


@pytest.mark.parametrize("key", ["controller-revision-hash", "controller-uid", "batch.kubernetes.io/controller-uid"])
def test_a_hash_of_pods_that_are_not_there(key: str) -> None:
    """The hash changes with the template or object; the selector then matches nothing."""
    of = cluster(*HASHED, policy("x/p", "app=db", ingress=[rule(peer(f"{key}=abc"))]))

    assert [
        f"NetworkPolicy x/p: spec.ingress[0].from[0].podSelector: a controller sets {key}, and the "
        "value changes with every change of the template or the object"
    ] == told(of)


@pytest.mark.parametrize(
    "selector", ["pod-template-hash", "!pod-template-hash", "app=db,pod-template-hash=abc", "app=web"]
)
def test_known_matches_have_no_warning(selector: str) -> None:
    """The key exists, or another label decides."""
    of = cluster(*HASHED, policy("x/p", "app=db", ingress=[rule(peer(selector))]))

    assert [] == caveats(of, decide(of, "x/web-0", "x/db"))
    assert not [one for one in told(of) if "it may mean" in one]


def test_jobs_of_a_cron_job_have_names_that_begin_with_its_own() -> None:
    """So only such a name may match; the name of a Job itself is known."""
    things = [workload("CronJob", "x/nightly", 1), workload("Job", "x/migrate", 1), pod("x/db", "app=db")]

    def asked(name: str) -> list[str]:
        return told(cluster(*things, policy("x/p", "app=db", ingress=[rule(peer(f"job-name={name}"))])))

    assert [] == asked("migrate")
    (one,) = asked("nightly-29000000")
    assert one.endswith("the selector may match x/nightly-0 or not")


DENY_TEAM = cluster_rule("deny", cluster_peer(None, "team=data"))
ALLOW_ALL = cluster_rule("allow", cluster_peer(""))


@pytest.mark.parametrize(
    ("wide", "lines"),
    [
        (
            cluster_policy("c", ingress=[DENY_TEAM]),
            ["whether ClusterNetworkPolicy c spec.ingress[0] matches data/etl: it reads team of namespace data"],
        ),
        (cluster_policy("c", ingress=[ALLOW_ALL, DENY_TEAM]), []),
        (cluster_policy("c", ingress=[cluster_rule("deny", cluster_peer(""), ports=["81"]), ALLOW_ALL]), []),
        (
            cluster_policy("c", pods_peer(None, "team=shop"), ingress=[ALLOW_ALL]),
            ["whether ClusterNetworkPolicy c spec.ingress[0] applies to shop/web: it reads team of namespace shop"],
        ),
        (
            cluster_policy("c", ingress=[DENY_TEAM], tier="Baseline"),
            ["whether ClusterNetworkPolicy c spec.ingress[0] matches data/etl: it reads team of namespace data"],
        ),
    ],
    ids=["a peer", "a rule before decides", "another port", "a subject", "baseline"],
)
def test_explain_lists_unknown_labels_that_cluster_wide_policies_read(wide: Any, lines: list[str]) -> None:
    """Those of a rule after one that surely decides do not matter."""
    of = lab(wide)
    decision = decide(of, "data/etl", "shop/web", "80/TCP")

    assert lines == [line.partition(", which")[0] for line in caveats(of, decision)]


def test_unknown_labels_do_not_matter_where_an_earlier_tier_surely_decides() -> None:
    """The tier Admin decides before NetworkPolicies, and the tier Baseline is not asked about isolated pods."""
    reads = policy("shop/web", "app=web", ingress=[rule(peer(ns="team=data"))])
    admin = cluster_policy("c", ingress=[ALLOW_ALL])
    baseline = cluster_policy("d", ingress=[DENY_TEAM], tier="Baseline")
    closed = policy("shop/closed", "app=web", ingress=[])

    for of in (lab(reads, admin), lab(closed, baseline)):
        assert [] == caveats(of, decide(of, "data/etl", "shop/web", "80/TCP"))
