"""Groups as text: their names and their lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import yaml
from builders import cluster, namespace, peer, pod, policy, rule, selector, topology, unread, workload

from netlab.cluster.flows import FlowSelection, every_pair
from netlab.objects.unread import Subject
from netlab.policy.evaluate import evaluate
from netlab.policy.group_names import GroupNames
from netlab.policy.groups import Groups, groups
from netlab.report import formats
from netlab.report.groups import ReachabilityGroups, lists, summary, table

DENY: dict[str, Any] = {"ingress": []}


def document(of: Groups, output: str) -> Iterator[str]:
    return formats.lines(ReachabilityGroups(of), output)


def found(*things: Any, **asked: Any) -> Groups:
    return groups(cluster(*things), FlowSelection(**asked))


def names(of: Groups) -> list[str]:
    namer = GroupNames(of.cluster)
    return [namer.name(group).counted for group in of.groups]


@pytest.mark.parametrize(
    ("things", "expected"),
    [
        pytest.param([pod("x/a", "app=a")], ["x/a"], id="one pod by its name"),
        pytest.param([pod("x/a", "app=a"), pod("x/b", "app=b")], ["x/* (2 pods)"], id="a whole namespace"),
        pytest.param(
            [
                workload("Deployment", "x/a", 2, "app=a,tier=web"),
                pod("x/b", "tier=web"),
                policy("x/p", "app=a", **DENY),
            ],
            ["x app=a (2 pods)", "x/b"],
            id="the label that nobody else in the namespace has",
        ),
        pytest.param(
            [
                workload("Deployment", "x/a", 2, "app=a,tier=web"),
                *(pod("x/b", "app=a"), pod("x/c", "tier=web"), policy("x/p", "app=a,tier=web", **DENY)),
            ],
            ["x app=a,tier=web (2 pods)", "x: b, c (2 pods)"],
            id="two labels where it takes two, and names where no labels do",
        ),
        pytest.param(
            [*(pod(f"{ns}/a", "app=a") for ns in "uvwxyz")],
            ["every namespace/* (6 pods)"],
            id="everybody",
        ),
        pytest.param(
            [
                *(namespace(ns, "team=t" if ns != "z" else "") for ns in "uvwxyz"),
                *(pod(f"{ns}/{app}", f"app={app}") for ns in "uvwxyz" for app in "ab"),
                *(policy(f"{ns}/p", "app=a", ingress=[rule()]) for ns in "uvwxyz"),
                policy("z/q", egress=[]),
            ],
            ["namespaces team=t/* (10 pods)", "z/* (2 pods)"],
            id="namespaces by their label",
        ),
        pytest.param(
            [
                topology(["n1", "n2"]),
                *(pod(f"x/{name}", node="n1") for name in "ab"),
                *(pod(f"x/{name}", node="n2") for name in "cd"),
            ],
            ["x on n1 (2 pods)", "x on n2 (2 pods)"],
            id="the node where it is what differs",
        ),
        pytest.param(
            [*(pod(f"x/{name}") for name in "abc"), policy("x/p", ingress=[rule(peer(cidr="10.244.0.2/31"))])],
            ["x: a, b (2 pods)", "x/c"],
            id="names of a few, where no words tell them apart",
        ),
        pytest.param(
            [*(pod(f"x/{name}") for name in "abcdef"), policy("x/p", ingress=[rule(peer(cidr="10.244.0.7/32"))])],
            ["x: all but f (5 pods)", "x/f"],
            id="all but a few",
        ),
        pytest.param(
            [
                *(pod(f"x/{name}", "app=a" if name != "h" else "") for name in "abcdefgh"),
                policy("x/p", ingress=[rule(peer(cidr="10.244.0.4/30"))]),
            ],
            ["x: 4 of 7 app=a: c, d, e, … (4 pods)", "x: 4 of 8 pods: a, b, g, … (4 pods)"],
            id="how many of how many",
        ),
        pytest.param(
            [topology(hosts={"a": ["192.0.2.1"], "b": ["192.0.2.2"]}), pod("x/a")],
            ["x/a", "host:a, host:b (2 hosts)"],
            id="outside hosts by their names",
        ),
    ],
)
def test_names(things: list[Any], expected: list[str]) -> None:
    """The fewest labels that select all members and no other pod."""
    assert sorted(expected) == sorted(names(found(*things)))


SHOPS = [
    topology(hosts={"out": ["192.0.2.10"]}, mode="routed"),
    *(workload("Deployment", f"{ns}/web", 2, "app=web", ports=["80", "443"]) for ns in ("a", "b", "c")),
    *(pod(f"{ns}/db", "app=db", ports=["5432"]) for ns in ("a", "b", "c")),
    *(policy(f"{ns}/db", "app=db", ingress=[rule(peer("app=web"))], egress=[]) for ns in ("a", "b", "c")),
    *(policy(f"{ns}/web", "app=web", ingress=[rule(ports=["80"])]) for ns in ("a", "b", "c")),
]
"""Three equal namespaces: web is open to all on one of two ports, and reaches its own database only."""


def test_a_table_has_a_line_for_every_group() -> None:
    """The mark of a group with itself is that of one member with another; lines below name ports that differ."""
    things = [thing for thing in SHOPS if getattr(getattr(thing, "meta", None), "namespace", "a") == "a"]

    assert """\
SOURCE              a/db  a app=web (2 pods)  host:out
a/db                -     X                   X
a app=web (2 pods)  .     p                   .
host:out            X     p                   -
. allow   X deny   p some ports   - not asked
p a app=web (2 pods) -> a app=web (2 pods): allow 80/TCP; deny 443/TCP
p host:out -> a app=web (2 pods): allow 80/TCP; deny 443/TCP""" == "\n".join(table(found(*things), 120))


LISTS = """\
a/db, asked 5432/TCP; the same in b, c
  from  app=web (2 pods) of its namespace
  to    none

a app=web (2 pods), asked 80/TCP, 443/TCP; the same in b, c
  from  80/TCP: all but db of its namespace, db of every other namespace that has it
  to    db of its namespace, host:out
        80/TCP: one another, app=web (2 pods) of every other namespace that has it

host:out, asked 80/TCP
  from  app=web (2 pods) of every namespace that has it
  to    80/TCP: app=web (2 pods) of every namespace that has it
"""


def test_equal_text_in_several_namespaces_is_listed_once() -> None:
    """If a table is too wide. Names are relative to the namespace, and ports are named if they differ."""
    of = found(*SHOPS)

    assert LISTS == "\n".join(table(of, 30))
    assert LISTS == "\n".join(lists(of, fold=True))


def test_lists_that_are_not_folded_have_every_group() -> None:
    """As many blocks as groups, each with its own name."""
    of = found(*SHOPS)
    heads = [line.split(", asked")[0] for line in lists(of) if line and not line.startswith(" ")]

    assert names(of) == heads


def test_long_lists_are_cut() -> None:
    """Whole namespaces have one entry; entries beyond the first few are counted."""
    quarrel = [f"q{n:02}" for n in range(1, 21)]
    things = [
        *(namespace(ns, "side=left") for ns in "ab"),
        *(pod(f"{ns}/p{n}", f"app=p{n}") for ns in "abcdefgh" for n in (1, 2)),
        *(policy(f"{ns}/p", "app=p2", ingress=[rule(peer("app=p1"))]) for ns in "abcdefgh"),
        *(pod(f"m/{name}", f"app={name}") for name in quarrel),
        *(policy(f"m/{a}", f"app={a}", ingress=[rule(peer(f"app={b}"))]) for a, b in pairwise(quarrel)),
        *(pod("x/one", "app=one"), pod("x/two", "app=two")),
        policy("x/one", "app=one", ingress=[rule(peer("", "side=left")), rule(peer("app=p1", ""))], egress=[]),
        policy("x/two", "app=two", ingress=[rule(peer(f"app in ({','.join(quarrel[:8])})", ""))], egress=[]),
    ]
    text = "\n".join(lists(found(*things)))

    assert "x/one, asked 80/TCP\n  from  a/*, b/*, p1 of 6 namespaces (c, d, e, …)\n  to    none\n" in text
    assert "x/two, asked 80/TCP\n  from  m/q01, m/q02, m/q03, m/q04, m/q05, m/q06 and 2 more\n  to    none\n" in text


def test_the_summary_counts_groups_endpoints_and_pairs() -> None:
    """Pairs are those of endpoints, as without groups."""
    of = found(*SHOPS, ports=(("TCP", 80),))
    verdicts = [evaluate(of.cluster, flow).verdict for flow in every_pair(of.cluster, [("TCP", 80)])]

    allow = verdicts.count("allow")
    assert summary(of).endswith(
        f"groups of 9 pods and 1 host; {len(verdicts)} pairs: {allow} allow, {len(verdicts) - allow} deny"
    )


@pytest.mark.parametrize("asked", [{}, {"self_pairs": True, "nodes": True}, {"ports": (("TCP", 80), ("ICMP", None))}])
def test_the_document_expands_to_every_pair(asked: dict[str, Any]) -> None:
    """Its groups name their members, and each row stands for as many pairs as it says; JSON and YAML are the same."""
    of = found(*SHOPS, **asked)
    data = json.loads("\n".join(document(of, "json")))

    assert data == yaml.safe_load("\n".join(document(of, "yaml")))
    assert ("netlab/v1alpha1", "ReachabilityGroups", "default") == (data["apiVersion"], data["kind"], data["lab"])
    members = {group["id"]: group["members"] for group in data["groups"]}
    verdicts = {}  # type: ignore[var-annotated]
    for row in data["rows"]:
        alone = row.get("self", False)
        pairs = [(s, d) for s in members[row["source"]] for to in row["destinations"] for d in members[to]]
        pairs = [pair for pair in pairs if (pair[0] == pair[1]) == alone]
        assert len(pairs) == row["pairs"]
        verdicts |= {(*pair, row["family"], row["protocol"], row["port"]): row["expected"] for pair in pairs}
    options = {"nodes": asked.get("nodes", False), "self_pairs": asked.get("self_pairs", False)}
    flows = every_pair(of.cluster, asked.get("ports", ()), **options)
    expected = {(f.source.ref, f.target, f.family, f.protocol, f.port): evaluate(of.cluster, f).verdict for f in flows}
    assert expected == verdicts
    assert len(expected) == data["summary"]["pairs"]
    assert {"allow": data["summary"]["allow"], "deny": data["summary"]["deny"]} == {
        word: [*expected.values()].count(word) for word in ("allow", "deny")
    }


def test_a_group_in_the_document() -> None:
    """It has shared namespaces and labels, and the names of all members."""
    data = json.loads("\n".join(document(found(*SHOPS, ports=(("TCP", 80),)), "json")))

    assert {
        "id": 2,
        "description": "a app=web",
        "kind": "Pod",
        "namespaces": ["a"],
        "labels": {"app": "web"},
        "count": 2,
        "members": ["a/web-0", "a/web-1"],
    } == data["groups"][1]


def test_unknown_pairs_are_listed_separately() -> None:
    """In the lists, the table, the document and the summary."""
    open_ = unread("x/u", Subject("x", pods=selector("app=b"), denies=frozenset(["ingress"])))
    of = found(*(pod(f"x/{name}", f"app={name}", ports=["80", "81"]) for name in "ab"), open_)
    data = json.loads("\n".join(document(of, "json")))

    assert [
        "x/a, asked 80/TCP, 81/TCP",
        "  from  all",
        "  to    unknown: all",
        "",
        "x/b, asked 80/TCP, 81/TCP",
        "  from  unknown: all",
        "  to    all",
        "",
    ] == list(lists(of))
    assert "x/a     -    u" in list(table(of, 120))
    assert "2 groups of 2 pods; 4 pairs: 2 allow, 0 deny, 2 unknown" == summary(of)
    assert {"pairs": 4, "allow": 2, "deny": 0, "unknown": 2}.items() <= data["summary"].items()
    assert ["unknown", "unknown"] == [row["expected"] for row in data["rows"] if row["source"] == 1]
