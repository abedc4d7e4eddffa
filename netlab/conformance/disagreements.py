"""The verdicts of judges on a stage, and the cells on which they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netlab.conformance.cases import Cell, Stage
from netlab.conformance.judges import Judge, cluster_of, flow_of
from netlab.frozen import frozen


@frozen
class Disagreement:
    """One cell on which a judge disagrees with the case, or two judges disagree.

    ``cell`` is None if reading the objects was wrong. ``expected`` is None if the case states no verdict. ``verdicts``
    has the verdict of each judge.
    """

    stage: str
    cell: Cell | None
    expected: str | None
    verdicts: Mapping[str, str]

    def __str__(self) -> str:
        verdicts = ", ".join(f"{name} {verdict}" for name, verdict in self.verdicts.items())
        stated = f"expected {self.expected}: " if self.expected else ""
        return f"{self.stage}: {self.cell or 'reading'}: {stated}{verdicts}"


def disagreements(stage: Stage, judges: Mapping[str, Judge]) -> Iterator[Disagreement]:
    """Yield the cells of a stage on which a judge and the table, or two judges, disagree.

    Raises:
      InputError: when the stage's documents do not make a cluster.
      KeyError: when a cell names a missing endpoint.
    """
    cluster = cluster_of(stage.documents)
    flows = [flow_of(cluster, cell) for cell in stage.table]
    by_judge = {name: judge(stage.documents, cluster, flows) for name, judge in judges.items()}
    for index, (cell, expected) in enumerate(stage.table.items()):
        verdicts = {name: answers[index] for name, answers in by_judge.items()}
        # The evaluator says "unknown" if an unread policy could decide: this agrees with any verdict.
        distinct = {*verdicts.values(), *([expected] if expected else [])} - {"unknown"}
        if len(distinct) > 1 or "inconclusive" in distinct:
            yield Disagreement(stage.name, cell, expected, verdicts)
