"""Results as text and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from benchmarks.figures import Ratio, Result, Row


def text(result: Result) -> str:
    """Return a result as text: its rows, its ratios, its notes."""
    lines = [f"{result.name}: {result.about} ({result.seconds:.0f} s)", ""]
    rows = [
        (r.case, r.what, number(r.median), number(min(r.values)), number(max(r.values)), str(len(r.values)), r.unit)
        for r in result.rows
    ]
    lines += columns(("CASE", "WHAT", "MEDIAN", "LOW", "HIGH", "ROUNDS", "UNIT"), rows)
    if result.ratios:
        lines += [
            "",
            *columns(("RATIO", "VALUE", "TARGET"), [(r.what, number(r.value), r.target) for r in result.ratios]),
        ]
    if result.notes:
        lines += ["", *result.notes]
    return "\n".join(lines) + "\n"


def document(machine: Mapping[str, object], results: Iterable[Result]) -> str:
    """Return results as one JSON object."""
    found = [
        {
            "name": result.name,
            "about": result.about,
            "seconds": round(result.seconds, 1),
            "rows": [_row(row) for row in result.rows],
            "ratios": [_ratio(one) for one in result.ratios],
            "notes": list(result.notes),
        }
        for result in results
    ]
    return json.dumps({"machine": dict(machine), "results": found}, indent=1)


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of left-aligned columns, three blanks apart."""
    table = [header, *rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def number(value: float) -> str:
    """Return a figure with three significant digits and commas between thousands."""
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def _row(row: Row) -> dict[str, object]:
    return {"case": row.case, "what": row.what, "unit": row.unit, "median": row.median, "values": list(row.values)}


def _ratio(one: Ratio) -> dict[str, object]:
    found = asdict(one)
    found["value"] = one.value if math.isfinite(one.value) else None
    return found
