"""From a disagreement to the smallest cluster that still has it, as a scenario that reproduces it.

Whatever is an item of a list or an optional field is left out, one after the other, as long as the disagreement stays;
what the reader then refuses is put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from netlab.conformance.cases import Cell, Stage
from netlab.conformance.disagreements import Disagreement, judge
from netlab.conformance.judges import Judge
from netlab.errors import InputError, UsageError
from netlab.objects.kind import deletable
from netlab.objects.types import Document

_NEEDED = frozenset({"apiVersion", "kind", "name", "namespace"})


def shrink(stage: Stage, cell: Cell, panel: Mapping[str, Judge], tries: int = 2_000) -> tuple[Stage, Disagreement]:
    """Return the smallest stage found with a disagreement on the cell, and that disagreement.

    Raises:
      ValueError: if there is none to begin with.
    """
    small = replace(stage, table={cell: stage.table[cell]})
    wrong = _disagreement(small, panel)
    if wrong is None:
        raise ValueError(f"the judges agree on {cell}")
    left = tries
    progress = True
    while progress:
        progress = False
        for documents in _smaller(small.documents):
            if left == 0:
                return small, wrong
            left -= 1
            found = _disagreement(replace(small, documents=documents), panel)
            if found is not None:
                small, wrong, progress = replace(small, documents=documents), found, True
                break
    return small, wrong


def _disagreement(stage: Stage, panel: Mapping[str, Judge]) -> Disagreement | None:
    try:
        return next(judge(stage, panel), None)
    except (InputError, UsageError, KeyError):
        return None


def _smaller(documents: tuple[Document, ...]) -> Iterator[tuple[Document, ...]]:
    """Yield what is left when one thing is left out, the largest things first."""
    # What is in a namespace comes before it.
    kinds = [kind.name for kind in reversed(deletable())]
    for kind in kinds:
        for index, document in enumerate(documents):
            if document.kind == kind:
                yield (*documents[:index], *documents[index + 1 :])
    for kind in kinds:
        for index, document in enumerate(documents):
            if document.kind == kind:
                for data in _without_one(document.data):
                    yield (*documents[:index], replace(document, data=data), *documents[index + 1 :])


def _without_one(data: Any) -> Iterator[Any]:
    """Yield every copy of plain data that lacks one item or one field, outer ones first."""
    for path in _paths(data):
        copy = deepcopy(data)
        at = copy
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]
        yield copy


def _paths(data: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    level: list[tuple[tuple[Any, ...], Any]] = [((), data)]
    while level:
        deeper: list[tuple[tuple[Any, ...], Any]] = []
        for path, value in level:
            if isinstance(value, (dict, list)):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                deeper += [((*path, key), item) for key, item in items if key not in _NEEDED]
        found += [path for path, _ in deeper]
        level = deeper
    return found


def scenario(name: str, stage: Stage, wrong: Disagreement) -> dict[str, Any]:
    """Return a Scenario, as plain data, that builds the stage and states the verdict that is in question.

    Where no verdict is stated it is the evaluator's, else the first judge's.

    Raises:
      ValueError: if the disagreement is not about a cell.
    """
    if wrong.cell is None:
        raise ValueError("nothing to ask")
    cell = wrong.cell
    verdict = wrong.expected or wrong.verdicts.get("evaluator") or next(iter(wrong.verdicts.values()))
    asked: dict[str, Any] = {"from": cell.source, "to": cell.destination, "protocol": cell.protocol}
    if cell.port is not None:
        asked["port"] = cell.port
    said = ", ".join(f"{judge} says {verdict}" for judge, verdict in wrong.verdicts.items())
    step = {
        "name": "the judges differ",
        "apply": [dict(document.data) for document in stage.documents],
        "expect": [{**asked, "family": cell.family, "verdict": verdict}, {"oracle": True}],
    }
    return {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": name},
        "spec": {"description": f"{cell}: {said}.", "steps": [step]},
    }
