"""Random cases: one seed gives the same cases, judges agree on them, and disagreements are reduced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from scenario_files import scenarios_of
from sizes import samples

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.conformance import random_cases, service_cases
from netlab.conformance.cases import Case, Cell
from netlab.conformance.judges import JudgeName, cluster_of, evaluator, flow_of, tracer
from netlab.conformance.run import Selection, judges, run, run_selection
from netlab.conformance.shrink import shrink
from netlab.objects import Document
from netlab.report.yaml_text import lines
from netlab.scenario.dry_run import dry_run


def blind_to_udp(documents: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
    """A faulty judge: it allows all UDP."""
    right = evaluator(documents, cluster, flows)
    return ["allow" if flow.protocol == "UDP" else verdict for flow, verdict in zip(flows, right, strict=True)]


def test_judges_agree_on_random_cases() -> None:
    """Evaluator and tracer give equal verdicts."""
    with judges(("evaluator", "tracer")) as panel:
        results = list(run(random_cases.cases(samples(24), seed=11), panel))

    assert [] == [str(wrong) for result in results for wrong in result.disagreements]


@pytest.mark.kernel
def test_packets_agree_on_random_cases() -> None:
    """Packets give the verdicts of the evaluator."""
    with judges(("evaluator", "packets")) as panel:
        results = list(run(random_cases.cases(4, seed=12), panel))

    assert [] == [str(wrong) for result in results for wrong in result.disagreements]


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
@pytest.mark.parametrize("dual", [False, True])
def test_judges_agree_on_random_services(mode: str, dual: bool) -> None:
    """Evaluator and tracer give equal verdicts for each endpoint of each Service."""
    selection = Selection(("random/*",), random=samples(4), seed=13, mode=mode, dual_stack=dual, services=True)

    assert [] == [str(wrong) for result in run_selection(selection) for wrong in result.disagreements]


@pytest.mark.kernel
@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_packets_agree_on_random_services(mode: str) -> None:
    """Packets give the verdicts of evaluator and tracer, and nothing is inconclusive."""
    panel: tuple[JudgeName, ...] = ("evaluator", "tracer", "packets")
    selection = Selection(("random/*",), panel, random=3, seed=14, mode=mode, services=True)

    assert [] == [str(wrong) for result in run_selection(selection) for wrong in result.disagreements]


def test_random_services_have_endpoints_that_differ() -> None:
    """Some verdicts are "some", so that each endpoint counts. Cases ask at all frontends."""
    found = list(service_cases.cases(40, seed=1, mode="overlay"))
    clusters = [(cluster_of(case.stages[0].documents), case.stages[0].table) for case in found]
    verdicts = {v.partition(":")[0] for c, table in clusters for v in evaluator((), c, [flow_of(c, x) for x in table])}
    fronts = {cell.destination.partition(":")[0].partition(".")[0] for _, table in clusters for cell in table}

    assert {"allow", "deny", "some"} == verdicts
    assert {"service", "node", "198"} == fronts


@pytest.mark.parametrize("made", [random_cases.cases, service_cases.cases])
def test_a_seed_gives_the_same_cases(made: Callable[[int, int], Iterator[Case]]) -> None:
    """A case depends on the seed and its number, not on how many there are; another seed gives others."""
    few, many, others = (list(made(n, seed)) for n, seed in ((3, 7), (5, 7), (3, 8)))

    assert few == many[:3]
    assert few[0].stages[0].documents != others[0].stages[0].documents


def test_a_disagreement_is_shrunk_to_one_rule_and_two_pods(tmp_path: Path) -> None:
    """What is left reproduces it: one policy that isolates one end, and the two pods; as a scenario it works out."""
    panel = {"evaluator": blind_to_udp, "tracer": tracer()}
    result = next(result for result in run(random_cases.cases(50, seed=1), panel) if not result.passed)
    assert result.scenario is not None
    (step,) = result.scenario["spec"]["steps"]
    kinds = sorted(item["kind"] for item in step["apply"])
    file = tmp_path / "found.yaml"
    file.write_text("".join(f"{line}\n" for line in lines(result.scenario)))
    (scenario,), problems = scenarios_of([str(file)])

    assert "UDP" == step["expect"][0]["protocol"]
    assert 1 == kinds.count("NetworkPolicy")
    assert kinds.count("Pod") <= 2
    assert [] == [problem for problem in problems if problem.severity == "error"]
    assert dry_run(scenario)


def test_only_a_disagreement_can_be_shrunk() -> None:
    """A cell on which all agree has nothing to reduce."""
    (case,) = random_cases.cases(1, seed=1)
    (stage,) = case.stages
    with pytest.raises(ValueError, match="agree"):
        shrink(stage, Cell("x/a", "x/b", *next((c.protocol, c.port) for c in stage.table)), {"evaluator": evaluator})
