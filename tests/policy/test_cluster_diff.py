"""The difference of two clusters is that of the evaluator, pair by pair.

``make verify-diff`` runs the random test with more pairs of clusters.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from builders import cluster, pod, policy, rule, topology
from random_clusters import some_cluster, some_questions
from services.random_clusters import documents
from sizes import samples

from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import FlowSelection, service_ref
from netlab.cluster.types import Endpoint
from netlab.objects import Document, decode
from netlab.objects.services import Service
from netlab.objects.types import Source
from netlab.policy.cluster_diff import ClusterDiff, cluster_diff
from netlab.policy.evaluate import evaluate
from netlab.verdicts import Expected

PAIRS = int(os.environ.get("NETLAB_DIFFS", "0")) or samples(8)

Key = tuple[str, str, int, str, int | None]
Rows = dict[Key, tuple[Expected | None, Expected | None]]


def verdicts(of: Cluster, asked: FlowSelection) -> dict[Key, Expected]:
    flows = asked.flows(of)
    return {(f.source.ref, f.target, f.family, f.protocol, f.port): evaluate(of, f).verdict for f in flows}


def pair_by_pair(old: Cluster, new: Cluster, asked: FlowSelection) -> tuple[Rows, int, Rows]:
    """Return the pairs that differ, the number of those that do not, and the allowed pairs of one side only."""
    was, now = verdicts(old, asked), verdicts(new, asked)
    both = [key for key in now if key in was]
    rows: Rows = {key: (was[key], now[key]) for key in both if was[key] != now[key]}
    alone: Rows = {key: (None, verdict) for key, verdict in now.items() if not {*key[:2]} <= {*old.by_ref}}
    alone |= {key: (verdict, None) for key, verdict in was.items() if not {*key[:2]} <= {*new.by_ref}}
    return rows, len(both) - len(rows), {key: of for key, of in alone.items() if "deny" not in of}


def expanded(found: ClusterDiff) -> Rows:
    """Return the verdicts of every pair in the groups; each pair must occur once."""
    rows: Rows = {}
    for one in found.found:
        pairs = [(source.ref, name(end)) for source, end in one.ends()]
        assert len(pairs) == one.pairs > 0
        for pair in pairs:
            assert (*pair, *one.asked) not in rows
            rows[*pair, *one.asked] = (one.old, one.new)
    return rows


def name(end: Endpoint | Service) -> str:
    return service_ref(end) if isinstance(end, Service) else end.ref


def some_two(seed: str) -> tuple[Cluster, Cluster]:
    """Return two clusters that share some of their pods and policies."""
    dice = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    old = some_cluster(dice)
    new = some_cluster(dice) if dice.random() < 0.3 else old
    taken = dice.sample(old.pods, dice.randint(0, len(old.pods)))
    others = [replace(one, labels={**one.labels, "app": "q"}) for one in taken]
    kept = [one for one in new.pods if all(one.ref != other.ref for other in taken)]
    if new is old:
        pods = tuple(sorted([*kept, *others[1:]], key=lambda one: one.ref))
        policies = tuple(one for one in old.policies if dice.random() < 0.7)
        new = replace(new, pods=pods, policies=policies)
    return old, new


@pytest.mark.parametrize("seed", range(PAIRS))
def test_the_difference_is_that_of_each_pair(seed: int) -> None:
    """For random clusters that share pods, and for clusters that share nothing but names."""
    for number in range(8):
        old, new = some_two(f"{seed}-{number}")
        asked = replace(some_questions(Random(f"{seed}-{number}")), self_pairs=False)  # noqa: S311
        asked = replace(asked, ports=asked.ports or (("TCP", 80),))
        rows, unchanged, alone = pair_by_pair(old, new, asked)

        assert rows == expanded(cluster_diff(old, new, asked))
        assert unchanged == cluster_diff(old, new, asked).unchanged
        assert rows | alone == expanded(cluster_diff(old, new, asked, one_sided=True))


@pytest.mark.parametrize("seed", range(samples(8)))
def test_the_difference_has_services(seed: int) -> None:
    """Their rows too are those of the evaluator, pair by pair; a Service may have the verdict some."""
    dice = Random(seed)  # noqa: S311  the same clusters every time, not a secret
    data = documents(seed, ("overlay", "routed", "bridge")[seed % 3])
    kept = [one for one in data if one["kind"] not in ("NetworkPolicy", "EndpointSlice") or dice.random() < 0.7]
    old, new = (resolve(decode([Document(one, Source()) for one in of])[0]) for of in (data, kept))
    asked = FlowSelection(ports=(("TCP", 80), ("UDP", 80)), services=True, nodes=True)

    rows, unchanged, _ = pair_by_pair(old, new, asked)

    assert rows == expanded(cluster_diff(old, new, asked))
    assert unchanged == cluster_diff(old, new, asked).unchanged


def test_ports_of_either_side_are_asked_about_on_both() -> None:
    """A pod that declares another port after the change is asked about both ports."""
    node = topology(["n"])
    old = cluster(node, pod("x/a"), pod("x/b", ports=["80"]), policy("x/p", ingress=[rule(ports=["80"])]))
    new = cluster(node, pod("x/a"), pod("x/b", ports=["81"]), policy("x/p", ingress=[rule(ports=["81"])]))

    found = expanded(cluster_diff(old, new, FlowSelection()))

    assert ("allow", "deny") == found["x/a", "x/b", 4, "TCP", 80]
    assert ("deny", "allow") == found["x/a", "x/b", 4, "TCP", 81]


def test_what_opens_to_the_outside_comes_first() -> None:
    """Then what opens from the outside, then what opens inside, then what closes."""
    node = topology(["n"], hosts={"h": ["192.0.2.1"]}, mode="routed")
    pods = [pod("x/a"), pod("x/b", "app=b")]
    old = cluster(node, *pods, policy("x/p", "!app", ingress=[], egress=[]))
    new = cluster(node, *pods, policy("x/p", "app=b", ingress=[], egress=[]))

    found = cluster_diff(old, new, FlowSelection()).found

    assert ["opened", "closed"] == list(dict.fromkeys(one.kind for one in found))
    opened = [(one.to_outside, one.from_outside) for one in found if one.kind == "opened"]
    assert [(True, False), (False, True)] == opened
