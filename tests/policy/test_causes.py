"""Causes: without its named part of the change a pair has its old verdict, and no smaller part does that.

``make verify-diff`` runs the random test with more pairs of inputs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import combinations
from random import Random

import pytest
from services.random_clusters import documents
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.cluster.resolve import resolve, try_resolve
from netlab.conformance.cases import Stage
from netlab.conformance.cluster_policies import random_sets
from netlab.conformance.random_cases import stage
from netlab.objects import Document, decode
from netlab.objects.documents import parse
from netlab.objects.meta import key_of
from netlab.objects.types import Source
from netlab.policy.causes import Causes
from netlab.policy.cluster_diff import ClusterDiff, cluster_diff
from netlab.policy.clusters_between import ClustersBetween, Part, Version, flow_by_name, placements
from netlab.policy.evaluate import evaluate
from netlab.policy.explained_pairs import ExplainedPairs, merged

PAIRS = int(os.environ.get("NETLAB_DIFFS", "0")) or samples(12)


def some_two(seed: str, stage: Callable[[Random, str], Stage] = stage) -> tuple[list[Document], list[Document]]:
    """Return the documents of two inputs that share most of their objects."""
    dice = Random(seed)  # noqa: S311  the same inputs every time, not a secret
    old, other = ({key_of(one): one for one in stage(dice, "bridge").documents} for _ in range(2))
    share = dice.choice((0.1, 0.3, 0.6))
    new = {key: other.get(key, one) if dice.random() < share else one for key, one in old.items()}
    gone = [key for key in new if key.kind.endswith("NetworkPolicy") and dice.random() < share]
    came = {key: one for key, one in other.items() if key not in old and dice.random() < share}
    return [*old.values()], [one for key, one in (new | came).items() if key not in gone]


def two_with_services(seed: int) -> tuple[list[Document], list[Document]]:
    """Return the documents of two inputs with Services, slices and policies, some of which the new one lacks."""
    dice = Random(seed)  # noqa: S311  the same inputs every time, not a secret
    old = [Document(one, Source()) for one in documents(seed, ("overlay", "routed", "bridge")[seed % 3])]
    kept = ("Topology", "Pod", "Node", "Namespace", "Service")
    return old, [one for one in old if one.kind in kept or dice.random() < 0.7]


def version(documents: list[Document], before: Cluster | None = None) -> Version:
    objects, problems = decode(documents)
    assert not [one for one in problems if one.severity == "error"]
    services = {one.meta.key: one for one in before.services} if before is not None else {}
    return Version(objects, resolve(objects, placements(before) if before is not None else None, services))


def explained(
    old: list[Document], new: list[Document], asked: FlowSelection, **options: bool
) -> tuple[ClusterDiff, ClustersBetween, list[ExplainedPairs]]:
    before = version(old)
    after = version(new, before.cluster)
    found = cluster_diff(before.cluster, after.cluster, asked, **options)
    between = ClustersBetween(before, after)
    causes = Causes(between, found.questions)
    rows = [row for one in found.found for row in causes.explained(one)]
    assert not causes.unexplained
    return found, between, rows


def expanded(rows: list[ExplainedPairs]) -> list[str]:
    """Return each pair with its port, verdicts and cause as text."""
    return [
        f"{source.ref} {getattr(end, 'ref', end)} {of.asked} {of.old} {of.new} {sorted(map(str, row.parts))}"
        for row in rows
        for of in (row.pairs,)
        for source, end in of.ends()
    ]


def resolved(between: ClustersBetween, parts: frozenset[Part]) -> Cluster | None:
    """Return the cluster without parts of the change, read from the documents alone."""
    plain = [Document(one.data, one.source) for one in between.documents(parts)]
    objects, problems = decode(plain)
    if any(one.severity == "error" for one in problems):
        return None
    services = {one.meta.key: one for one in between.old.cluster.services}
    return try_resolve(objects, placements(between.old.cluster, between.new.cluster), services=services)[0]


@pytest.mark.parametrize("seed", range(PAIRS))
def test_without_its_cause_a_pair_has_its_old_verdict_and_nothing_smaller_does_that(seed: int) -> None:
    """For each pair of each row, on inputs that are read from documents alone."""
    assert_smallest(*some_two(str(seed)))


@pytest.mark.parametrize("seed", range(max(1, PAIRS // 3)))
def test_cluster_wide_policies_are_causes(seed: int) -> None:
    """Of the three kinds, with NetworkPolicies beneath."""
    assert_smallest(*some_two(f"cluster-wide-{seed}", random_sets.stage))


def assert_smallest(old: list[Document], new: list[Document]) -> None:
    asked = FlowSelection(ports=(("TCP", 80), ("UDP", 53)))

    found, between, rows = explained(old, new, asked)

    assert sum(one.pairs for one in found.found) == sum(one.pairs.pairs for one in rows)
    assert sorted(expanded(rows)) == sorted(expanded(merged(rows)))
    assert len(merged(rows)) <= len(rows)
    for row in rows:
        assert row.because
        reverted = resolved(between, row.parts)
        assert reverted is not None
        for ends in row.pairs.ends():
            flow = flow_by_name(reverted, ends, row.pairs.asked)
            assert flow is not None
            assert row.pairs.old == evaluate(reverted, flow).verdict
        objects = [Part(number) for number in range(len(between.changed))]
        for size in range(1, len({part.object for part in row.parts})):
            for some in combinations(objects, size):
                assert row.pairs.old != between.verdict(frozenset(some), row.pairs.example, row.pairs.asked)
        for part in row.parts if len(row.parts) > 1 else ():
            assert row.pairs.old != between.verdict(row.parts - {part}, row.pairs.example, row.pairs.asked)


@pytest.mark.parametrize("seed", range(max(1, PAIRS // 2)))
def test_without_its_cause_a_service_has_its_old_verdict(seed: int) -> None:
    """For each pair of each row, also with nodes and Services as destinations."""
    old, new = two_with_services(seed)
    asked = FlowSelection(ports=(("TCP", 80), ("UDP", 80)), services=True, nodes=True)

    _, between, rows = explained(old, new, asked)

    for row in rows:
        reverted = resolved(between, row.parts)
        assert reverted is not None
        for ends in row.pairs.ends():
            flow = flow_by_name(reverted, ends, row.pairs.asked)
            assert flow is not None
            assert row.pairs.old == evaluate(reverted, flow).verdict


PODS = """
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: web, labels: {app: web, tier: TIER}}
spec: {containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: db, labels: {app: db}}
spec: {containers: [{name: c, image: c, ports: [{containerPort: 5432}]}]}
---
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {tier: front}}}]
    ports: [{port: PORT}]
"""
FRONT, BACK = PODS.replace("TIER", "front"), PODS.replace("TIER", "back")
ADMITS, OTHER_PORT = POLICY.replace("PORT", "5432"), POLICY.replace("PORT", "5433")
RULE = "NetworkPolicy shop/db spec.ingress[0]"
TWO_RULES = ADMITS.replace(
    "  ingress:\n", "  ingress:\n  - from: [{podSelector: {matchLabels: {app: a}}}]\n    ports: []\n"
)


@pytest.mark.parametrize(
    ("old", "new", "causes"),
    [
        pytest.param(
            BACK + ADMITS,
            FRONT + ADMITS,
            [
                "Pod shop/web (new:4) metadata.labels.tier: label tier=back changed to tier=front: "
                f"{RULE}.from[0] (new:19) allows it"
            ],
            id="a label that a rule's peer asks for",
        ),
        pytest.param(
            FRONT + OTHER_PORT,
            FRONT + ADMITS,
            [
                "NetworkPolicy shop/db (new:20) spec.ingress[0].ports[0].port: port 5433 changed to 5432: "
                f"{RULE}.from[0] (new:19) allows it"
            ],
            id="a port of a rule",
        ),
        pytest.param(
            BACK + ADMITS,
            BACK,
            ["NetworkPolicy shop/db (old:13): policy deleted: nothing isolates shop/db for ingress any more"],
            id="a policy deleted that isolated",
        ),
        pytest.param(
            BACK,
            BACK + OTHER_PORT,
            [
                "NetworkPolicy shop/db (new:13): policy added: NetworkPolicy shop/db isolates shop/db for ingress, and"
                f" no rule admits it; nearest: {RULE} (new:19): from[0]: pod label tier=front, found tier=back"
            ],
            id="a policy added that isolates",
        ),
        pytest.param(
            FRONT + ADMITS,
            FRONT + OTHER_PORT,
            [
                "NetworkPolicy shop/db (new:20) spec.ingress[0].ports[0].port: port 5432 changed to 5433: "
                f"{RULE}.from[0] (old:19) allowed it; now no rule admits it; nearest: {RULE} (new:19): "
                "port: 5433/TCP, asked 5432/TCP"
            ],
            id="the nearest rule has another port",
        ),
        pytest.param(
            BACK + ADMITS,
            BACK + ADMITS.replace("{matchLabels: {tier: front}}", "{}"),
            [
                "NetworkPolicy shop/db (old:19) spec.ingress[0].from[0].podSelector.matchLabels: labels tier=front "
                f"removed from podSelector: {RULE}.from[0] (new:19) allows it"
            ],
            id="labels of a selector are removed",
        ),
        pytest.param(
            FRONT + TWO_RULES,
            FRONT + TWO_RULES.replace("tier: front", "tier: other"),
            [
                "NetworkPolicy shop/db (new:21) spec.ingress[1].from[0].podSelector.matchLabels.tier: label tier=front "
                "of podSelector changed to tier=other: NetworkPolicy shop/db spec.ingress[1].from[0] (old:21) allowed "
                "it; now no rule admits it; nearest: NetworkPolicy shop/db spec.ingress[1] (new:21): from[0]: pod label"
                " tier=other, found tier=front"
            ],
            id="the nearest rule is the one that allowed it",
        ),
        pytest.param(
            BACK + OTHER_PORT,
            FRONT + ADMITS,
            [
                "NetworkPolicy shop/db (new:20) spec.ingress[0].ports[0].port: port 5433 changed to 5432: "
                f"{RULE}.from[0] (new:19) allows it"
            ],
            id="two changes are needed, and one of them taken back suffices",
        ),
        pytest.param(
            FRONT + ADMITS,
            FRONT + ADMITS.replace("PORT", "5432").replace("  ingress:", "  policyTypes: [Ingress]\n  ingress:"),
            [],
            id="a change of text that means nothing",
        ),
    ],
)
def test_a_cause_names_object_field_and_what_follows(old: str, new: str, causes: list[str]) -> None:
    """The place is in the old input if the object or field was removed."""
    texts = (parse(old, "old")[0], parse(new, "new")[0])

    _, _, rows = explained(*texts, FlowSelection())

    assert causes == [
        str(cause) for row in rows for cause in row.because if "shop/web" in row.pairs.source.members[0].ref
    ]


def test_two_policies_that_both_allow_are_one_cause() -> None:
    """Each of them alone allows the pair, so both must be taken back."""
    second = ADMITS.replace("name: db}", "name: db-2}")
    empty = ADMITS.replace("name: db}", "name: deny}").partition("  ingress:")[0] + "  policyTypes: [Ingress]\n"
    old, new = (parse(text, "f")[0] for text in (FRONT + empty, FRONT + empty + "---" + ADMITS + "---" + second))

    _, _, rows = explained(old, new, FlowSelection())

    assert [["NetworkPolicy shop/db", "NetworkPolicy shop/db-2"]] == [
        [one.object for one in row.because] for row in rows
    ]


def test_a_row_is_divided_by_causes() -> None:
    """Two namespaces lose their default deny: pods of both were closed alike, for reasons of their own."""
    deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: NS, name: deny}\n"
    deny += "spec: {podSelector: {}, policyTypes: [Ingress]}\n---\n"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {namespace: NS, name: a}\n"
    pod += "spec: {containers: [{name: c, image: c}]}\n---\n"
    pods = "".join(pod.replace("NS", space) for space in ("a", "b", "c"))
    old, new = parse(pods + deny.replace("NS", "a") + deny.replace("NS", "b"), "old")[0], parse(pods, "new")[0]

    _, _, rows = explained(old, new, FlowSelection())

    assert [("a/a", "NetworkPolicy a/deny"), ("b/a", "NetworkPolicy b/deny")] == sorted(
        {(end.ref, cause.object) for row in rows for _, end in row.pairs.ends() for cause in row.because}  # type: ignore[union-attr]
    )


def test_rows_with_one_cause_and_one_end_are_merged() -> None:
    """All pods that reach two destinations for one reason are one row; no pair has one pod as both ends."""
    policy = (
        "---" + OTHER_PORT.replace("spec:", "spec: {podSelector: {}, policyTypes: [Ingress]}").partition("\n  pod")[0]
    )
    pods = "---".join(FRONT.replace("namespace: shop", f"namespace: {space}") for space in ("a", "b", "shop"))
    old, new = (
        parse(pods.replace("---\n---", "---") + policy, "old")[0],
        parse(pods.replace("---\n---", "---"), "new")[0],
    )

    _, _, rows = explained(old, new, FlowSelection(ports=(("TCP", 80),)))

    (row,) = merged(rows)
    sources = {source.ref for source, _ in row.pairs.ends()}
    assert {f"{space}/{name}" for space in ("a", "b", "shop") for name in ("web", "db")} == sources
    assert {"shop/web", "shop/db"} == {getattr(end, "ref", "") for _, end in row.pairs.ends()}
    assert 10 == row.pairs.pairs


def test_a_pod_that_appears_is_caused_by_its_object() -> None:
    """The absent side has no verdict."""
    old, new = parse(FRONT.partition("---")[0], "old")[0], parse(FRONT, "new")[0]

    found, _, rows = explained(old, new, FlowSelection(), one_sided=True)

    assert ("shop/db",) == found.appeared
    assert {(None, "allow", "Pod shop/db (new:7): Pod added")} == {
        (row.pairs.old, row.pairs.new, str(cause)) for row in rows for cause in row.because
    }
