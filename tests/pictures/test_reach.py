"""A picture of who reaches whom shows exactly what the evaluator allows, in units that fit its size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from random import Random

import pytest
from builders import cluster, namespace, peer, pod, policy, rule, topology, workload
from picture_inputs import text
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.cluster.types import Pod
from netlab.conformance.judges import cluster_of
from netlab.objects.documents import parse
from netlab.pictures.isolation import isolated
from netlab.pictures.model import Box, Picture
from netlab.pictures.namespace_counts import counted, place_of
from netlab.pictures.namespaces import Drawing
from netlab.pictures.reach import MOST_GROUPS, reach_picture
from netlab.pictures.units import parts_of
from netlab.policy.evaluate import evaluate
from netlab.policy.groups import groups

SIGNS = {"": "allow", "s ": "some", "u ": "unknown"}
BADGE = re.compile(
    r"(?P<sign>[su] )?(?P<word>from|to) (?P<set>everything|every pod|all not isolated)(?P<own> other than its own)?"
    r"( but (?P<but>[^:]+(?:: [^0-9:][^:]*)?))?(: (?P<ports>[^:]*))?"
)
Question = tuple[str, str, int, str, int | None]


def ports_in(written: str, families: list[int]) -> Iterator[tuple[int, str, int | None]]:
    for one in written.split(", "):
        found = re.fullmatch(r"(?:(\d+)/)?(\w+)(?: IPv(\d))?", one)
        assert found, written
        for family in [int(found[3])] if found[3] else families:
            yield family, found[2], int(found[1]) if found[1] else None


@lru_cache
def team(pods: int) -> Cluster:
    """Return the policy set of a team as a cluster."""
    documents, problems = parse(text(pods), "team.yaml")
    assert not problems
    return cluster_of(documents)


class Reader:
    """Expands a picture to verdicts of pairs, from what a reader sees: boxes, arrows and badges."""

    def __init__(self, of: Cluster, asked: FlowSelection, picture: Picture) -> None:
        self.families = asked.families_in(of)
        found = groups(of, asked)
        parts = parts_of(found, "workload" if picture.unit == "workload" else "group", most=MOST_GROUPS)
        self.members = {part.ident: part.members for part in parts}
        assert list(self.members) == [box.ident for box in picture.boxes]
        self.isolation = {part.ident: isolated(of, part.members) for part in parts}
        flows = list(asked.flows(of))
        self.asked = {(f.source.ref, f.target, f.family, f.protocol, f.port) for f in flows}
        self.verdicts: dict[Question, str] = {}
        for arrow in picture.arrows:
            ports = list(ports_in(arrow.note[0].rpartition(": ")[2], self.families))
            self.draw(arrow.source, arrow.target, ports, arrow.verdict)
            if arrow.both:
                self.draw(arrow.target, arrow.source, ports, arrow.verdict)
        for box in picture.boxes:
            for badge in box.badges:
                self.read(picture, box, badge)

    def draw(self, source: str, to: str, ports: list[tuple[int, str, int | None]], verdict: str) -> None:
        for a in self.members[source]:
            for b in self.members[to]:
                for port in ports:
                    if (question := (a.ref, b.ref, *port)) in self.asked and a is not b:
                        assert self.verdicts.setdefault(question, verdict) == verdict

    def read(self, picture: Picture, box: Box, badge: str) -> None:
        if (own := re.fullmatch(r"([su] )?one another: (.*)", badge)) is not None:
            self.draw(box.ident, box.ident, list(ports_in(own[2], self.families)), SIGNS[own[1] or ""])
            return
        if badge.startswith("itself: "):
            return
        found = BADGE.fullmatch(badge)
        assert found, badge
        incoming = found["word"] == "from"
        for other in self.named(picture, found, incoming):
            if other == box.ident and found["own"]:
                continue
            source, to = (other, box.ident) if incoming else (box.ident, other)
            ports = {question[2:] for question in self.asked}
            if found["ports"]:
                ports &= set(ports_in(found["ports"], self.families))
            self.draw(source, to, sorted(ports, key=str), SIGNS[found["sign"] or ""])

    def named(self, picture: Picture, found: re.Match[str], incoming: bool) -> Iterator[str]:
        but = (found["but"] or "").split(", ")
        for box in picture.boxes:
            of = self.isolation[box.ident]
            is_open = of.pods and not (of.egress if incoming else of.ingress)
            if found["set"] == "all not isolated" and not is_open:
                continue
            if found["set"] == "every pod" and box.kind != "pods":
                continue
            if box.ident not in but and f"{box.ident.split('/')[0]}/*" not in but:
                yield box.ident


def shown_and_expected(of: Cluster, asked: FlowSelection, unit: str) -> tuple[dict[Question, str], dict[Question, str]]:
    picture = reach_picture(of, asked, unit=unit)  # type: ignore[arg-type]
    assert picture.unit in ("workload", "group")
    expected: dict[Question, str] = {
        (f.source.ref, f.target, f.family, f.protocol, f.port): verdict
        for f in asked.flows(of)
        if f.source is not f.destination and (verdict := evaluate(of, f).verdict) != "deny"
    }
    return Reader(of, asked, picture).verdicts, expected


@pytest.mark.parametrize("seed", range(samples(40)))
def test_arrows_and_badges_are_what_the_evaluator_allows(seed: int) -> None:
    """Nothing that is allowed is missing, and nothing that is denied is drawn, in random clusters."""
    rng = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    of, asked = some_cluster(rng), some_questions(rng)
    shown, expected = shown_and_expected(of, asked, rng.choice(("workload", "group")))

    assert expected == shown


@pytest.mark.parametrize(("pods", "unit"), [(10, "workload"), (60, "group")])
def test_pictures_of_teams_are_what_the_evaluator_allows(pods: int, unit: str) -> None:
    """In the policy sets that teams have, badges replace arrows, and both are exact."""
    of = team(pods)
    shown, expected = shown_and_expected(of, FlowSelection(), "auto")

    assert expected == shown
    assert unit == reach_picture(of, FlowSelection()).unit


@pytest.mark.parametrize("seed", range(samples(20)))
def test_counts_between_namespaces_are_those_of_all_pairs(seed: int) -> None:
    """The open and the asked pairs between two namespaces are those of the evaluator, in random clusters."""
    rng = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    of, asked = some_cluster(rng), replace(some_questions(rng), self_pairs=False, services=False)
    counts = counted(groups(of, asked))
    total: Counter[object] = Counter()
    having: Counter[tuple[object, ...]] = Counter()
    for f in asked.flows(of):
        assert f.destination is not None
        pair = (place_of(f.source), place_of(f.destination), (f.family, f.protocol, f.port))
        total[pair] += 1
        having[*pair, evaluate(of, f).verdict] += 1

    assert total == {
        (a, b, port): count
        for a in counts.endpoints
        for b in counts.endpoints
        for port, count in counts.total(a, b).items()
    }
    assert {key: count for key, count in having.items() if key[3] != "deny"} == {
        (*pair, port, verdict): count
        for verdict, pairs in counts.open.items()
        for pair, ports in pairs.items()
        for port, count in ports.items()
    }


def test_hundreds_of_pods_are_namespaces_and_alike_ones_are_one_box() -> None:
    """At 500 pods a box is a namespace or a class of namespaces alike, which names its namespaces."""
    picture = reach_picture(team(500), FlowSelection())
    shops = picture.boxes[-1]

    assert "namespace" == picture.unit
    assert ["host:client", "ingress-nginx", "kube-system", "legacy", "monitoring", "shop-01"] == [
        box.ident for box in picture.boxes
    ]
    assert ("shop-01 … shop-29", "29 namespaces alike, 17 pods each") == shops.lines[:2]
    assert all(f"shop-{number:02}" in " ".join(shops.lines) for number in range(1, 30))
    assert ["5/17 each 8080/TCP"] == [arrow.label for arrow in picture.arrows if arrow.target == "shop-01"]
    assert "Pods that no policy isolates: legacy 4 of 4," in picture.below[-1]


def test_marks_between_namespaces_lead_to_file_and_line() -> None:
    """An arrow or a badge between namespaces has the reason of one pair, with the file and line of the rule."""
    picture = reach_picture(team(500), FlowSelection())
    arrow = next(arrow for arrow in picture.arrows if arrow.target == "shop-01")
    dns = next(box for box in picture.boxes if box.ident == "kube-system")

    assert re.search(r":\d+$", arrow.place)
    assert "8080/TCP: 145/145 pairs open" == arrow.note[0]
    assert (
        "ingress-nginx/controller-0 to shop-01/web-0: allowed by NetworkPolicy shop-01/web-from-edge" in arrow.note[1]
    )
    assert dns.note[0].startswith("from every namespace: 53/UDP: ingress-nginx/controller-0 to kube-system/coredns-0: ")


@pytest.mark.parametrize("seed", range(samples(12)))
def test_a_picture_of_namespaces_shows_each_pair_that_is_open(seed: int) -> None:
    """Two namespaces have an arrow or a complete badge if some pair is open, and none if no pair is."""
    rng = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    of, asked = some_cluster(rng), replace(some_questions(rng), services=False)
    drawing = Drawing(counted(groups(of, asked)))
    arrows = {(one.source, one.target, one.verdict) for one in drawing.arrows()}
    replaced = {(b.verdict, *pair) for b in drawing.badges for pair in b.replaced}
    for verdict, between in drawing.between.items():
        for (a, b), one in between.items():
            if a != b:
                left = [port for port in one.having if (verdict, (a, b), port) not in replaced]
                assert bool(left) == ((drawing.ident(a), drawing.ident(b), verdict) in arrows)
    assert all(one[2] in drawing.between for one in arrows)
    for verdict, (a, b), port in replaced:
        one = drawing.between[verdict][a, b]
        assert one.having[port] == one.total[port] > 0


def test_a_namespace_that_differs_leaves_its_class() -> None:
    """If one namespace of 29 loses its policies, it is a box of its own, and the others stay one."""
    of = team(500)
    changed = replace(of, policies=tuple(p for p in of.policies if p.meta.namespace != "shop-07"))
    lines = [box.lines for box in reach_picture(changed, FlowSelection()).boxes]

    assert ["shop-01 … shop-29", "shop-07"] == [of_box[0] for of_box in lines][-2:]
    assert "28 namespaces alike, 17 pods each" == lines[-2][1]


def test_one_label_more_leaves_the_other_boxes_in_their_order() -> None:
    """A pod with a new label is a new box; all others keep their names and their order."""
    of = team(60)
    pods = tuple(
        replace(pod, labels={**pod.labels, "app": "odd"}) if pod.ref == "shop-02/web-0" else pod for pod in of.pods
    )
    before = [box.ident for box in reach_picture(of, FlowSelection(), unit="group").boxes]
    after = [box.ident for box in reach_picture(replace(of, pods=pods), FlowSelection(), unit="group").boxes]

    assert before == [ident for ident in after if ident in before]
    assert len(before) + 1 == len(after)


def test_the_label_that_the_user_chooses_names_the_boxes() -> None:
    """``--name-by tier`` names a box by the value of ``tier``; pods without it are a box that says so."""
    of = cluster(topology(), *(pod(f"x/{name}", f"app={name},tier=back") for name in ("a", "b")), pod("x/c", "app=c"))
    picture = reach_picture(of, FlowSelection(), unit="group", label="tier")

    assert [f"back {chr(215)}2", "without tier"] == [box.lines[0] for box in picture.boxes]


def test_what_no_policy_isolates_says_so() -> None:
    """A box has the directions in which policies isolate it, and the policies with file and line."""
    of = cluster(
        topology(),
        pod("x/a", "app=a"),
        pod("x/b", "app=b"),
        policy("x/deny", "app=a", ingress=[rule(peer("app=b"), ports=["80"])]),
    )
    a, b = reach_picture(of, FlowSelection()).boxes

    assert ("ingress", "none") == (a.isolation, b.isolation)
    assert any("ingress: isolated by x/deny" in line for line in a.note)


def test_an_arrow_leads_to_the_rule_that_allows_it() -> None:
    """An arrow has its ports, the reason of the verdict, and the file and line of the rule."""
    picture = reach_picture(team(10), FlowSelection())
    arrow = next(one for one in picture.arrows if one.target == "shop/api")

    assert ("shop/web", "9000/TCP", "allow") == (arrow.source, arrow.label, arrow.verdict)
    assert re.search(r":\d+$", arrow.place)
    assert "NetworkPolicy shop/api-from-web" in arrow.note[1]
    assert all(box.place for box in picture.boxes if box.kind == "pods")


def test_boxes_link_to_groups_and_namespaces_of_a_report() -> None:
    """With ``links``, a box leads to its group's number from 1; a box of namespaces leads to its first."""
    of = team(60)
    found = groups(of, FlowSelection())
    picture = reach_picture(of, FlowSelection(), links=True, found=found)
    for part, box in zip(parts_of(found, "group"), picture.boxes, strict=True):
        assert part.group is not None
        assert f"#group-{part.group.number + 1}" == box.link
    by_namespace = reach_picture(of, FlowSelection(), unit="namespace", links=True)

    assert ["#namespace-legacy", "#namespace-legacy"] == [
        next(frame.link for frame in picture.frames if frame.label == "legacy"),
        next(box.link for box in by_namespace.boxes if box.ident == "legacy"),
    ]


def test_a_unit_with_too_many_boxes_becomes_namespaces() -> None:
    """If the user asks for a unit that no picture can have, the picture says so and has namespaces."""
    picture = reach_picture(team(500), FlowSelection(), unit="group")

    assert "namespace" == picture.unit
    assert "too many boxes for the unit group" in picture.below[0]


def test_a_badge_names_what_it_leaves_out() -> None:
    """If all pods but one reach DNS, the badge names the one."""
    of = cluster(
        topology(),
        namespace("sys"),
        workload("Deployment", "sys/dns", 1, "app=dns", ports=["dns=53/UDP"]),
        *(pod(f"x/p{n}", f"app=p{n}") for n in range(9)),
        policy("x/deny", "", ingress=[], egress=[]),
        policy("x/dns", "app notin (p3)", egress=[rule(peer(ns=""))]),
    )
    dns = next(box for box in reach_picture(of, FlowSelection()).boxes if box.ident == "sys/dns")

    assert ("from every pod but x/p3: 53/UDP",) == dns.badges


def test_every_pod_of_the_input_is_in_a_box() -> None:
    """Boxes stand for all endpoints in question, each once."""
    of = team(60)
    picture = reach_picture(of, FlowSelection())

    assert len([pod for pod in of.pods if isinstance(pod, Pod)]) == sum(b.count for b in picture.boxes if b.frame)


def test_few_namespaces_are_drawn_by_group_as_long_as_that_is_readable() -> None:
    """A picture of one namespace says little: up to 60 groups are boxes; beyond, the picture names the list."""

    def picture(count: int) -> Picture:
        workloads = [workload("Deployment", f"x/w{n}", 1, f"app=w{n}", ports=[f"p={8000 + n}"]) for n in range(count)]
        chain = [policy(f"x/p{n}", f"app=w{n}", ingress=[rule(peer(f"app=w{n - 1}"))]) for n in range(1, count)]
        return reach_picture(cluster(topology(), *workloads, *chain), FlowSelection())

    assert ("group", 40) == (picture(40).unit, len(picture(40).boxes))
    assert "61 groups are too many for a picture; netlab reach --group lists them." == picture(61).below[0]


def test_a_cluster_without_endpoints_has_an_empty_picture() -> None:
    """There is nothing to draw, and that is no error."""
    assert () == reach_picture(cluster(topology()), FlowSelection()).boxes
    assert () == reach_picture(cluster(topology()), FlowSelection(), unit="namespace").boxes
