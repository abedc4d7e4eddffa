"""Results of cases as JSON, for a run on many machines; without deviations, which follow from case and profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netlab.conformance.cases import Cell
from netlab.conformance.disagreements import Disagreement
from netlab.conformance.run import CaseResult

# Disagreements of a case that travel; a wrong judge may have as many as a case has cells.
MOST_DISAGREEMENTS = 200


def to_json(result: CaseResult) -> dict[str, Any]:
    """Return a result as JSON data, with at most ``MOST_DISAGREEMENTS`` disagreements."""
    return {
        "name": result.name,
        "feature": result.feature,
        "cells": result.cells,
        "seconds": result.seconds,
        "scenario": result.scenario,
        "disagreements": [
            {
                "stage": one.stage,
                "cell": None if one.cell is None else list(one.cell),
                "expected": one.expected,
                "verdicts": dict(one.verdicts),
            }
            for one in result.disagreements[:MOST_DISAGREEMENTS]
        ],
    }


def from_json(data: Mapping[str, Any]) -> CaseResult:
    """Return the result of JSON data; raises KeyError, TypeError or ValueError where they are damaged."""
    return CaseResult(
        _text(data["name"]),
        _text(data["feature"]),
        int(data["cells"]),
        tuple(map(_disagreement, data["disagreements"])),
        float(data["seconds"]),
        data["scenario"],
    )


def _disagreement(data: Mapping[str, Any]) -> Disagreement:
    cell = None if data["cell"] is None else _cell(*data["cell"])
    expected = None if data["expected"] is None else _text(data["expected"])
    verdicts = {_text(name): _text(verdict) for name, verdict in data["verdicts"].items()}
    return Disagreement(_text(data["stage"]), cell, expected, verdicts)


def _cell(source: object, destination: object, protocol: object, port: object, family: object) -> Cell:
    if port is not None and type(port) is not int:
        raise TypeError("port")
    if type(family) is not int:
        raise TypeError("family")
    return Cell(_text(source), _text(destination), _text(protocol), port, family)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
