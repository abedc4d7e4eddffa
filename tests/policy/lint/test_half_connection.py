"""A missing half of a connection is found exactly where no pair of pods may talk, pair by pair."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from linting import found_in, given_of
from sizes import some

from netlab.cluster.types import Cluster, Pod
from netlab.objects.input import input_of
from netlab.objects.policies import NetworkPolicy
from netlab.objects.policies import Rule as PolicyRule
from netlab.objects.types import Direction, Document, Source
from netlab.policy.isolating import isolating
from netlab.policy.lint import all_rules
from netlab.policy.lint.findings import lint
from netlab.policy.matched_pods import pods_matched, pods_selected
from netlab.policy.matching import field_of, matching_peer, ports_mismatch_text

RULE = next(rule for rule in all_rules() if rule.id == "half-connection")
PORTS: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"port": 80}],
    [{"port": 80, "endPort": 81}],
    [{"protocol": "UDP"}],
    [{"port": "http"}],
)
ASKED: list[tuple[str, int | None]] = [("TCP", 80), ("TCP", 81), ("UDP", 80), ("ICMP", None)]
OTHER: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}


def documents(rng: Random) -> list[Document]:
    """Return pods, two of each kind, and random policies of two namespaces."""
    made: list[dict[str, Any]] = []
    for space in "xy":
        for app in "abc":
            ports = rng.choice(([], [{"containerPort": rng.choice((80, 81)), "name": "http"}]))
            spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i", "ports": ports}]}
            for at in "01":
                metadata = {"name": f"{app}-{at}", "namespace": space, "labels": {"app": app}}
                made.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    for number in range(rng.randint(2, 8)):
        types = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        spec = {"podSelector": selector(rng), "policyTypes": types}
        for one in types:
            field = "from" if one == "Ingress" else "to"
            rules = [
                {field: [peer(rng) for _ in range(rng.randrange(3))], "ports": rng.choice(PORTS)}
                for _ in range(rng.randrange(3))
            ]
            spec[one.lower()] = [{key: value for key, value in rule.items() if value} for rule in rules]
        metadata = {"name": f"p{number}", "namespace": rng.choice("xy")}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        made.append({**kind, "metadata": metadata, "spec": spec})
    return [Document(one, Source("a.yaml")) for one in made]


def selector(rng: Random) -> dict[str, Any]:
    return rng.choice(({}, *({"matchLabels": {"app": app}} for app in "abc")))


def peer(rng: Random) -> dict[str, Any]:
    match rng.randrange(6):
        case 0:
            return {"ipBlock": {"cidr": rng.choice(("203.0.113.0/24", "0.0.0.0/0"))}}
        case 1 | 2:
            name = {"matchLabels": {"kubernetes.io/metadata.name": rng.choice("xy")}}
            return {"namespaceSelector": rng.choice(({}, name)), "podSelector": selector(rng)}
    return {"podSelector": selector(rng)}


def missing(cluster: Cluster, policies: tuple[NetworkPolicy, ...]) -> set[tuple[str, str]]:
    """Return the items of ``from`` and ``to`` of which no pair of pods may talk, by policy and path."""
    return {
        (f"NetworkPolicy {policy.meta.key}", f"{rule.path}.{field_of(rule)}[{number}]")
        for policy in policies
        for direction in ("ingress", "egress")
        for rule in policy.rules(direction)
        for number, one in enumerate(rule.peers)
        if one.ip_block is None
        for pairs in [
            [(a, b) for a in pods_selected(cluster, policy) for b in pods_matched(cluster, policy, one) if a is not b]
        ]
        if pairs and not any(talks(cluster, rule, direction, own, there) for own, there in pairs)
    }


def talks(cluster: Cluster, rule: PolicyRule, direction: Direction, own: Pod, there: Pod) -> bool:
    """Say whether the other end allows a part of what a rule allows."""
    policies = isolating(cluster, there, OTHER[direction])
    destination = there if direction == "egress" else own
    for asked in ASKED:
        if ports_mismatch_text(rule, destination, *asked):
            continue
        if not policies:
            return True
        for policy in policies:
            for other in policy.rules(OTHER[direction]):
                matches = matching_peer(cluster, policy, other, own, own.addresses[0]) is not None
                if matches and not ports_mismatch_text(other, destination, *asked):
                    return True
    return False


@pytest.mark.parametrize("seed", some(range(40)))
def test_a_missing_half_is_found_where_no_pair_may_talk(seed: int) -> None:
    """Neither more nor less, but for rules whose ports no pod has: they are for another rule to find."""
    given = given_of(input_of(documents(Random(seed))))  # noqa: S311
    named = {
        (f"NetworkPolicy {policy.meta.key}", f"{rule.path}.{field_of(rule)}[{number}]")
        for policy, _, rule in given.rules()
        if any(isinstance(item.port, str) for item in rule.ports)
        for number, _ in enumerate(rule.peers)
    }
    found = {(one.object, one.path) for one in lint(given, [RULE]).found}
    expected = missing(given.cluster, given.policies)

    assert found <= expected
    assert expected - named == found - named


def test_some_of_the_random_sets_miss_a_half() -> None:
    """Else the test above would prove nothing."""
    found = [lint(given_of(input_of(documents(Random(seed)))), [RULE]).found for seed in range(20)]  # noqa: S311

    assert 3 < sum(bool(one) for one in found) < 20


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x, labels: {app: %s}}\n---\n"
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: x}\nspec: %s\n---\n"
TO_DB = POLICY % (
    "to-db",
    "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app:"
    " db}}}]}]}",
)


@pytest.mark.parametrize(
    ("spec", "fires"),
    [
        ("{podSelector: {matchLabels: {app: db}}, ingress: []}", True),
        ("{podSelector: {matchLabels: {app: web}}, ingress: []}", False),
        ("{podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 80}]}]}", False),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}", False),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}", True),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '2001:db8::/32'}}]}]}", False),
        ("{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}}]}]}", False),
    ],
)
def test_egress_needs_ingress_at_the_other_end(spec: str, fires: bool) -> None:
    """What may match counts as a match: private addresses, and labels of namespaces that are not in the input."""
    text = POD % ("web", "web") + POD % ("db", "db") + TO_DB + POLICY % ("db", spec)

    assert fires == bool(found_in(text, RULE))


def test_ingress_needs_egress_at_the_other_end() -> None:
    """The message names the policies and the pods of the other end."""
    from_web = TO_DB.replace("Egress", "Ingress").replace("egress", "ingress").replace("to:", "from:")
    text = POD % ("web", "web") + POD % ("db", "db") + from_web
    (one,) = found_in(text + POLICY % ("deny", "{podSelector: {}, policyTypes: [Egress]}"), RULE)

    assert "no rule of x/deny allows egress of x/db to x/web" in one.message


def test_a_pod_needs_no_half_towards_itself() -> None:
    """Nothing denies that."""
    text = TO_DB.replace("app: web", "app: db") + POLICY % ("deny", "{podSelector: {}, ingress: []}")

    assert [] == found_in(POD % ("db", "db") + text, RULE)
