"""What is found as redundant is: without it every verdict is the same, also those of pods that may come."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest
from linting import found_in, given_of
from sizes import some

from netlab.cluster import Cluster
from netlab.objects.input import input_of
from netlab.objects.selectors import LabelSelector, Requirement
from netlab.objects.types import Document, Source
from netlab.policy.isolating import isolating
from netlab.policy.lint import all_rules
from netlab.policy.lint.covers import selector_covers, selects_all
from netlab.policy.lint.findings import Finding, lint
from netlab.policy.matching import matching_peer, ports_mismatch_text

RULES = {rule.id: rule for rule in all_rules()}
VALUES = ("one", "two", "other")
LABELS = [
    {key: value for key, value in (("a", a), ("b", b)) if value} for a, b in product((*VALUES, ""), (*VALUES, ""))
]


def selector(rng: Random) -> LabelSelector:
    """Return a random selector over two keys and two of their values."""
    requirements = [
        Requirement(rng.choice("ab"), operator, tuple(sorted(rng.sample(VALUES[:2], rng.randint(1, 2)))))
        if operator in ("In", "NotIn")
        else Requirement(rng.choice("ab"), operator)
        for operator in rng.choices(("In", "NotIn", "Exists", "DoesNotExist"), k=rng.randrange(3))
    ]
    labels = ((rng.choice("ab"), rng.choice(VALUES[:2])),) if rng.random() < 0.5 else ()
    return LabelSelector(labels, tuple(requirements))


@pytest.mark.parametrize("seed", some(range(20)))
def test_a_selector_covers_another_one_only_if_it_matches_all_labels_that_the_other_matches(seed: int) -> None:
    """A selector that matches no labels is covered by each. One that matches all labels covers each."""
    rng = Random(seed)  # noqa: S311
    for _ in range(200):
        wide, narrow = selector(rng), selector(rng)
        of_wide = [labels for labels in LABELS if wide.matches(labels)]
        of_narrow = [labels for labels in LABELS if narrow.matches(labels)]

        assert selector_covers(wide, narrow) == all(one in of_wide for one in of_narrow)
        assert selects_all(wide) == (of_wide == LABELS)


# --- policies -------------------------------------------------------------------------------------------------------


def data_of(one: LabelSelector) -> dict[str, Any]:
    """Return a selector as a manifest has it."""
    expressions = [
        {"key": r.key, "operator": r.operator, **({"values": list(r.values)} if r.values else {})}
        for r in one.match_expressions
    ]
    return {"matchLabels": dict(one.match_labels), **({"matchExpressions": expressions} if expressions else {})}


def policies(rng: Random) -> list[dict[str, Any]]:
    """Return random policies of a namespace, many of them alike."""
    few = [LabelSelector(), LabelSelector((("a", "one"),)), selector(rng)]
    found = []
    for number in range(rng.randint(2, 5)):
        types = rng.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"]))
        spec: dict[str, Any] = {"podSelector": data_of(rng.choice(few)), "policyTypes": types}
        for one in types:
            field = "from" if one == "Ingress" else "to"
            rules = [
                {field: [peer(rng, few) for _ in range(rng.randrange(3))], "ports": rng.choice(PORTS)}
                for _ in range(rng.randrange(3))
            ]
            spec[one.lower()] = [{key: value for key, value in rule.items() if value} for rule in rules]
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        found.append({**kind, "metadata": {"name": f"p{number}", "namespace": "x"}, "spec": spec})
    return found


PORTS: list[list[dict[str, Any]]] = [[], [{"port": 80}], [{"port": 80, "endPort": 81}], [{"protocol": "UDP"}]]
ASKED: list[tuple[str, int | None]] = [("TCP", 80), ("TCP", 81), ("UDP", 80), ("ICMP", None)]


def peer(rng: Random, few: list[LabelSelector]) -> dict[str, Any]:
    match rng.randrange(4):
        case 0:
            return {"ipBlock": {"cidr": rng.choice(("10.0.0.0/8", "10.0.0.0/9", "0.0.0.0/0"))}}
        case 1:
            name = {"matchLabels": {"kubernetes.io/metadata.name": rng.choice("xy")}}
            return {"namespaceSelector": rng.choice(({}, name)), "podSelector": data_of(rng.choice(few))}
    return {"podSelector": data_of(rng.choice(few))}


def pods(few: bool) -> list[dict[str, Any]]:
    """Return pods of two namespaces: with few labels, or with all that selectors can tell apart."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{at}", "namespace": space, "labels": labels},
        }
        for space in "xy"
        for at, labels in enumerate(LABELS[:2] if few else LABELS)
    ]


def allowed(cluster: Cluster) -> set[tuple[object, ...]]:
    """Return for each pod of namespace x and each direction whether it is isolated, or what its policies allow."""
    made: set[tuple[object, ...]] = set()
    for pod in cluster.asked_pods():
        for direction in ("ingress", "egress") if pod.namespace == "x" else ():
            own = isolating(cluster, pod, direction)
            if not own:
                made.add((pod.ref, direction))
            made |= {
                (pod.ref, direction, other.ref, *asked)
                for policy in own
                for rule in policy.rules(direction)
                for other in cluster.asked_pods()
                if matching_peer(cluster, policy, rule, other, other.addresses[0]) is not None
                for asked in ASKED
                if not ports_mismatch_text(rule, None, *asked)
            }
    return made


def cluster_of(objects: list[dict[str, Any]]) -> Cluster:
    return given_of(input_of([Document(one, Source("a.yaml")) for one in objects])).cluster


def findings(rule: str, objects: list[dict[str, Any]]) -> list[Finding]:
    documents = [Document(one, Source("a.yaml")) for one in objects]
    return list(lint(given_of(input_of(documents)), [RULES[rule]]).found)


@pytest.mark.parametrize("seed", some(range(40)))
def test_policies_that_change_nothing_can_go_all_at_once(seed: int) -> None:
    """No pod has another verdict then, whatever its labels are."""
    made = policies(Random(seed))  # noqa: S311
    gone = {
        one.object.rpartition("/")[2]
        for one in findings("no-effect", pods(few=True) + made)
        if "whatever labels" in one.message
    }
    left = [one for one in made if one["metadata"]["name"] not in gone]

    if gone:
        assert allowed(cluster_of(pods(few=False) + made)) == allowed(cluster_of(pods(few=False) + left))


@pytest.mark.parametrize("seed", some(range(40)))
def test_rules_that_are_subsumed_can_go_all_at_once(seed: int) -> None:
    """No pod has another verdict then, whatever its labels are."""
    made = policies(Random(seed))  # noqa: S311
    gone = {(one.object.rpartition("/")[2], one.path) for one in findings("rule-subsumed", pods(few=True) + made)}
    left = [_without(one, gone) for one in made]

    if gone:
        assert allowed(cluster_of(pods(few=False) + made)) == allowed(cluster_of(pods(few=False) + left))


def _without(policy: dict[str, Any], gone: set[tuple[str, str]]) -> dict[str, Any]:
    spec = dict(policy["spec"])
    for field in ("ingress", "egress"):
        rules = enumerate(spec.get(field, ()))
        name = policy["metadata"]["name"]
        spec[field] = [rule for at, rule in rules if (name, f"spec.{field}[{at}]") not in gone]
    return {**policy, "spec": spec}


def test_some_of_the_random_policies_are_redundant() -> None:
    """Else the tests above would prove nothing."""
    sets = [pods(few=True) + policies(Random(seed)) for seed in range(20)]  # noqa: S311

    for rule in ("no-effect", "rule-subsumed"):
        assert 2 < sum(bool(findings(rule, one)) for one in sets)


# --- examples -------------------------------------------------------------------------------------------------------

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: x, labels: {app: web}}\n---\n"


def policy(spec: str, name: str) -> str:
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: x}}\n"
    return f"{head}spec: {spec}\n---\n"


@pytest.mark.parametrize(
    ("spec", "fires"),
    [
        ("{podSelector: {matchLabels: {app: web}}, ingress: []}", True),
        ("{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}", True),
        (
            "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 81}]}]}",
            False,
        ),
        ("{podSelector: {}, ingress: []}", False),
        ("{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}", False),
    ],
)
def test_a_policy_changes_nothing_beside_a_wider_one(spec: str, fires: bool) -> None:
    """It isolates in the same directions and allows no more. A default deny is meant to stay."""
    wide = policy("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}", "wide")

    assert fires == bool(found_in(POD + wide + policy(spec, "one"), RULES["no-effect"]))


def test_of_two_equal_policies_one_is_found() -> None:
    """The other one may not go as well."""
    same = "{podSelector: {}, ingress: [{ports: [{port: 80}]}]}"
    (one,) = found_in(POD + policy(same, "a") + policy(same, "b"), RULES["no-effect"])

    assert "NetworkPolicy x/b" == one.object
    assert "whatever labels pods have: x/a isolates" in one.message


@pytest.mark.parametrize(
    ("spec", "fires"),
    [
        ("{podSelector: {}, ingress: [{}]}", True),
        ("{podSelector: {}, policyTypes: [Egress], egress: [{}]}", False),
        ("{podSelector: {}, ingress: [{ports: [{port: 80}]}]}", False),
        ("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}", False),
        ("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]}", False),
        ("{podSelector: {matchLabels: {app: web}}, ingress: [{}]}", True),
        ("{podSelector: {matchLabels: {app: db}}, ingress: [{}]}", False),
    ],
)
def test_a_default_deny_is_undone_by_a_policy_that_allows_all_to_all_pods(spec: str, fires: bool) -> None:
    """Of the namespace, or all that the namespace has; in the same direction."""
    deny = policy("{podSelector: {}, ingress: []}", "deny")

    assert fires == bool(found_in(POD + deny + policy(spec, "one"), RULES["undoes-default-deny"]))


def test_policies_could_be_one_if_they_select_and_isolate_the_same() -> None:
    """One finding has all of them."""
    spec = "{podSelector: {matchLabels: {app: web}}, policyTypes: [%s], ingress: [{ports: [{port: %s}]}]}"
    text = POD + "".join(policy(spec % ("Ingress", port), f"p{port}") for port in (1, 2, 3))
    (one,) = found_in(text + policy(spec % ("'Ingress', Egress", 4), "p4"), RULES["could-be-one"])

    assert "NetworkPolicy x/p1" == one.object
    assert one.message.startswith("x/p2, x/p3 select the same pods")
