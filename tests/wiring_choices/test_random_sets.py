"""Evaluator, rulesets and packets agree on random policies under every choice of wiring, in both IP families.

``make verify-profiles`` runs more of them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from random_clusters import some_questions
from settings.random_settings import differing_in
from sizes import samples
from wiring_choices.choices import CHOICES, Choice, disagreeing, stage

from netlab.conformance.judges import cluster_of, packets
from netlab.conformance.run import judges
from netlab.conformance.wiring import disagreements

# The sets of each choice: with packets half a second each, and else a tenth.
SETS = int(os.environ.get("NETLAB_SETS", "0"))
choices = pytest.mark.parametrize("choice", CHOICES.values(), ids=[*CHOICES])


def numbers_of(choice: Choice, count: int) -> range:
    """Return the numbers of the sets of a choice; no two choices have the same sets, so few of each are many."""
    first = [*CHOICES.values()].index(choice) * count
    return range(first, first + count)


@choices
def test_evaluator_and_ruleset_agree(choice: Choice) -> None:
    """On pods, nodes, host-network pods, outside hosts and a published port."""
    with judges(("evaluator", "tracer")) as panel:
        assert [] == disagreeing(choice, panel, numbers_of(choice, SETS or samples(6)))


@choices
def test_the_wiring_has_the_ways_that_paths_say(choice: Choice) -> None:
    """Answers get back, also where packets to nodes keep the pod's address or nodes have another one."""
    assert [] == [*disagreements(cluster_of(stage(choice, 0).documents))]


@choices
def test_the_fast_versions_agree_with_the_evaluator(choice: Choice) -> None:
    """The groups and the expansion, reasons included."""
    for number in numbers_of(choice, SETS or samples(6)):
        cluster = cluster_of(stage(choice, number).documents)
        asked = replace(some_questions(Random(number)), nodes=True)  # noqa: S311

        assert [] == differing_in(cluster, asked), number


@pytest.mark.kernel
@choices
def test_packets_agree(choice: Choice) -> None:
    """With the evaluator, in a lab that takes one policy set after the other."""
    with judges(("evaluator",)) as panel, packets(stage(choice, 0).documents) as judge:
        assert [] == disagreeing(choice, {**panel, "packets": judge}, numbers_of(choice, SETS or samples(2)))
