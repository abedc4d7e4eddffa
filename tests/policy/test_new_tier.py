"""A new tier of the evaluator is one value and one line: evaluator, groups, rows and explanations use it.

The two tiers here are Admin, before NetworkPolicy, and Baseline, after it. They have one class, without code for sets,
so groups and rows use the slow and exact code for such tiers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

import pytest
from builders import cluster, flow, peer, pod, policy, rule, selector, topology, unread
from random_clusters import some_cluster, some_questions

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow, FlowSelection
from netlab.cluster.types import Endpoint, Pod
from netlab.errors import Problem
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import Address, Direction
from netlab.objects.unread import Subject
from netlab.policy import tiers
from netlab.policy.decision import Ruling
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.explain import explain
from netlab.policy.groups import groups
from netlab.policy.tiers.tier import Reads, Tier
from netlab.policy.warnings import warnings
from netlab.report import expanded
from netlab.report.rows import Tally, row_of
from netlab.verdicts import Action


@dataclass(frozen=True)
class AdminRule:
    """A rule: the action for flows between pods of two selectors; rules with a lower priority number come first."""

    name: str
    priority: int
    direction: Direction
    action: Action
    subject: LabelSelector
    peers: LabelSelector
    port: int | None = None


@dataclass
class Toy(Tier):
    """A tier of rules: the first matching rule decides."""

    name: str = "Admin"
    rules: Sequence[AdminRule] = field(default_factory=list)

    def policies(self, cluster: Cluster) -> Sequence[Any]:
        return self.rules

    def selecting(self, cluster: Cluster, direction: Direction, pod: Pod) -> tuple[Any, ...]:
        found = [r for r in self.rules if r.direction == direction and r.subject.matches(pod.labels)]
        return tuple(sorted(found, key=lambda r: r.priority)) if pod.selectable else ()

    def judge(
        self, cluster: Cluster, direction: Direction, subject: Pod, other: Endpoint | None, address: Address, flow: Flow
    ) -> Ruling:
        for one in self.selecting(cluster, direction, subject):
            fits = isinstance(other, Pod) and other.selectable and one.peers.matches(other.labels)
            if fits and one.port in (None, flow.port):
                return Ruling(self.name, one.action, one.name, one.priority)
        return Ruling(self.name, "pass")

    def reads(self, cluster: Cluster) -> Reads:
        return Reads([one for r in self.rules for one in (r.subject, r.peers)])

    def warnings(self, cluster: Cluster) -> Iterator[Problem]:
        for one in self.rules:
            if not any(one.subject.matches(each.labels) for each in cluster.pods):
                yield Problem("toy.yaml", 1, "", one.name, "selects nothing", "warning", "toy")


def admin(
    name: str, priority: int, action: Action, to: str, *, of: str = "", direction: Direction = "ingress", port: int = 0
) -> AdminRule:
    return AdminRule(name, priority, direction, action, selector(of), selector(to), port or None)


@pytest.fixture
def with_tiers(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(first: Sequence[AdminRule] = (), baseline: Sequence[AdminRule] = ()) -> None:
        network_policy, default = tiers.NETWORK_POLICY, tiers.TIERS[-1]
        new = (Toy("Admin", first), network_policy, Toy("Baseline", baseline), default)
        monkeypatch.setattr(tiers, "TIERS", new)

    return put


def lab(*policies: object) -> Cluster:
    apps = [pod(f"x/{name}", f"app={name}", ports=["80"]) for name in ("web", "db", "bad", "free")]
    return cluster(topology(hosts={"client": ["192.0.2.10"]}), *apps, *policies)


ONLY_WEB = policy("x/p", "app=db", ingress=[rule(peer("app=web")), rule(peer("app=bad"))])


def verdict(of: Cluster, source: str, to: str, service: str = "80/TCP") -> str:
    return evaluate(of, flow(of, source, to, service)).verdict


def test_an_admin_tier_denies_what_network_policy_allows(with_tiers: Any) -> None:
    """The reason names its rule, tier and priority."""
    with_tiers([admin("no-bad", 10, "deny", "app=bad")])
    of = lab(ONLY_WEB)
    decision = evaluate(of, flow(of, "x/bad", "x/db"))

    assert ("deny", "allow", "deny") == tuple(verdict(of, f"x/{name}", "x/db") for name in ("bad", "web", "free"))
    assert "ingress of x/db: no-bad of tier Admin (priority 10) denies x/bad on 80/TCP" == decision.reason


def test_the_first_rule_by_priority_decides(with_tiers: Any) -> None:
    """An allow before a deny allows what NetworkPolicy would deny; a pass leaves the flow to NetworkPolicy."""
    with_tiers(
        [
            admin("deny-all", 50, "deny", ""),
            admin("free", 10, "allow", "app=free", port=80),
            admin("rest", 20, "pass", "app=web"),
        ]
    )
    of = lab(ONLY_WEB)

    assert "allow" == verdict(of, "x/free", "x/db", "80/TCP")
    assert "deny" == verdict(of, "x/free", "x/db", "81/TCP")
    assert ["allow", "deny"] == [verdict(of, "x/web", "x/db"), verdict(of, "x/bad", "x/db")]
    assert "allowed by free of tier Admin (priority 10)" == evaluate(of, flow(of, "x/free", "x/db")).reason


def test_the_baseline_tier_decides_only_for_pods_that_no_network_policy_isolates(with_tiers: Any) -> None:
    """The default decides the rest."""
    with_tiers(baseline=[admin("deny-web", 1, "deny", "app=web")])
    of = lab(ONLY_WEB)

    assert "allow" == verdict(of, "x/web", "x/db")
    assert "deny" == verdict(of, "x/web", "x/free")
    assert "default, as no rule of tier Baseline decides" in evaluate(of, flow(of, "x/bad", "x/free")).reason


RULES = [
    admin("a", 1, "pass", "app=web", port=80),
    admin("b", 2, "deny", "app=web", of="app in (db,free)"),
    admin("c", 3, "allow", "app=bad", of="app=db"),
    admin("d", 4, "deny", "app=free", of="app=web", direction="egress"),
    admin("e", 5, "allow", "", of="app=bad", direction="egress"),
]
BASELINE = [admin("f", 1, "deny", "app in (web,bad)"), admin("g", 2, "deny", "app=db", direction="egress", port=81)]
ASKED = FlowSelection((("TCP", 80), ("TCP", 81), ("ICMP", None)), nodes=True, self_pairs=True)


def assert_alike(of: Cluster, asked: FlowSelection) -> None:
    wanted = [row_of(one, (d := evaluate(of, one)).verdict, None, d.reason) for one in asked.flows(of)]
    found = {
        (source.ref, to.ref, *answer.service): answer.verdict
        for answer in groups(of, asked).answers()
        for source, to in product(answer.source.members, answer.destination.members)
        if (source is to) == answer.alone
    }
    tally = Tally("reach")

    assert {(r.source, r.destination, r.family, r.protocol, r.port): r.expected for r in wanted} == found
    assert wanted == list(expanded.rows(Expansion(of, asked)))
    assert len(wanted) == sum(text.count('"source"') for text in expanded.json_rows(Expansion(of, asked), tally))


@pytest.mark.parametrize(("first", "baseline"), [(RULES, []), ([], BASELINE), (RULES, BASELINE)])
def test_groups_and_rows_agree_with_the_evaluator(
    with_tiers: Any, first: list[AdminRule], baseline: list[AdminRule]
) -> None:
    """With NetworkPolicies and without, reasons included."""
    with_tiers(first, baseline)
    for policies in ([], [ONLY_WEB], [ONLY_WEB, policy("x/out", "app=web", egress=[rule(peer("app=db"))])]):
        assert_alike(lab(*policies), ASKED)


@pytest.mark.parametrize("seed", range(4))
def test_groups_and_rows_of_random_clusters(with_tiers: Any, seed: int) -> None:
    """With random modes, settings, attachments, published ports, unread policies and questions."""
    with_tiers(
        [admin("in", 5, "deny", "app=a", of="app"), admin("out", 6, "pass", "tier", direction="egress")],
        [admin("rest", 1, "deny", "app", direction="egress")],
    )
    for number in range(6):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        assert_alike(some_cluster(dice), some_questions(dice))


def test_explain_has_a_line_for_each_tier(with_tiers: Any) -> None:
    """With the priority and the rule that decided, and the change that would reverse it."""
    with_tiers(RULES, BASELINE)
    of = lab(ONLY_WEB)
    denied = explain(of, flow(of, "x/web", "x/db", "81/TCP"))
    passed = explain(of, flow(of, "x/web", "x/db", "80/TCP"))

    assert (
        "Ingress of x/db: deny",
        "Admin: deny, priority 2",
        "  b denies it",
        "NetworkPolicy: not reached; it would allow it: NetworkPolicy x/p spec.ingress[0].from[0] allows it",
        "Baseline: not reached",
    ) == (denied.sections[2].title, *denied.sections[2].lines)
    assert ("change g of Baseline", "change b of Admin") == denied.otherwise.lines
    assert (
        "Admin: pass, priority 1",
        "  a passes it to the next tier",
        "NetworkPolicy: allow",
        "  NetworkPolicy x/p isolates it",
    ) == passed.sections[2].lines[:4]


def test_each_tier_with_policies_has_warnings_of_its_own(with_tiers: Any) -> None:
    """Here about a rule that selects nothing."""
    with_tiers([admin("unused", 1, "deny", "", of="app=missing")])

    assert ["unused"] == [problem.object for problem in warnings(lab())]


def test_an_unread_policy_may_change_the_verdict_of_all_tiers(with_tiers: Any) -> None:
    """The reason does not say that NetworkPolicy decides alone."""
    with_tiers([admin("no-bad", 10, "deny", "app=bad")])
    of = lab(unread("x/c", Subject("x", allows=frozenset(("ingress",)))))
    decision = evaluate(of, flow(of, "x/bad", "x/db"))

    assert "unknown" == decision.verdict
    assert decision.reason.endswith("; what netlab reads denies it")
