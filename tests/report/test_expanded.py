"""Rows and tables from equivalent endpoints equal those of the evaluator, pair by pair, in random clusters."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from builders import cluster, peer, pod, policy, rule, source, topology
from random_clusters import some_cluster, some_questions
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import FlowSelection
from netlab.conformance import random_cases
from netlab.conformance.judges import cluster_of
from netlab.policy.evaluate import evaluate
from netlab.policy.expand import Expansion
from netlab.policy.groups import groups
from netlab.report import expanded, formats
from netlab.report.expected import Expected
from netlab.report.reachability import Reachability
from netlab.report.rows import Row, row_of
from netlab.report.table_of_groups import truth_table
from netlab.report.truth_table import TruthTable


def pair_by_pair(of: Cluster, asked: FlowSelection) -> Iterator[Row]:
    for flow in asked.flows(of):
        decision = evaluate(of, flow)
        yield row_of(flow, decision.verdict, reason=decision.reason)


def assert_the_same(of: Cluster, asked: FlowSelection) -> None:
    wanted = list(pair_by_pair(of, asked))
    found = groups(of, asked)

    assert wanted == list(expanded.rows(Expansion(of, asked)))
    for output in ("table", "wide", "json", "yaml"):
        plain, quick = Reachability(of.name, iter(wanted), "reach"), Expected(of, asked)
        quick._few = False
        assert "\n".join(formats.lines(plain, output)) == "\n".join(formats.lines(quick, output)), output
        assert str(plain.tally) == str(quick.tally)
    assert list(TruthTable(wanted).lines(60)) == list(truth_table(found, asked.endpoints(of)).lines(60))


@pytest.mark.parametrize("seed", range(samples(8)))
def test_rows_and_tables_are_the_evaluators(seed: int) -> None:
    """Any modes, settings, families, attachments, published ports, unread policies and questions."""
    for number in range(8):
        dice = Random(f"{seed}-{number}")  # noqa: S311  the same clusters every time, not a secret
        assert_the_same(some_cluster(dice), some_questions(dice))


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed", "macvlan"])
def test_rows_and_tables_of_the_random_cases_of_conformance(mode: str) -> None:
    """The clusters of the conformance suite, at each of their stages."""
    for case in random_cases.cases(samples(10), 11, mode):
        for stage in case.stages:
            asked = FlowSelection((("TCP", 80), ("TCP", 81), ("UDP", 53), ("ICMP", None)), nodes=True, self_pairs=True)
            assert_the_same(cluster_of(stage.documents), asked)


def test_names_with_characters_of_json_and_placeholders() -> None:
    """A policy with a pod's name; a file name with quotes, backslashes and placeholders."""
    of = cluster(
        topology(),
        *(pod(f"x/{name}", f"app={name}") for name in "abcd"),
        policy("x/a", "app=a", ingress=[rule(peer("app=b"))], source=source(3, '"\\u0000s\\0d\x01\x7f\udc80é.yaml')),
        policy("x/s", "app=b", egress=[rule(peer("app=c"))], source=source(4, "s")),
    )

    assert_the_same(of, FlowSelection(self_pairs=True))


def test_one_source_or_none() -> None:
    """A lab without pods, one pod, and hosts that do not ask one another."""
    for pods in ([], [pod("x/a")]):
        for hosts in ({}, {"h": ["192.0.2.1"], "i": ["192.0.2.2"]}):
            for self_pairs in (False, True):
                assert_the_same(cluster(topology(hosts=hosts), *pods), FlowSelection(self_pairs=self_pairs))
