"""Random policy sets under every profile: evaluator, tracer and packets agree on every cell.

``make verify-profiles`` runs more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netlab import profiles
from netlab.conformance import random_cases
from netlab.conformance.base_cluster import HOST, PODS
from netlab.conformance.cases import Cell, Stage
from netlab.conformance.disagreements import disagreements
from netlab.conformance.dual_stack import dual_stack
from netlab.conformance.judges import JudgeName
from netlab.conformance.run import judges
from netlab.conformance.under_profile import UnderProfile
from netlab.lab.missing_links import MissingLinksError

# The sets of each profile: with packets a tenth of a second each.
SETS = int(os.environ.get("NETLAB_SETS", "1"))
NAMES = profiles.names()
_PORTS = (("TCP", 80), ("UDP", 81), ("SCTP", 80), ("TCP", 30080), ("ICMP", None))


def more_cells(two_nodes: bool) -> Iterator[Cell]:
    """Yield cells between pods, nodes and the outside host, which random cases ask little about."""
    nodes = ("node:node-1", *(("node:node-2",) if two_nodes else ()))
    for pod in (PODS[0], PODS[4]):
        for end in (*nodes, HOST):
            for protocol, port in _PORTS:
                yield Cell(pod, end, protocol, port)
                yield Cell(end, pod, protocol, port)


def stages(under: UnderProfile, count: int) -> Iterator[Stage]:
    """Yield random stages under a profile, in both IP families if it has both."""
    both = 6 in under.profile.families
    two_nodes = under.mode != "bridge"
    for case in random_cases.cases(count, 21, under.mode):
        for one in (dual_stack(case) if both else case).stages:
            yield under.stage(replace(one, table={**one.table, **dict.fromkeys(more_cells(two_nodes))}))


def wrong(name: str, names: tuple[JudgeName, ...], count: int) -> list[str]:
    """Return, as text, the cells on which judges disagree under a profile."""
    under = UnderProfile(profiles.named(name))
    dual = 6 in under.profile.families
    with judges(names, under.mode, dual=dual, profile=under) as panel:
        return [str(one) for stage in stages(under, count) for one in disagreements(stage, panel)]


@pytest.mark.parametrize("name", NAMES)
def test_evaluator_and_ruleset_agree_on_random_policy_sets(name: str) -> None:
    """Under each profile, with nodes and an outside host."""

    assert [] == wrong(name, ("evaluator", "tracer"), 2 * SETS)


@pytest.mark.kernel
@pytest.mark.parametrize("name", NAMES)
def test_packets_agree_on_random_policy_sets(name: str) -> None:
    """Under each profile whose links this kernel can make; else the error names a module that netlab loads for it."""
    found: list[str] = []
    lacks = ""
    try:
        found = wrong(name, ("evaluator", "tracer", "packets"), SETS)
    except MissingLinksError as error:
        lacks = error.module

    assert [] == found
    assert lacks in ("", profiles.named(name).wiring.transport)
