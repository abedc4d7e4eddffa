"""What every judge says of a stage, and where opinions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netlab.conformance.cases import Cell, Stage
from netlab.conformance.judges import Judge, cluster_of, flow_of
from netlab.frozen import frozen


@frozen
class Disagreement:
    """One cell on which a judge is not of the case's opinion, or judges are not of one.

    ``cell`` is None where reading the objects is what went wrong. ``expected`` is None where the case states nothing;
    ``verdicts`` has what each judge said.
    """

    stage: str
    cell: Cell | None
    expected: str | None
    verdicts: Mapping[str, str]

    def __str__(self) -> str:
        said = ", ".join(f"{name} {verdict}" for name, verdict in self.verdicts.items())
        stated = f"expected {self.expected}: " if self.expected else ""
        return f"{self.stage}: {self.cell or 'reading'}: {stated}{said}"


def judge(stage: Stage, panel: Mapping[str, Judge]) -> Iterator[Disagreement]:
    """Yield the cells of a stage on which a judge and the table, or two judges, are not of one opinion.

    Raises:
      InputError: when the stage's documents do not make a cluster.
      KeyError: when a cell names what is not in it.
    """
    cluster = cluster_of(stage.documents)
    flows = [flow_of(cluster, cell) for cell in stage.table]
    said = {name: ask(stage.documents, cluster, flows) for name, ask in panel.items()}
    for index, (cell, expected) in enumerate(stage.table.items()):
        verdicts = {name: answers[index] for name, answers in said.items()}
        # What the evaluator does not know, because of policies that it does not read, is no opinion.
        opinions = {*verdicts.values(), *([expected] if expected else [])} - {"unknown"}
        if len(opinions) > 1 or "inconclusive" in opinions:
            yield Disagreement(stage.name, cell, expected, verdicts)
