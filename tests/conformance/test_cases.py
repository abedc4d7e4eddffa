"""The cases of the suite before the judges that need no kernel, and a few of them before packets."""

from __future__ import annotations

import pytest

from netlab.conformance import edges, product, upstream
from netlab.conformance.base_cluster import base_cluster
from netlab.conformance.cases import Case, Cell, Stage, table
from netlab.conformance.run import CaseResult, judges, run
from netlab.conformance.shorthand import policy

EDGES = list(edges.cases())
UPSTREAM = list(upstream.cases())
WITHOUT_KERNEL = ("evaluator", "tracer")


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    """The whole product; to enumerate it takes a second."""
    return list(product.cases())


def told(results: list[CaseResult]) -> list[str]:
    return [f"{result.name}: {wrong}" for result in results for wrong in result.disagreements]


@pytest.mark.parametrize("case", [*UPSTREAM, *EDGES], ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """Every cell is what Kubernetes' own suite, or the answer of the edge case, has, to evaluator and ruleset."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == told(list(run([case], panel)))


def test_the_product_by_samples(whole: list[Case]) -> None:
    """Evaluator and ruleset say what the enumeration of every value says."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == told(list(run(whole[::9], panel)))


@pytest.mark.kernel
def test_packets_by_samples(whole: list[Case]) -> None:
    """In one lab that is brought from case to case, packets say it too, whatever the protocol."""
    with judges(("packets",)) as panel:
        assert [] == told(list(run([*UPSTREAM[::12], *EDGES[::9], *whole[::73]], panel)))


def test_the_product_is_large_and_every_case_has_a_name_of_its_own(whole: list[Case]) -> None:
    """A name is how a case is asked for."""
    names = [case.name for case in (*UPSTREAM, *EDGES, *whole)]

    assert 500 <= len(whole)
    assert len(names) == len(set(names))


def test_every_service_and_verdict_is_in_the_product(whole: list[Case]) -> None:
    """No cell is of one verdict in all cases: none is asked in vain."""
    seen: dict[Cell, set[str | None]] = {}
    for case in whole:
        for cell, verdict in case.stages[0].table.items():
            seen.setdefault(cell, set()).add(verdict)
    from_x = [verdicts for cell, verdicts in seen.items() if cell.source.startswith("x/")]

    assert all({"allow", "deny"} == verdicts for verdicts in from_x)


@pytest.mark.kernel
@pytest.mark.parametrize("names", [("evaluator",), ("tracer",), ("packets",)])
def test_a_wrong_case_is_told(names: tuple[str, ...]) -> None:
    """No judge agrees with what is not so."""
    ends = ("x/a", "x/b")
    documents = (*base_cluster(members=ends), policy("x/p", "pod=a", ingress=[]))
    case = Case("wrong", "none", (Stage("s", documents, table(ends, {"80": "x/a > x/b"})),))
    with judges(names) as panel:  # type: ignore[arg-type]
        (result,) = run([case], panel)

    assert [(Cell("x/a", "x/b"), "deny"), (Cell("x/b", "x/a"), "allow")] == [
        (wrong.cell, wrong.expected) for wrong in result.disagreements
    ]


def test_a_case_that_must_be_refused_is_told_when_it_is_not() -> None:
    """A reader that lets it pass is a disagreement of its own."""
    case = Case("refused", "none", (Stage("s", base_cluster(), {}),), "no such words")

    assert ["refused: s: reading: expected no such words: reader read without an error"] == told(list(run([case], {})))


def test_patterns_of_a_table() -> None:
    """The last pattern that matches wins; pairs with oneself and from outside are asked where they are spelled out."""
    found = table(("x/a", "x/b", "host:out"), {"80/UDP": "* > x/a, ! x/b > x/a, host:out > x/a", "ICMP": "x/a > x/a"})

    assert {
        Cell("x/a", "x/b", "UDP", 80): "allow",
        Cell("x/a", "host:out", "UDP", 80): "allow",
        Cell("x/b", "x/a", "UDP", 80): "allow",
        Cell("x/b", "host:out", "UDP", 80): "allow",
        Cell("host:out", "x/a", "UDP", 80): "deny",
    } == {cell: verdict for cell, verdict in found.items() if cell.protocol == "UDP"}
    assert "deny" == found[Cell("x/a", "x/a", "ICMP", None)]


def test_every_edge_case_is_answered_or_told() -> None:
    """All 98 of them: what no judge can answer has the reason."""
    judged = {int(case.name[5:7]) for case in EDGES}
    unjudged = {int(one.name[5:7]) for one in edges.UNJUDGED}

    assert set(range(1, 99)) == judged | unjudged
    assert not judged & unjudged
    assert all(one.why for one in edges.UNJUDGED)
