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
from netlab.report import formats
from netlab.report.proof import canonical_hash
from netlab.report.scenarios import TestReport
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


def test_the_proof_is_the_same_in_each_run_but_for_the_time() -> None:
    """It has the hashes of the objects and of the rules, every rule with its defaults, and its result."""
    found = example()
    one, other = (TestReport([judged(found)]).proof() for _ in range(2))

    assert {"started", "seconds"} == {*one.pop("time")} == {*other.pop("time")}
    assert one == other
    (of,) = one["invariants"]
    assert canonical_hash(found.resources) == of["input"]["sha256"]
    assert ["holds"] * 10 == [rule["result"] for rule in of["rules"]]
    assert {"invariants": 1, "rules": 10, "passed": 10, "failed": 0, "errors": 0} == one["summary"]


def test_the_hash_of_the_input_is_of_its_meaning() -> None:
    """The layout and the order of fields do not change it; a value does."""
    data = {"kind": "Pod", "metadata": {"name": "a", "namespace": "x"}}
    turned = {"metadata": {"namespace": "x", "name": "a"}, "kind": "Pod"}
    place = policies()[0].source

    assert canonical_hash([Document(data, place)]) == canonical_hash([Document(turned, place)])
    assert canonical_hash([Document(data, place)]) != canonical_hash([Document({**data, "kind": "Node"}, place)])


def test_a_failed_rule_is_a_failed_case_of_every_report() -> None:
    """JSON has the pairs, the ports and an example; JUnit has a case for each rule."""
    found = example()
    kept = [one for one in found.resources if (one.kind, one.data["metadata"]["name"]) != ("NetworkPolicy", "vault")]
    broken = replace(found, resources=tuple(kept))
    report = TestReport([judged(broken)])

    document = report.document()["scenarios"][0]
    rows = [row for step in document["steps"] for row in step["failures"]]
    assert rows
    assert all("rule" == row["question"] and row["line"] for row in rows)
    opened = next(row for row in rows if row["measured"] == "deny")
    assert {"source", "destination", "protocol", "port"} == {*opened["example"]}
    (suite,) = report.suites().suites
    assert [rule.name for rule in found.rules] == [case.name for case in suite.cases]
    assert {case.name for case in suite.cases if case.failure} == {
        step["name"] for step in document["steps"] if step["failures"]
    }
    for name in ("markdown", "html", "junit", "proof", "json"):
        assert "the vault reaches its database" in "\n".join(formats.lines(report, name))


@pytest.mark.kernel
def test_packets_have_the_verdicts_of_the_evaluator() -> None:
    """Also towards outside addresses, for which the lab has hosts."""
    result = run_invariants(ready(example()), packets=True)

    assert "passed" == result.outcome
    assert result.judged is not None
    assert 0 < (result.judged.packets or 0)
    assert 0 == result.judged.left_out


@pytest.mark.parametrize("tier", ["Admin", "Baseline"])
def test_a_failure_names_the_place_of_the_cluster_wide_policy_that_denies(tmp_path: Path, tier: str) -> None:
    """Its rule, with file and line."""
    (tmp_path / "rules.yaml").write_text(
        """\
apiVersion: netlab/v1alpha1
kind: Invariants
metadata: {name: open}
spec:
  resources: [input.yaml]
  rules:
  - name: open
    from: {namespace: x, pods: {app: a}}
    to: {namespace: x, pods: {app: b}}
    ports: [80/TCP]
    verdict: allow
""",
        encoding="utf-8",
    )
    pods = [
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: x, labels: {{app: {name}}}}}\n"
        for name in "ab"
    ]
    wide = (
        "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\nspec:\n"
        f"  tier: {tier}\n  priority: 1\n  subject: {{namespaces: {{}}}}\n  ingress:\n"
        "  - {action: Deny, from: [{namespaces: {}}]}\n"
    )
    (tmp_path / "input.yaml").write_text("---\n".join([*pods, wide]), encoding="utf-8")
    (found,), problems = read_tests([str(tmp_path / "rules.yaml")])

    assert not problems
    assert isinstance(found, Invariants)
    (failure,) = failures(judged(found))
    assert f"ClusterNetworkPolicy c spec.ingress[0] ({tmp_path / 'input.yaml'}:17) of tier {tier}" in failure.reason
