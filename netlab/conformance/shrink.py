"""Reduce a disagreement to the smallest cluster that has it, as a scenario that reproduces it.

Objects, items of lists and optional fields are left out one by one, as long as the disagreement remains and the reader
accepts the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from netlab.conformance.cases import Cell, Stage
from netlab.conformance.disagreements import Disagreement, disagreements
from netlab.conformance.judges import Judge
from netlab.errors import InputError, UsageError
from netlab.objects.kind import deletable
from netlab.objects.types import Document

_NEEDED = frozenset({"apiVersion", "kind", "name", "namespace"})


def shrink(stage: Stage, cell: Cell, judges: Mapping[str, Judge], tries: int = 2_000) -> tuple[Stage, Disagreement]:
    """Return the smallest stage found with a disagreement on the cell, and that disagreement.

    Raises:
      ValueError: if the judges agree on the cell.
    """
    small = replace(stage, table={cell: stage.table[cell]})
    wrong = _disagreement(small, judges)
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
            found = _disagreement(replace(small, documents=documents), judges)
            if found is not None:
                small, wrong, progress = replace(small, documents=documents), found, True
                break
    return small, wrong


def _disagreement(stage: Stage, judges: Mapping[str, Judge]) -> Disagreement | None:
    try:
        return next(disagreements(stage, judges), None)
    except (InputError, UsageError, KeyError):
        return None


def _smaller(documents: tuple[Document, ...]) -> Iterator[tuple[Document, ...]]:
    """Yield the documents without one object, then without one field or item."""
    # The objects in a namespace come before it.
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
    """Yield each copy of plain data without one item or field, outer ones first."""
    for path in _paths(data):
        copy = deepcopy(data)
        parent = copy
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
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
    """Return a Scenario, as plain data, that builds the stage and expects the verdict of the cell.

    The verdict is the one that the case states, else the evaluator's, else the first judge's.

    Raises:
      ValueError: if the disagreement has no cell.
    """
    if wrong.cell is None:
        raise ValueError("a disagreement about reading has no cell")
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
