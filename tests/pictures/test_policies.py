"""The picture of policies: what they select, what they allow, and first of all what none of them isolates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import cluster as cluster_of
from builders import (
    cluster_peer,
    cluster_policy,
    cluster_rule,
    namespace,
    peer,
    pod,
    pods_peer,
    policy,
    rule,
    source,
    unread,
    workload,
)
from picture_inputs import text as picture_input

from netlab.cluster import Cluster, resolve_input
from netlab.cluster.flows import FlowSelection
from netlab.errors import Problem
from netlab.objects import Document, read_input
from netlab.objects.documents import Reader
from netlab.objects.unread import Subject
from netlab.pictures import policies as of_policies
from netlab.pictures.model import Box, Picture
from netlab.pictures.policies import MOST_BOXES, policies_picture
from netlab.policy.evaluate import evaluate
from netlab.profiles.documents import with_profile


def by_name(picture: Picture) -> dict[str, Box]:
    return {box.lines[0]: box for box in picture.boxes}


def selected(picture: Picture) -> dict[str, list[str]]:
    """Return the names of what each policy selects."""
    names = {box.ident: box.lines[0] for box in picture.boxes}
    found: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        found.setdefault(names[arrow.source], []).append(names[arrow.target])
    return found


def test_a_policy_says_what_it_selects_and_allows():
    """Its box has a line for its selector and one for each rule."""
    cluster = cluster_of(
        pod("shop/web", "app=web"),
        pod("shop/db", "app=db"),
        pod("edge/nginx"),
        policy(
            "shop/db",
            "app=db",
            ingress=[rule(peer("app=web"), ports=["5432"]), rule(peer(ns="kubernetes.io/metadata.name=edge"))],
            egress=[],
            source=source(10, spec__ingress=12),
        ),
    )
    picture = policies_picture(cluster)
    box = next(box for box in picture.boxes if box.kind == "policy")

    assert (
        "db",
        "selects app=db",
        "in: 5432/TCP from app=web",
        "in: every port from namespace edge",
        "out: nothing",
    ) == box.lines
    assert "test.yaml:10" == box.place
    assert "in: 5432/TCP from app=web (test.yaml:12)" in box.note


def test_an_arrow_leads_from_a_policy_to_the_pods_that_it_selects():
    """A policy that selects every pod has one arrow to one box for all of them."""
    cluster = cluster_of(
        workload("Deployment", "shop/web", 3, "app=web"),
        pod("shop/api", "app=api"),
        policy("shop/for-web", "app=web", ingress=[]),
        policy("shop/all", "", ingress=[]),
    )

    assert {"for-web": ["web ×3"], "all": ["every pod"]} == selected(policies_picture(cluster))


def test_pods_that_no_policy_isolates_come_first():
    """Namespaces with such pods come first, too."""
    cluster = cluster_of(
        pod("a/safe"),
        policy("a/deny", types="ingress egress"),
        pod("b/open"),
        pod("c/half"),
        policy("c/in", ingress=[]),
    )
    picture = policies_picture(cluster)
    boxes = by_name(picture)

    assert ["b", "c", "a"] == [frame.label for frame in picture.frames]
    assert "open" == picture.boxes[0].lines[0]
    assert "none" == boxes["open"].isolation
    assert "ingress" == boxes["half"].isolation
    assert "both" == boxes["safe"].isolation
    assert "ingress: 1 of 3 pods are not isolated" in picture.below
    assert "egress: 2 of 3 pods are not isolated" in picture.below


def test_a_policy_that_selects_nothing_says_so():
    """It has no arrow, and the text below names it."""
    cluster = cluster_of(pod("shop/web", "app=web"), policy("shop/typo", "app=wbe", ingress=[]))
    picture = policies_picture(cluster)

    assert "selects app=wbe: no pod" in by_name(picture)["typo"].lines
    assert "policies that select nothing: shop/typo" in picture.below
    assert () == picture.arrows


def test_a_peer_that_matches_no_pod_says_so():
    """The line of its rule ends with (no pod)."""
    cluster = cluster_of(pod("shop/web"), policy("shop/p", ingress=[rule(peer("a=b"))]))

    assert "in: every port from a=b (no pod)" in by_name(policies_picture(cluster))["p"].lines


def test_policies_that_netlab_does_not_read_have_their_own_sign():
    """Their boxes and arrows have the sign of unknown verdicts."""
    subject = Subject(namespace="shop", denies=frozenset(("ingress",)))
    wide = Subject(denies=frozenset(("ingress",)))
    cluster = cluster_of(pod("shop/web"), unread("shop/l7", subject), unread("wide", wide, kind="WidePolicy"))
    picture = policies_picture(cluster)
    boxes = by_name(picture)

    assert ("l7", "FooNetworkPolicy", "u: not read by netlab") == boxes["l7"].lines
    assert "foo.yaml:7" == boxes["l7"].place
    assert ("wide", "WidePolicy", "u: not read by netlab", "may select 1 pod") == boxes["wide"].lines
    assert ["unknown"] == [arrow.verdict for arrow in picture.arrows]
    assert "u: FooNetworkPolicy" in boxes["web"].lines


def test_pods_on_which_no_policy_can_act_are_not_isolated():
    """A pod with hostNetwork has its own box, which says why."""
    cluster = cluster_of(pod("shop/agent", host=True), pod("shop/web"), policy("shop/deny", types="ingress egress"))
    boxes = by_name(policies_picture(cluster))

    assert "none" == boxes["agent"].isolation
    assert "host network: no policy applies" in boxes["agent"].lines
    assert "both" == boxes["web"].isolation


@pytest.mark.parametrize(("pods", "frames"), [(10, 4), (60, 5), (500, 5)])
def test_namespaces_alike_share_a_frame_at_any_size(pods: int, frames: int, tmp_path: Path):
    """From 10 to 500 pods a picture has at most MOST_BOXES boxes."""
    picture = policies_picture(_read(tmp_path, picture_input(pods)))
    idents = [box.ident for box in picture.boxes]

    assert frames == len(picture.frames)
    assert len(idents) == len({*idents}) <= MOST_BOXES
    assert {end for arrow in picture.arrows for end in (arrow.source, arrow.target)} <= {*idents}
    assert all(box.place for box in picture.boxes if box.kind == "policy")
    assert all(arrow.place for arrow in picture.arrows)


def test_a_box_stands_for_a_namespace_where_too_many_policies_differ(monkeypatch: pytest.MonkeyPatch):
    """Namespaces with equal numbers share a box."""
    monkeypatch.setattr(of_policies, "MOST_BOXES", 3)
    cluster = cluster_of(
        *(pod("a/one"), pod("a/two"), policy("a/deny", types="ingress egress"), policy("a/none", "x=y", ingress=[])),
        *(pod("b/open"), pod("c/open")),
    )
    picture = policies_picture(cluster)

    assert [("b … c ×2", "each: 1 pod, 0 policies"), ("a", "2 pods, 2 policies", "1 select nothing")] == [
        box.lines for box in picture.boxes
    ]
    assert ["none", "both"] == [box.isolation for box in picture.boxes]


def _read(tmp_path: Path, text: str, profile: str = "") -> Cluster:
    file = tmp_path / "input.yaml"
    file.write_text(text)

    def change(documents: list[Document], reader: Reader) -> tuple[list[Document], list[Problem]]:
        return (with_profile(documents, profile, ()) if profile else documents), []

    return resolve_input(read_input([str(file)], change=change))[0]


PROFILES = sorted(file.stem for file in (Path(__file__).parents[2] / "netlab/profiles/data").glob("*.yaml"))


@pytest.mark.parametrize("profile", PROFILES)
def test_it_calls_isolated_what_the_evaluator_judges(profile: str, tmp_path: Path):
    """With every profile: some CNIs enforce nothing, or one direction only, or read fewer policies."""
    cluster = _read(tmp_path, picture_input(10), profile)
    isolated: dict[str, set[str]] = {"ingress": set(), "egress": set()}
    for one in FlowSelection().flows(cluster):
        for side in evaluate(cluster, one).sides:
            if side.isolating:
                isolated[side.direction].add(side.subject.ref)
    pods = {pod.ref for pod in cluster.asked_pods()}
    picture = policies_picture(cluster)

    for direction, found in isolated.items():
        expected = f"{direction}: {len(pods - found)} of {len(pods)} pods are not isolated"
        assert expected in picture.below
        drawn = sum(
            box.count
            for box in picture.boxes
            if box.kind == "pods" and box.lines[0] != "every pod" and box.isolation in ("both", direction)
        )
        assert len(found & pods) == drawn


def test_a_pod_without_network_is_neither_isolated_nor_open():
    """Its box says that it has no network."""
    cluster = cluster_of(pod("shop/alone", network="none"), pod("shop/web"))
    boxes = by_name(policies_picture(cluster))

    assert "" == boxes["alone"].isolation
    assert "no network" in boxes["alone"].lines


def test_a_cluster_wide_policy_is_a_box_with_arrows_to_the_pods_that_it_selects() -> None:
    """It has the tier, the priority, the subject and the rules in their order; one for every pod has no arrow."""
    cluster = cluster_of(
        namespace("x", "team=x"),
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        pod("y/c", "app=c"),
        cluster_policy(
            "one",
            pods_peer("app=a", "team=x"),
            ingress=[
                cluster_rule("allow", cluster_peer("app=b"), ports=["80"]),
                cluster_rule("deny", cluster_peer("")),
            ],
            priority=7,
        ),
        cluster_policy("all", egress=[cluster_rule("pass", cluster_peer(networks=["10.0.0.0/8"]))], tier="Baseline"),
        cluster_policy("none", pods_peer("app=z"), ingress=[cluster_rule("deny", cluster_peer(""))]),
    )
    picture = policies_picture(cluster)
    boxes = by_name(picture)
    text = " ".join(boxes["one"].lines)

    assert "tier Admin, priority 7" in boxes["one"].lines
    assert text.index("selects pods with app=a") < text.index("in: accept 80/TCP") < text.index("in: deny every port")
    assert [("policy/ClusterNetworkPolicy one", boxes["a"].ident)] == [(a.source, a.target) for a in picture.arrows]
    assert "out: pass every port to networks 10.0.0.0/8" in boxes["all"].note
    assert "no pod" in " ".join(boxes["none"].lines)
    assert "policies that select nothing: ClusterNetworkPolicy none" in picture.below
    assert ("ingress", "none") == (boxes["a"].isolation, boxes["b"].isolation)


@pytest.mark.parametrize(
    ("rules", "isolation"),
    [
        ([cluster_rule("deny", cluster_peer(""))], "ingress"),
        ([cluster_rule("allow", cluster_peer("app=b")), cluster_rule("deny", cluster_peer(""))], "ingress"),
        ([cluster_rule("deny", cluster_peer(networks=["0.0.0.0/0", "::/0"]))], "ingress"),
        ([cluster_rule("deny", cluster_peer(""), ports=["80"])], "none"),
        ([cluster_rule("allow", cluster_peer("")), cluster_rule("deny", cluster_peer(""))], "none"),
        ([cluster_rule("pass", cluster_peer("")), cluster_rule("deny", cluster_peer(""))], "none"),
    ],
    ids=["deny", "some accepted", "every address", "one port", "all accepted before", "all passed before"],
)
def test_a_badge_says_isolated_where_a_cluster_wide_policy_denies_all_pods(rules: list[Any], isolation: str) -> None:
    """The first rule for every port of all pods decides."""
    cluster = cluster_of(pod("x/a", "app=a"), cluster_policy("one", ingress=rules))

    assert isolation == by_name(policies_picture(cluster))["a"].isolation
