"""What programs read: the JSON and YAML documents of the command line, row by row where there are many rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from netlab.errors import Problem
from netlab.report import yaml_text
from netlab.report.rows import Row, Tally

Format = Literal["json", "yaml"]
API_VERSION = "netlab/v1alpha1"


def document(data: Any, output: Format) -> Iterator[str]:
    """Yield the lines of one document."""
    if output == "yaml":
        yield from yaml_text.lines(data)
    else:
        yield json.dumps(data, indent=2)


def reachability(lab: str, rows: Iterable[Row], tally: Tally, output: Format) -> Iterator[str]:
    """Yield the lines of a Reachability document; rows are counted by ``tally`` and none is kept."""
    head = {"apiVersion": API_VERSION, "kind": "Reachability", "lab": lab}
    counted = tally.count(rows)
    if output == "yaml":
        yield from yaml_text.lines(head)
        first = next(counted, None)
        yield "rows:" if first is not None else "rows: []"
        if first is not None:
            yield from yaml_text.lines([first.data()])
        for row in counted:
            yield from yaml_text.lines([row.data()])
        yield from yaml_text.lines({"summary": tally.data()})
        return
    yield from reachability_text(lab, (json.dumps(row.data()) for row in counted), tally)


def reachability_text(lab: str, rows: Iterable[str], tally: Tally) -> Iterator[str]:
    """Yield the lines of a Reachability document of rows that are JSON already, one or several in a text."""
    head = {"apiVersion": API_VERSION, "kind": "Reachability", "lab": lab}
    yield f'{json.dumps(head)[:-1]}, "rows": ['
    before = ""
    for text in rows:
        if before:
            yield f"{before},"
        before = text
    if before:
        yield before
    yield f'], "summary": {json.dumps(tally.data())}}}'


def problems(found: Sequence[Problem]) -> dict[str, Any]:
    """Return the Problems document, warnings among them."""
    return {
        "kind": "Problems",
        "problems": [
            {
                "file": p.file,
                "line": p.line,
                "path": p.path,
                "object": p.object,
                "message": p.message,
                "severity": p.severity,
                "rule": p.rule,
            }
            for p in found
        ],
    }
