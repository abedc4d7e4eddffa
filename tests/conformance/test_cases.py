"""The cases before the judges without a kernel, and some of them before packets."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from sizes import some

from netlab.conformance import edges, product, upstream
from netlab.conformance.base_cluster import base_cluster
from netlab.conformance.cases import Case, Cell, Stage, table
from netlab.conformance.run import CaseResult, Selection, judges, run
from netlab.conformance.shorthand import policy

EDGES = list(edges.cases())
UPSTREAM = list(upstream.cases())
WITHOUT_KERNEL = ("evaluator", "tracer")


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    """The whole product; it takes a second to make."""
    return list(product.cases())


def lines_of(results: list[CaseResult]) -> list[str]:
    return [f"{result.name}: {wrong}" for result in results for wrong in result.disagreements]


@pytest.mark.parametrize("case", [*UPSTREAM, *EDGES], ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """Evaluator and tracer agree with the verdicts of Kubernetes' own suite and of the edge cases."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == lines_of(list(run([case], panel)))


def test_samples_of_the_product(whole: list[Case]) -> None:
    """Evaluator and tracer agree with the enumerated verdicts."""
    with judges(WITHOUT_KERNEL) as panel:  # type: ignore[arg-type]
        assert [] == lines_of(list(run(some(whole[::9]), panel)))


@pytest.mark.parametrize("glob", ["upstream/*", "e*", "[p]roduct/st*"])
def test_a_selection_has_every_case_that_its_glob_matches(whole: list[Case], glob: str) -> None:
    """Sets of cases whose names cannot match are not made."""
    wanted = [case.name for case in (*UPSTREAM, *EDGES, *whole) if fnmatchcase(case.name, glob)]

    assert wanted == [case.name for case in Selection((glob,)).cases()]


@pytest.mark.kernel
def test_packets_on_samples(whole: list[Case]) -> None:
    """One lab is changed from case to case; packets of every protocol agree."""
    with judges(("packets",)) as panel:
        assert [] == lines_of(list(run([*UPSTREAM[::12], *EDGES[::9], *whole[::73]], panel)))


def test_the_product_is_large_and_names_are_unique(whole: list[Case]) -> None:
    """Users select cases by name."""
    names = [case.name for case in (*UPSTREAM, *EDGES, *whole)]

    assert 500 <= len(whole)
    assert len(names) == len(set(names))


def test_every_port_has_both_verdicts_in_the_product(whole: list[Case]) -> None:
    """A cell with one verdict in all cases would prove nothing."""
    seen: dict[Cell, set[str | None]] = {}
    for case in whole:
        for cell, verdict in case.stages[0].table.items():
            seen.setdefault(cell, set()).add(verdict)
    from_x = [verdicts for cell, verdicts in seen.items() if cell.source.startswith("x/")]

    assert all({"allow", "deny"} == verdicts for verdicts in from_x)


@pytest.mark.kernel
@pytest.mark.parametrize("names", [("evaluator",), ("tracer",), ("packets",)])
def test_a_wrong_case_is_a_disagreement(names: tuple[str, ...]) -> None:
    """Every judge disagrees with a wrong table."""
    ends = ("x/a", "x/b")
    documents = (*base_cluster(members=ends), policy("x/p", "pod=a", ingress=[]))
    case = Case("wrong", "none", (Stage("s", documents, table(ends, {"80": "x/a > x/b"})),))
    with judges(names) as panel:  # type: ignore[arg-type]
        (result,) = run([case], panel)

    assert [(Cell("x/a", "x/b"), "deny"), (Cell("x/b", "x/a"), "allow")] == [
        (wrong.cell, wrong.expected) for wrong in result.disagreements
    ]


def test_a_case_that_is_not_refused_is_a_disagreement() -> None:
    """The documents of a case with ``refusal`` must be an error."""
    case = Case("refused", "none", (Stage("s", base_cluster(), {}),), "no such words")

    assert ["refused: s: reading: expected no such words: reader read without an error"] == lines_of(
        list(run([case], {}))
    )


def test_patterns_of_a_table() -> None:
    """The last match counts. Pairs of an end with itself, or from outside, need a pattern without globs."""
    found = table(("x/a", "x/b", "host:out"), {"80/UDP": "* > x/a, ! x/b > x/a, host:out > x/a", "ICMP": "x/a > x/a"})

    assert {
        Cell("x/a", "x/b", "UDP", 80): "allow",
        Cell("x/a", "host:out", "UDP", 80): "allow",
        Cell("x/b", "x/a", "UDP", 80): "allow",
        Cell("x/b", "host:out", "UDP", 80): "allow",
        Cell("host:out", "x/a", "UDP", 80): "deny",
    } == {cell: verdict for cell, verdict in found.items() if cell.protocol == "UDP"}
    assert "deny" == found[Cell("x/a", "x/a", "ICMP", None)]


def test_every_edge_case_is_judged_or_has_a_reason() -> None:
    """There are 98; a case that no judge can answer says why."""
    judged = {int(case.name[5:7]) for case in EDGES}
    unjudged = {int(one.name[5:7]) for one in edges.UNJUDGED}

    assert set(range(1, 99)) == judged | unjudged
    assert not judged & unjudged
    assert all(one.why for one in edges.UNJUDGED)
