"""Invariants in files: what they judge, what they say when a rule fails, and that the example misses no change."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netlab.cluster.flows import FlowSelection
from netlab.objects.documents import Reader
from netlab.objects.invariants import Invariants
from netlab.objects.types import Document
from netlab.policy.differences import differences
from netlab.policy.port_classes import PortClasses
from netlab.policy.rule_judge import RuleJudge
from netlab.scenario.files import read_tests
from netlab.scenario.invariants import ready, run_invariants
from netlab.scenario.results import RuleFailure, ScenarioResult

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples/invariants/card-data.netlab.yaml"


def example() -> Invariants:
    (found,), problems = read_tests([str(EXAMPLE)])

    assert not problems
    assert isinstance(found, Invariants)
    return found


def judged(invariants: Invariants) -> ScenarioResult:
    return run_invariants(ready(invariants))


def failures(result: ScenarioResult) -> list[RuleFailure]:
    return [one for step in result.steps for one in step.failures if isinstance(one, RuleFailure)]


def changed(document: Document, data: dict[str, Any]) -> Document:
    return Document(data, document.source)


def policies() -> list[Document]:
    documents, _ = Reader().read([str(EXAMPLE.parent / "manifests/policies.yaml")])
    return documents


def widened() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every policy with one rule that has lost its peers, its ports, or one label of a peer."""
    for document in policies():
        name = document.data["metadata"]["name"]
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(document.data["spec"].get(direction, ())):
                for what in ("ports", peers):
                    if what in rule:
                        data = copy.deepcopy(dict(document.data))
                        del data["spec"][direction][index][what]
                        yield f"{name}-{direction}[{index}]-without-{what}", data
                for at, peer in enumerate(rule.get(peers, ())):
                    for selector in peer:
                        data = copy.deepcopy(dict(document.data))
                        data["spec"][direction][index][peers][at][selector] = {}
                        yield f"{name}-{direction}[{index}]-any-{selector}", data


WIDENED = list(widened())


def test_the_example_holds_and_proves_something() -> None:
    """Every rule of the example holds, and none of them would hold without policies."""
    result = judged(example())

    assert "passed" == result.outcome
    assert 10 == len(result.steps)


@pytest.mark.parametrize("name", [document.data["metadata"]["name"] for document in policies()])
def test_a_policy_that_is_taken_away_breaks_a_rule(name: str) -> None:
    """The example has no policy that its rules do not need."""
    found = example()

    def is_it(one: Document) -> bool:
        return one.kind == "NetworkPolicy" and one.data["metadata"]["name"] == name

    without = tuple(one for one in found.resources if not is_it(one))
    assert len(found.resources) == len(without) + 1
    assert failures(judged(replace(found, resources=without)))


@pytest.mark.parametrize("data", [data for _, data in WIDENED], ids=[name for name, _ in WIDENED])
def test_a_rule_that_is_widened_breaks_a_rule(data: dict[str, Any]) -> None:
    """If it lets anything more through, a rule of the example fails; else the other side of the connection denies."""
    found = example()
    meta = data["metadata"]
    resources = tuple(
        changed(one, data) if one.kind == "NetworkPolicy" and one.data["metadata"] == meta else one
        for one in found.resources
    )

    after = replace(found, resources=resources)
    clusters = {name: RuleJudge(ready(one).cluster, one.rules).cluster for name, one in (("a", found), ("b", after))}
    asked = FlowSelection(PortClasses(clusters["b"], ()).questions(), system=True)
    opened = differences(clusters, asked).found
    assert bool(opened) == bool(failures(judged(after)))


def test_without_any_policy_the_rules_that_allow_prove_nothing() -> None:
    """The others are broken."""
    found = example()
    result = judged(replace(found, resources=tuple(one for one in found.resources if one.kind != "NetworkPolicy")))

    by_rule = {step.name: {one.measured for one in step.failures} for step in result.steps}
    assert {"proves nothing"} == by_rule["the vault reaches its database"]
    assert {"allow"} == by_rule["nothing of cde reaches the internet"]
    assert {"allow"} == by_rule["only the gateway reaches card data"]
